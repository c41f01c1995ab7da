module github.com/hookbox/hookbox/examples/go

go 1.24

require github.com/hookbox/hookbox/bindings/go v0.1.0

replace github.com/hookbox/hookbox/bindings/go => ../../bindings/go
