package hookbox_test

import (
	"path/filepath"
	"testing"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// bench/run puts the same in C beside it.
func BenchmarkEmit(b *testing.B) {
	payload := []byte(`{"user_id":"usr_1"}`)
	bench := func(open func() (*hookbox.Box, error)) func(b *testing.B) {
		return func(b *testing.B) {
			box := must(open())
			defer box.Close()
			must(box.CreateApp(ctx, hookbox.NewApp{ID: app}))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				must(box.Emit(ctx, app, "user.created", payload))
			}
		}
	}
	b.Run("memory", bench(func() (*hookbox.Box, error) { return hookbox.OpenInMemory() }))
	b.Run("file", bench(func() (*hookbox.Box, error) { return hookbox.Open(filepath.Join(b.TempDir(), "app.db")) }))
}
