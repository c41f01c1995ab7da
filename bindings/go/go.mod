module github.com/hookbox/hookbox/bindings/go

go 1.24
