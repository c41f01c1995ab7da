//go:build hookbox_testing

package hookbox_test

import (
	"testing"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// Every promise of a storage, over a store in Go, which belongs to one box at a time.
func TestConformance(t *testing.T) {
	checks, failures, err := hookbox.CheckStore(func() hookbox.StorePlace {
		store := newStore()
		return func() (hookbox.Store, error) { return store, nil }
	}, false, true)
	ok(err)
	for _, failure := range failures {
		t.Error(failure)
	}
	if checks < 50 {
		t.Fatalf("only %d checks", checks)
	}
	t.Logf("%d promises of a storage", checks)
}

// forgetful is a store that loses what it was given: the suite must notice.
type forgetful struct{ *memoryStore }

func (f forgetful) Begin(write bool) (hookbox.StoreTransaction, error) {
	transaction, err := f.memoryStore.Begin(write)
	return forgetfulTransaction{transaction}, err
}

type forgetfulTransaction struct{ hookbox.StoreTransaction }

func (forgetfulTransaction) Delete([]byte) error { return nil }

func TestConformanceNotices(t *testing.T) {
	_, failures, err := hookbox.CheckStore(func() hookbox.StorePlace {
		store := newStore()
		return func() (hookbox.Store, error) { return forgetful{store}, nil }
	}, false, true)
	ok(err)
	if len(failures) == 0 {
		t.Fatal("a store that deletes nothing passes")
	}
}
