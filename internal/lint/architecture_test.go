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
	hopLine   = regexp.MustCompile(`(?m)^\| (\d+) \| .*$`)
	codeName  = regexp.MustCompile("`(?:\\w+\\.)*(\\w+)`")
	fileName  = regexp.MustCompile(`\b((?:[a-z0-9]+/)+[a-z0-9_]+\.(?:go|md))\b`)
)

// TestArchitecture holds what the pages say against the code: the table of
// imports, the tests, files, functions and types that they name, and that every
// package has its line.
func TestArchitecture(t *testing.T) {
	tests, names := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch d := n.(type) {
			case *ast.FuncDecl:
				tests[d.Name.Name] = tests[d.Name.Name] || s.test
				names[d.Name.Name] = true
			case *ast.TypeSpec:
				names[d.Name.Name] = true
			}
			return true
		})
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
		for _, line := range hopLine.FindAllString(text, -1) {
			for _, m := range codeName.FindAllStringSubmatch(line, -1) {
				if !names[m[1]] {
					t.Errorf("%s: there is no %s, in %s", page, m[1], line)
				}
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
