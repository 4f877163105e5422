package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
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
			if lines > maxFuncLines {
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

// sleepers wait in real time, since what they measure is an idle process.
var sleepers = map[string]string{
	"internal/proctest/ringscale_test.go": "the benchmark of nodes that have nothing to do",
	"internal/proctest/start_test.go":     "memory half a minute after the start, at full size only",
}

// TestTestsRun wants no test that sleeps in real time or skips itself. Inside
// testing/synctest a sleep costs nothing, so files that use it may. To wait for
// time.After is a sleep, unless something else may come first.
func TestTestsRun(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test || s.pkg == "internal/lint" {
			continue
		}
		for _, problem := range checkTest(&s) {
			t.Error(problem)
		}
	}
}

func checkTest(s *source) (problems []string) {
	imports := s.imports()
	_, fake := imports["synctest"]
	fake = fake || sleepers[s.path] != ""
	realTime := func(e ast.Expr, name string) bool {
		sel, ok := e.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && imports[x.Name] == "time"
	}
	oneOfSeveral := map[ast.Stmt]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CommClause:
			oneOfSeveral[n.Comm] = true
		case *ast.ExprStmt:
			receive, ok := n.X.(*ast.UnaryExpr)
			if !ok || receive.Op != token.ARROW || oneOfSeveral[n] || fake {
				return true
			}
			if call, ok := receive.X.(*ast.CallExpr); ok && realTime(call.Fun, "After") {
				problems = append(problems, s.line(n)+": a sleep in a test")
			}
		case *ast.SelectorExpr:
			if realTime(n, "Sleep") && !fake {
				problems = append(problems, s.line(n)+": a sleep in a test")
			}
			if x, ok := n.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "b" || x.Name == "tb") && strings.HasPrefix(n.Sel.Name, "Skip") {
				problems = append(problems, s.line(n)+": a test that skips itself")
			}
		}
		return true
	})
	return problems
}

// The rule above must be able to fail.
func TestTestsRunNegative(t *testing.T) {
	for code, want := range map[string]int{
		`import "time"; func f() { time.Sleep(1) }`:                                        1,
		`import "time"; func f() { <-time.After(1) }`:                                      1,
		`import "time"; func f(c chan int) { select { case <-time.After(1): case <-c: } }`: 0,
		`func f(t *testing.T) { t.Skip("no"); t.SkipNow() }`:                               2,
		`import ("testing/synctest"; "time"); func f() { <-time.After(1) }`:                0,
	} {
		f, err := parser.ParseFile(fset, "x_test.go", "package x; "+code, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := checkTest(&source{path: "x_test.go", pkg: "x", test: true, file: f}); len(got) != want {
			t.Errorf("%s: %v", code, got)
		}
	}
}
