package lint

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testOfPackage = regexp.MustCompile(`([a-z][\w/]*): ((?:Test|Fuzz)\w+(?:, (?:Test|Fuzz)\w+)*)`)
	directModule  = regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)
	moduleRow     = regexp.MustCompile(`(?m)^\| (\S+\.\S+/\S+) \| ([^|]+) \|`)
)

func page(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestLimitsPage wants the tests that docs/limits.md names in the packages named.
func TestLimitsPage(t *testing.T) {
	tests := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && s.test {
				tests[s.pkg+": "+fn.Name.Name] = true
			}
		}
	}
	found := 0
	for _, m := range testOfPackage.FindAllStringSubmatch(page(t, "docs/limits.md"), -1) {
		for name := range strings.SplitSeq(m[2], ", ") {
			found++
			if !tests[m[1]+": "+name] {
				t.Errorf("docs/limits.md: there is no %s in %s", name, m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("docs/limits.md names %d tests only", found)
	}
}

// TestDependenciesPage holds docs/dependencies.md against go.mod and against who
// imports what.
func TestDependenciesPage(t *testing.T) {
	rows := map[string][]string{}
	for _, m := range moduleRow.FindAllStringSubmatch(page(t, "docs/dependencies.md"), -1) {
		rows[m[1]] = strings.Split(m[2], ", ")
	}
	direct := map[string]bool{}
	for _, m := range directModule.FindAllStringSubmatch(page(t, "go.mod"), -1) {
		direct[m[1]] = true
		if rows[m[1]] == nil {
			t.Errorf("docs/dependencies.md: %s has no line", m[1])
		}
	}
	imported := map[string]bool{} // module and who imports it
	for _, s := range sources(t) {
		for _, p := range s.imports() {
			for m, importers := range rows {
				if !within(p, []string{m}) {
					continue
				}
				imported[m+" "+s.pkg] = true
				if !s.test && !within(s.pkg, importers) {
					t.Errorf("docs/dependencies.md: %s is imported by %s, too", m, s.path)
				}
			}
		}
	}
	for m, importers := range rows {
		if !direct[m] {
			t.Errorf("docs/dependencies.md: %s is not in go.mod", m)
		}
		for _, pkg := range importers {
			if !imported[m+" "+pkg] && pkg != "docs/examples" {
				t.Errorf("docs/dependencies.md: %s does not import %s", pkg, m)
			}
		}
	}
}
