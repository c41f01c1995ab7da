package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"context"
	"net/http"
	"unsafe"
)

// apiRequest is a request to the management API, as C wants it.
type apiRequest struct {
	method string
	target string // Path and query, percent-encoded.
	header []Header
	body   []byte
}

// apiResponse is what to answer, whatever its status.
type apiResponse struct {
	status int
	header http.Header
	body   []byte
}

// answer answers a request to the management API: with a grant of the program's, or (nil) by the request's API key.
func (b *Box) answer(
	ctx context.Context, dialect Dialect, grant *Grant, request apiRequest,
) (apiResponse, error) {
	var out *C.hookbox_api_response
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		var lent lender
		defer lent.Unpin()
		first, count := lent.pairs(request.header)
		given := C.hookbox_api_request{
			struct_size:  C.uint32_t(C.sizeof_hookbox_api_request),
			method:       lent.str(request.method),
			target:       lent.str(request.target),
			headers:      first,
			header_count: count,
			body:         lent.raw(request.body),
		}
		var granted *C.hookbox_grant
		if grant != nil {
			granted = &C.hookbox_grant{
				struct_size: C.uint32_t(C.sizeof_hookbox_grant),
				read_only:   C.bool(grant.ReadOnly),
				app:         lent.str(grant.App),
			}
		}
		return C.hookbox_api_handle(c, C.int32_t(dialect), granted, &given, &out, e)
	})
	if err != nil {
		return apiResponse{}, err
	}
	defer C.hookbox_api_response_free(out)
	response := apiResponse{status: int(out.http_status), header: http.Header{}, body: bytesOf(out.body)}
	for _, pair := range unsafe.Slice(out.headers, int(out.header_count)) {
		response.header.Add(text(pair.name), text(pair.value))
	}
	return response, nil
}
