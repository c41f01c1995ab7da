package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"encoding/json"
	"math"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// try runs one call of the C library; what went wrong is copied, and the C error freed.
func try(call func(e **C.hookbox_error) C.hookbox_status) error {
	var e *C.hookbox_error
	if call(&e) == C.HOOKBOX_OK {
		return nil
	}
	return takeError(e)
}

// takeError copies an error of C's and frees it.
func takeError(e *C.hookbox_error) error {
	defer C.hookbox_error_free(e)
	return &Error{
		Code:       text(e.code),
		Status:     Status(e.status),
		HTTPStatus: int(e.http_status),
		Retryable:  bool(e.retryable),
		Message:    text(e.message),
	}
}

// str lends a text to C for one call, as an argument by itself.
func str[T ~string](s T) C.hookbox_str {
	return C.hookbox_str{
		ptr: (*C.char)(unsafe.Pointer(unsafe.StringData(string(s)))), len: C.size_t(len(s)),
	}
}

// raw is str for bytes.
func raw(b []byte) C.hookbox_str {
	return C.hookbox_str{ptr: (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), len: C.size_t(len(b))}
}

// lender lends C texts that it reaches through a structure: they must not move until Unpin.
type lender struct{ runtime.Pinner }

func (l *lender) str(s string) C.hookbox_str {
	if s == "" {
		return C.hookbox_str{}
	}
	l.Pin(unsafe.StringData(s))
	return str(s)
}

func (l *lender) raw(b []byte) C.hookbox_str {
	if len(b) == 0 {
		return C.hookbox_str{}
	}
	l.Pin(unsafe.SliceData(b))
	return raw(b)
}

// strs lends a list of texts; the list itself is pinned, too.
func (l *lender) strs(list []string) (*C.hookbox_str, C.size_t) {
	if len(list) == 0 {
		return nil, 0
	}
	lent := make([]C.hookbox_str, len(list))
	for i, s := range list {
		lent[i] = l.str(s)
	}
	l.Pin(&lent[0])
	return &lent[0], C.size_t(len(lent))
}

func (l *lender) pairs(list []Header) (*C.hookbox_pair, C.size_t) {
	if len(list) == 0 {
		return nil, 0
	}
	lent := make([]C.hookbox_pair, len(list))
	for i, h := range list {
		lent[i] = C.hookbox_pair{name: l.str(h.Name), value: l.str(string(h.Value))}
	}
	l.Pin(&lent[0])
	return &lent[0], C.size_t(len(lent))
}

// text copies a text of C's.
func text(s C.hookbox_str) string { return C.GoStringN(s.ptr, C.int(s.len)) }

// bytesOf copies bytes of C's, of any length.
func bytesOf(s C.hookbox_str) []byte {
	if s.len == 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(s.ptr)), int(s.len))...)
}

func jsonOf(s C.hookbox_str) json.RawMessage { return json.RawMessage(bytesOf(s)) }

func textsOf(first *C.hookbox_str, count C.size_t) []string {
	if count == 0 {
		return nil
	}
	list := make([]string, count)
	for i, s := range unsafe.Slice(first, int(count)) {
		list[i] = text(s)
	}
	return list
}

// takeTexts copies a list of C's and frees it.
func takeTexts(t *C.hookbox_texts) []string {
	defer C.hookbox_texts_free(t)
	return textsOf(t.items, t.count)
}

// listOf copies each item of a list of C's.
func listOf[C1, T any](items **C1, count C.size_t, convert func(*C1) T) []T {
	list := make([]T, 0, int(count))
	for _, item := range unsafe.Slice(items, int(count)) {
		list = append(list, convert(item))
	}
	return list
}

// timeOf reads Unix milliseconds; 0 is the zero time.
func timeOf(ms C.int64_t) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// millisOf is a moment in Unix milliseconds; 0 for the zero time, and for no other.
func millisOf(t time.Time) C.int64_t {
	if t.IsZero() {
		return 0
	}
	if ms := t.UnixMilli(); ms != 0 {
		return C.int64_t(ms)
	}
	return 1
}

// spanOf is a span in milliseconds, rounded up, so that what is short does not become none.
func spanOf(d time.Duration) (C.uint64_t, error) {
	if d < 0 {
		return 0, argumentError("Invalid argument: a duration is negative.")
	}
	if rest := d % time.Millisecond; rest > 0 && d < math.MaxInt64-time.Millisecond {
		d += time.Millisecond - rest
	}
	return C.uint64_t(d / time.Millisecond), nil
}

// sizeOf is a count that may not be negative.
func sizeOf(n int) (C.size_t, error) {
	if n < 0 {
		return 0, argumentError("Invalid argument: a count is negative.")
	}
	return C.size_t(n), nil
}

func idOf(id *C.hookbox_id) string {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&id.text[0])), len(id.text))
	text, _, _ := strings.Cut(string(raw), "\x00")
	return text
}
