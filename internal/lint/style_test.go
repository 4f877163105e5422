package lint

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// TestPackageComments wants every package to say what it is, in a doc.go or,
// if it is the only file, in that.
func TestPackageComments(t *testing.T) {
	documented, files := map[string]string{}, map[string]int{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		files[s.pkg]++
		if _, ok := documented[s.pkg]; !ok {
			documented[s.pkg] = ""
		}
		if s.file.Doc != nil {
			documented[s.pkg] = s.path
			text := s.file.Doc.Text()
			if s.file.Name.Name != "main" && !strings.HasPrefix(text, "Package "+s.file.Name.Name+" ") {
				t.Errorf("%s: the package comment does not begin with \"Package %s\"", s.path, s.file.Name.Name)
			}
		}
	}
	for pkg, where := range documented {
		switch {
		case where == "":
			t.Errorf("package %s says nowhere what it is", pkg)
		case files[pkg] > 1 && !strings.HasSuffix("/"+where, "/doc.go") && !strings.HasSuffix(where, "/main.go"):
			t.Errorf("%s: the package comment belongs into doc.go", where)
		}
	}
}

const (
	maxFileLines = 800
	maxFuncLines = 70
)

// longFuncs are flat switches and tables that are easier to read in one piece.
var longFuncs = map[string]string{}

func TestLengths(t *testing.T) {
	for _, s := range sources(t) {
		f := fset.File(s.file.Pos())
		if f.LineCount() > maxFileLines {
			t.Errorf("%s has %d lines, over %d", s.path, f.LineCount(), maxFileLines)
		}
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			lines := f.Line(fn.End()) - f.Line(fn.Pos()) + 1
			if _, listed := longFuncs[s.pkg+"."+fn.Name.Name]; lines > maxFuncLines && !listed {
				t.Errorf("%s: %s has %d lines, over %d", s.line(fn), fn.Name.Name, lines, maxFuncLines)
			}
		}
	}
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func TestNothingUnfinished(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg == "internal/lint" {
			continue // its rules name what they look for
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if found := unfinished.FindString(c.Text); found != "" {
					t.Errorf("%s: %s", s.line(c), found)
				}
			}
		}
	}
}

// TestTestsRun wants no test that sleeps in real time or skips itself. Inside
// testing/synctest a sleep costs nothing, so files that use it may.
func TestTestsRun(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test || s.pkg == "internal/lint" {
			continue
		}
		imports := s.imports()
		_, fake := imports["synctest"]
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			if imports[x.Name] == "time" && sel.Sel.Name == "Sleep" && !fake {
				t.Errorf("%s: time.Sleep in a test", s.line(n))
			}
			if (x.Name == "t" || x.Name == "b" || x.Name == "tb") && strings.HasPrefix(sel.Sel.Name, "Skip") {
				t.Errorf("%s: a test that skips itself", s.line(n))
			}
			return true
		})
	}
}
