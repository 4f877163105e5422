package proctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLimitsDocument finds every test that docs/limits.md names.
func TestLimitsDocument(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs/limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`([a-z/]+): (Test\w+)`).FindAllStringSubmatch(string(page), -1)
	if len(named) < 30 {
		t.Fatalf("%d tests are named only", len(named))
	}
	for _, m := range named {
		files, err := filepath.Glob(filepath.Join(root, m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			p, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(p), "func "+m[2]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("%s is not in %s", m[2], m[1])
		}
	}
}
