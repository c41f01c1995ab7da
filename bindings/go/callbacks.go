package hookbox

// #include "callbacks.h"
import "C"

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/cgo"
	"runtime/debug"
	"time"
	"unsafe"
)

// What hookbox calls of the program's. Each export recovers: a panic must not unwind through C.

func handleOf(value any) C.uintptr_t { return C.uintptr_t(cgo.NewHandle(value)) }

func valueOf[T any](handle C.uintptr_t) T { return cgo.Handle(handle).Value().(T) }

// contain ends a panic of a callback's, and tells the log; it is deferred. `then` may be nil.
func contain(callback string, then func()) {
	if panicked := recover(); panicked != nil {
		slog.Error("hookbox: a callback of the program's panicked", "callback", callback,
			"panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		if then != nil {
			then()
		}
	}
}

// fail gives hookbox the error of a callback that fails, and the status it returns.
func fail(status Status, message string, e **C.hookbox_error) C.hookbox_status {
	if e != nil {
		*e = C.hookbox_error_new(C.hookbox_status(status), str(message))
	}
	return C.hookbox_status(status)
}

//export hookboxGoDestroy
func hookboxGoDestroy(handle C.uintptr_t) { cgo.Handle(handle).Delete() }

//export hookboxGoNotice
func hookboxGoNotice(handle C.uintptr_t, notice *C.hookbox_notice) {
	defer contain("notices", nil)
	valueOf[func(Notice)](handle)(Notice{
		Kind:      text(notice.kind),
		AppID:     text(notice.app_id),
		WebhookID: text(notice.webhook_id),
		BatchID:   text(notice.batch_id),
		JSON:      jsonOf(notice.json),
	})
}

//export hookboxGoNow
func hookboxGoNow(handle C.uintptr_t) (now C.int64_t) {
	defer contain("clock", func() { now = C.int64_t(time.Now().UnixMilli()) })
	return C.int64_t(valueOf[Clock](handle).Now().UnixMilli())
}

//export hookboxGoSend
func hookboxGoSend(handle C.uintptr_t, request *C.hookbox_request, reply *C.hookbox_reply) {
	// Where it panics nothing is replied, which hookbox takes for a fault of ours.
	defer contain("transport", nil)
	outcome := valueOf[*sending](handle).send(requestOf(request))
	err := try(func(e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		given := lent.outcome(&outcome)
		return C.hookbox_reply_set(reply, &given, e)
	})
	if err != nil {
		panic(err)
	}
}

//export hookboxGoShutdown
func hookboxGoShutdown(handle C.uintptr_t) {
	defer contain("transport", nil)
	valueOf[*sending](handle).shutdown()
}

//export hookboxGoSign
func hookboxGoSign(handle C.uintptr_t, digest, signature *C.uint8_t, room C.size_t, length *C.size_t,
	e **C.hookbox_error) (status C.hookbox_status) {
	defer contain("signer", func() { status = fail(ErrKeyUnavailable, "the signer panicked", e) })
	signer := valueOf[crypto.Signer](handle)
	hashed := C.GoBytes(unsafe.Pointer(digest), 32)
	how := &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	signed, err := signer.Sign(rand.Reader, hashed, how)
	if err != nil {
		return fail(ErrKeyUnavailable, "the signer failed: "+err.Error(), e)
	}
	if len(signed) > int(room) {
		return fail(ErrKeyUnavailable, "the signature is too long", e)
	}
	copy(unsafe.Slice((*byte)(signature), int(room)), signed)
	*length = C.size_t(len(signed))
	return C.HOOKBOX_OK
}

// storeFailure is the error of a store as hookbox is told of it.
func storeFailure(err error, e **C.hookbox_error) C.hookbox_status {
	status := ErrStorageIO
	for _, one := range []Status{
		ErrStorageBusy, ErrStorageFull, ErrStorageReadOnly, ErrStorageCorrupt, ErrStorageCommitUnknown,
	} {
		if errors.Is(err, one) {
			status = one
		}
	}
	return fail(status, err.Error(), e)
}

// inStore runs a function of a store's.
func inStore(e **C.hookbox_error, work func() error) (status C.hookbox_status) {
	defer contain("store", func() { status = fail(ErrStorageIO, "the store panicked", e) })
	if err := work(); err != nil {
		return storeFailure(err, e)
	}
	return C.HOOKBOX_OK
}

//export hookboxGoKVBegin
func hookboxGoKVBegin(handle C.uintptr_t, write C.bool, out *C.uintptr_t, e **C.hookbox_error) C.hookbox_status {
	return inStore(e, func() error {
		transaction, err := valueOf[Store](handle).Begin(bool(write))
		if err == nil {
			*out = handleOf(transaction)
		}
		return err
	})
}

//export hookboxGoKVGet
func hookboxGoKVGet(handle C.uintptr_t, key C.hookbox_str, value *C.hookbox_value,
	e **C.hookbox_error) C.hookbox_status {
	return inStore(e, func() error {
		read, found, err := valueOf[StoreTransaction](handle).Get(bytesOf(key))
		if err == nil && found {
			C.hookbox_value_set(value, raw(read))
		}
		return err
	})
}

//export hookboxGoKVPut
func hookboxGoKVPut(handle C.uintptr_t, key, value C.hookbox_str, e **C.hookbox_error) C.hookbox_status {
	return inStore(e, func() error {
		return valueOf[StoreTransaction](handle).Put(bytesOf(key), bytesOf(value))
	})
}

//export hookboxGoKVDelete
func hookboxGoKVDelete(handle C.uintptr_t, key C.hookbox_str, e **C.hookbox_error) C.hookbox_status {
	return inStore(e, func() error { return valueOf[StoreTransaction](handle).Delete(bytesOf(key)) })
}

//export hookboxGoKVScan
func hookboxGoKVScan(handle C.uintptr_t, from, to C.hookbox_str, reverse C.bool, visitor *C.hookbox_visitor,
	e **C.hookbox_error) C.hookbox_status {
	return inStore(e, func() error {
		visit := func(key, value []byte) bool { return bool(C.hookbox_visit(visitor, raw(key), raw(value))) }
		return valueOf[StoreTransaction](handle).Scan(bytesOf(from), bytesOf(to), bool(reverse), visit)
	})
}

//export hookboxGoKVCommit
func hookboxGoKVCommit(handle C.uintptr_t, e **C.hookbox_error) C.hookbox_status {
	defer cgo.Handle(handle).Delete()
	return inStore(e, valueOf[StoreTransaction](handle).Commit)
}

//export hookboxGoKVRollback
func hookboxGoKVRollback(handle C.uintptr_t) {
	defer cgo.Handle(handle).Delete()
	defer contain("store", nil)
	valueOf[StoreTransaction](handle).Rollback()
}

func requestOf(r *C.hookbox_request) Request {
	header := make(http.Header, int(r.header_count))
	for _, pair := range unsafe.Slice(r.headers, int(r.header_count)) {
		header.Add(text(pair.name), text(pair.value))
	}
	return Request{
		Method:  text(r.method),
		URL:     text(r.url),
		Header:  header,
		Body:    bytesOf(r.body),
		Timeout: time.Duration(r.timeout_ms) * time.Millisecond,
	}
}

func (l *lender) outcome(o *Outcome) C.hookbox_outcome {
	var headers []Header
	for name, values := range o.Header {
		for _, value := range values {
			headers = append(headers, Header{name, Secret(value)})
		}
	}
	body := o.Body
	if len(body) > excerptBytes {
		body = body[:excerptBytes]
	}
	given := C.hookbox_outcome{
		struct_size: C.uint32_t(C.sizeof_hookbox_outcome),
		kind:        C.int32_t(o.Failure),
		http_status: C.uint16_t(o.HTTPStatus),
		body:        l.raw(body),
	}
	given.headers, given.header_count = l.pairs(headers)
	return given
}
