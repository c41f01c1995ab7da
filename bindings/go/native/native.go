// Package native holds the C library that package hookbox is linked with: hookbox.h, hookbox/sys.h and
// libhookbox_GOOS_GOARCH.a. They are put here by bindings/go/test, and by a release. It has no Go code; it
// is a package so that `go mod vendor` takes the folder along.
package native
