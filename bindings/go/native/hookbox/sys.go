// Package sys is a package only so that `go mod vendor` takes sys.h along.
package sys
