package lint

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pages are kept true by TestArchitecture.
var pages = []string{"ARCHITECTURE.md", "docs/locks.md"}

var (
	layerLine = regexp.MustCompile(`(?m)^L(\d+) +(.*)$`)
	testName  = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	fileName  = regexp.MustCompile(`\b((?:[a-z0-9]+/)+[a-z0-9_]+\.(?:go|md))\b`)
)

// TestArchitecture holds what the pages say against the code: the table of
// imports, the tests and the files that they name, and that every package has
// its line.
func TestArchitecture(t *testing.T) {
	tests := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && s.test {
				tests[fn.Name.Name] = true
			}
		}
	}
	for _, page := range pages {
		raw, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s: there is no %s", page, m[1])
			}
		}
		for _, m := range fileName.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: there is no %s", page, m[1])
			}
		}
		if page == "ARCHITECTURE.md" {
			checkPicture(t, text)
		}
	}
}

func checkPicture(t *testing.T, text string) {
	drawn := layerLine.FindAllStringSubmatch(text, -1)
	slices.Reverse(drawn)
	if len(drawn) != len(layers) {
		t.Fatalf("ARCHITECTURE.md has %d rows of imports, layers has %d", len(drawn), len(layers))
	}
	for i, row := range layers {
		var names []string
		for _, name := range row {
			if name == "." {
				name = "ilion"
			}
			names = append(names, name)
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("ARCHITECTURE.md: %s has no line in the map", name)
			}
		}
		if drawn[i][1] != strconv.Itoa(i) || drawn[i][2] != strings.Join(names, " ") {
			t.Errorf("ARCHITECTURE.md: row L%s has %q, layers[%d] is %q", drawn[i][1], drawn[i][2], i, strings.Join(names, " "))
		}
	}
}
