package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// maxComplexity is the most that a function may ask of who reads it.
const maxComplexity = 30

// counter counts the cognitive complexity of a function as its authors define
// it (G. Ann Campbell, "Cognitive Complexity", 2018): one for each break of the
// straight flow, and one more for each level that it is nested in.
type counter struct {
	name    string // of the function, whose calls of itself count
	sum     int
	counted map[*ast.BinaryExpr]bool // as parts of a sequence of && or ||
}

func complexityOf(fn *ast.FuncDecl) int {
	c := counter{name: fn.Name.Name, counted: map[*ast.BinaryExpr]bool{}}
	c.walk(fn.Body, 0)
	return c.sum
}

// walk counts what is below n, which stands in so many levels.
func (c *counter) walk(n ast.Node, depth int) {
	if n == nil {
		return
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			c.sum += 1 + depth
			c.branches(n, depth)
			return false
		case *ast.ForStmt:
			c.nested(n.Body, depth, n.Init, n.Cond, n.Post)
			return false
		case *ast.RangeStmt:
			c.nested(n.Body, depth, n.X)
			return false
		case *ast.SwitchStmt:
			c.nested(n.Body, depth, n.Init, n.Tag)
			return false
		case *ast.TypeSwitchStmt:
			c.nested(n.Body, depth, n.Init, n.Assign)
			return false
		case *ast.SelectStmt:
			c.nested(n.Body, depth)
			return false
		case *ast.FuncLit:
			c.walk(n.Body, depth+1)
			return false
		case *ast.BranchStmt:
			if n.Label != nil {
				c.sum++
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == c.name {
				c.sum++
			}
		case *ast.BinaryExpr:
			c.logical(n)
		}
		return true
	})
}

// nested counts a loop or a choice, what it begins with and its body.
func (c *counter) nested(body *ast.BlockStmt, depth int, head ...ast.Node) {
	c.sum += 1 + depth
	for _, h := range head {
		c.walk(h, depth)
	}
	c.walk(body, depth+1)
}

// branches counts what an if leads to; it counts itself where it stands.
func (c *counter) branches(n *ast.IfStmt, depth int) {
	c.walk(n.Init, depth)
	c.walk(n.Cond, depth)
	c.walk(n.Body, depth+1)
	switch e := n.Else.(type) {
	case *ast.IfStmt:
		c.sum++
		c.branches(e, depth)
	case *ast.BlockStmt:
		c.sum++
		c.walk(e, depth+1)
	}
}

// logical counts one for each run of the same operator in a sequence.
func (c *counter) logical(n *ast.BinaryExpr) {
	var last token.Token
	var count func(e ast.Expr)
	count = func(e ast.Expr) {
		b, ok := e.(*ast.BinaryExpr)
		if !ok || b.Op != token.LAND && b.Op != token.LOR || c.counted[b] {
			return
		}
		c.counted[b] = true
		count(b.X)
		if b.Op != last {
			c.sum++
			last = b.Op
		}
		count(b.Y)
	}
	count(n)
}

func TestComplexity(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				if n := complexityOf(fn); n > maxComplexity {
					t.Errorf("%s: %s has a complexity of %d, over %d", s.line(fn), fn.Name.Name, n, maxComplexity)
				}
			}
		}
	}
}

// The count above is that of the definition's own examples.
func TestComplexityOfExamples(t *testing.T) {
	for code, want := range map[string]int{
		`func f() { g(); g() }`:                                       0,
		`func f() { if a && b && c || d && !(e && h) { g() } }`:       5,
		`func f(n int) { switch n { case 1: g(); case 2, 3: g() } }`:  1,
		`func f() { if a { g() } else if b { g() } else { g() } }`:    3,
		`func f() { h(func() { if a { g() } }) }`:                     2,
		`func f(n int) int { if n > 1 { return n*f(n-1) }; return 1}`: 2,
		`func f() { select { case <-a: for range b { g() } } }`:       3,
		`func f(m int) (sum int) {
	out:
			for i := 1; i <= m; i++ {
				for j := 2; j < i; j++ {
					if i%j == 0 {
						continue out
					}
				}
				sum += i
			}
			return sum
		}`: 7,
	} {
		f, err := parser.ParseFile(fset, "x.go", "package x; "+code, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := complexityOf(f.Decls[0].(*ast.FuncDecl)); n != want {
			t.Errorf("%d instead of %d: %s", n, want, code)
		}
	}
}
