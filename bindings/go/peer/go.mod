module github.com/hookbox/hookbox/bindings/go/peer

go 1.24

require (
	github.com/hookbox/hookbox/bindings/go v0.1.0
	github.com/mattn/go-sqlite3 v1.14.33
)

replace github.com/hookbox/hookbox/bindings/go => ..
