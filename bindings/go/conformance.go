//go:build hookbox_testing

package hookbox

// #cgo CFLAGS: -DHOOKBOX_TESTING
// #include "conformance.h"
import "C"

import "runtime/cgo"

// StorePlace opens the store in one place: called again, it gives another handle on the same data.
type StorePlace func() (Store, error)

// CheckStore runs hookbox's conformance suite over a store of the program's: every promise of a storage, each in a
// fresh, empty place of its own. `forgets`: the data ends with its handle. `oneAtATime`: only one handle can be open at
// a time. It gives how many promises were checked, and a sentence for each that was broken. Only with the build tag
// hookbox_testing, and a library built with the feature `testing`.
func CheckStore(newPlace func() StorePlace, forgets, oneAtATime bool) (checks int, failures []string, err error) {
	handle := cgo.NewHandle(newPlace)
	defer handle.Delete()
	var count C.size_t
	var out *C.hookbox_texts
	err = try(func(e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_go_conformance(C.uintptr_t(handle), C.bool(forgets), C.bool(oneAtATime), &count, &out, e)
	})
	if err != nil {
		return 0, nil, err
	}
	return int(count), takeTexts(out), nil
}

//export hookboxGoMakePlace
func hookboxGoMakePlace(handle C.uintptr_t) (place C.uintptr_t) {
	defer contain("store", nil) // Without a place the suite says so.
	return handleOf(valueOf[func() StorePlace](handle)())
}

//export hookboxGoOpenPlace
func hookboxGoOpenPlace(place C.uintptr_t, out *C.uintptr_t, e **C.hookbox_error) C.hookbox_status {
	return inStore(e, func() error {
		store, err := valueOf[StorePlace](place)()
		if err == nil {
			*out = handleOf(store)
		}
		return err
	})
}
