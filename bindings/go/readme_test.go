package hookbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the README shows is the examples' own text, which is compiled and run.
func TestReadme(t *testing.T) {
	var examples strings.Builder
	for _, file := range must(filepath.Glob("../../examples/go/*/*.go")) {
		examples.Write(must(os.ReadFile(file)))
	}
	readme := string(must(os.ReadFile("README.md")))
	snippets := strings.Split(readme, "```go\n")[1:]
	for _, snippet := range snippets {
		code, _, ended := strings.Cut(snippet, "```\n")
		if !ended || !strings.Contains(examples.String(), code) {
			t.Errorf("no example has:\n%s", code)
		}
	}
	equal(t, "snippets", len(snippets), 7)
}
