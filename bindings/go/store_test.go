package hookbox_test

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"testing"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// memoryStore is a store as simple as can be: a map, copied for each transaction that writes.
type memoryStore struct {
	writing sync.Mutex
	mu      sync.Mutex
	data    map[string][]byte
	refusal error
}

func newStore() *memoryStore { return &memoryStore{data: map[string][]byte{}} }

func (s *memoryStore) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = err
}

func (s *memoryStore) Begin(write bool) (hookbox.StoreTransaction, error) {
	if write {
		s.writing.Lock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil && write {
		s.writing.Unlock()
		return nil, s.refusal
	}
	data := s.data
	if write {
		data = maps.Clone(data)
	}
	return &memoryTransaction{s, data, write}, nil
}

type memoryTransaction struct {
	store *memoryStore
	data  map[string][]byte
	write bool
}

func (t *memoryTransaction) Get(key []byte) ([]byte, bool, error) {
	value, found := t.data[string(key)]
	return value, found, nil
}

func (t *memoryTransaction) Put(key, value []byte) error {
	t.data[string(key)] = bytes.Clone(value)
	return nil
}

func (t *memoryTransaction) Delete(key []byte) error {
	delete(t.data, string(key))
	return nil
}

func (t *memoryTransaction) Scan(from, to []byte, reverse bool, visit func(key, value []byte) bool) error {
	var keys []string
	for key := range t.data {
		if key >= string(from) && key < string(to) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if reverse {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if !visit([]byte(key), t.data[key]) {
			break
		}
	}
	return nil
}

func (t *memoryTransaction) Commit() error {
	if t.write {
		t.store.mu.Lock()
		t.store.data = t.data
		t.store.mu.Unlock()
		t.store.writing.Unlock()
	}
	return nil
}

func (t *memoryTransaction) Rollback() {
	if t.write {
		t.store.writing.Unlock()
	}
}

// A whole box over a store of the program's: what is emitted is delivered, and still there when it is opened again.
func TestStore(t *testing.T) {
	store, clock, endpoint := newStore(), newClock(), newEndpoint()
	open := func() *hookbox.Box {
		return opened(t)(hookbox.OpenStore(store, hookbox.WithClock(clock), hookbox.WithTransport(endpoint),
			hookbox.WithHTTPAllowed(), loopback))
	}
	box := open()
	must(box.CreateApp(ctx, hookbox.NewApp{ID: app}))
	webhook := must(box.CreateWebhook(ctx, app, hookbox.WebhookConfig{
		URL: "http://127.0.0.1:9000/", VerificationToken: token, Events: hookbox.AllEvents(),
	}))
	must(box.Activate(ctx, app, webhook.ID))
	var ids []string
	for range 20 {
		ids = append(ids, must(box.Emit(ctx, app, "user.created", []byte(`{"n":1}`))))
	}
	ok(box.Close())

	box = open()
	s := &stepped{Box: box}
	s.poll(t)
	events := collect(t, box.Events(ctx, app, ""))
	equal(t, "events", len(events), 20)
	equal(t, "the newest first", events[0].ID, ids[19])
	equal(t, "status", must(box.ExplainEvent(ctx, ids[0])).Batches[0].Batch.Status, hookbox.BatchDelivered)
	equal(t, "faults", len(must(box.Check(ctx))), 0)
	ok(box.Close())

	store.data["x"] = []byte("something else")
	clear(store.data)
	store.data["x"] = []byte("something else")
	_, err := hookbox.OpenStore(store)
	wants(t, err, hookbox.ErrStorageCorrupt)
}
