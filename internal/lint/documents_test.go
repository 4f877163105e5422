package lint

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// documents are the pages that patterns name, from the root.
func documents(t *testing.T, patterns ...string) (names []string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, filepath.ToSlash(name))
		}
	}
	return names
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor    = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// TestLinks wants links between documents to lead to a file, and to a heading
// of it if they name one.
func TestLinks(t *testing.T) {
	found := 0
	for _, name := range documents(t, "*.md", "docs/*.md", "docs/decisions/*.md", "docs/examples/*/*.md", "bench/compare/*.md", "bench/results/*/*.md") {
		for _, m := range linkPattern.FindAllStringSubmatch(page(t, name), -1) {
			found++
			to := name
			if m[1] != "" {
				to = path.Join(path.Dir(name), m[1])
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s has a link to %s, which is not there", name, to)
				continue
			}
			there := m[2] == ""
			if !there {
				for _, h := range headingPattern.FindAllStringSubmatch(page(t, to), -1) {
					anchor := notInAnchor.ReplaceAllString(strings.ToLower(h[1]), "")
					there = there || strings.ReplaceAll(anchor, " ", "-") == m[2]
				}
			}
			if !there {
				t.Errorf("%s has a link to %s#%s, which is no heading there", name, to, m[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("%d links only", found)
	}
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

var fuzzTargets = regexp.MustCompile("`([a-z][a-z/]*)`((?: Fuzz\\w+)+)")

// TestFuzzTargetsPage holds the list of docs/testing.md against the targets
// that there are.
func TestFuzzTargetsPage(t *testing.T) {
	there, listed := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && s.test && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				there[s.pkg+" "+fn.Name.Name] = true
			}
		}
	}
	for _, m := range fuzzTargets.FindAllStringSubmatch(page(t, "docs/testing.md"), -1) {
		for name := range strings.FieldsSeq(m[2]) {
			listed[m[1]+" "+name] = true
		}
	}
	for target := range there {
		if !listed[target] {
			t.Errorf("docs/testing.md does not list %s", target)
		}
	}
	for target := range listed {
		if !there[target] {
			t.Errorf("docs/testing.md: there is no %s", target)
		}
	}
}

var (
	saidRow = regexp.MustCompile("(?m)^\\| (`[^|]*)\\|")
	// placeholder is what differs from line to line of what is said.
	placeholder = regexp.MustCompile(`"[^"]*"|\.\.\.|\b[A-Z]+\b(?:/\w+)?|\b\w*\d\w*\b`)
)

// TestOperationsPage wants the code to say what docs/operations.md tells
// operators to look for: errors of a start and lines of the log.
func TestOperationsPage(t *testing.T) {
	var said []string
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					said = append(said, text)
				}
			}
			return true
		})
	}
	text, found := page(t, "docs/operations.md"), 0
	for _, heading := range []string{"\n## A node is refused\n", "\n## The log\n"} {
		_, section, ok := strings.Cut(text, heading)
		if !ok {
			t.Fatalf("docs/operations.md has no %q", heading)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, row := range saidRow.FindAllStringSubmatch(section, -1) {
			for _, m := range codeSpan.FindAllStringSubmatch(row[1], -1) {
				found++
				pieces := placeholder.Split(m[1], -1)
				if !slices.ContainsFunc(said, func(text string) bool {
					return !slices.ContainsFunc(pieces, func(piece string) bool { return !strings.Contains(text, piece) })
				}) {
					t.Errorf("docs/operations.md: nobody says %q", m[1])
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("docs/operations.md tells of %d lines only", found)
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
