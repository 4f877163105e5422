package lint

import (
	"go/ast"
	"go/parser"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// seam is a set of names that only some packages use outside tests.
type seam struct {
	what string
	// path is the import, use the names in it that are meant.
	path, use *regexp.Regexp
	homes     []string
}

var clients = []string{"bench", "internal/shell", "internal/demo", "cmd", "docs/examples", "internal/foreign", "internal/godriver", "internal/golden"}

var seams = []seam{
	{
		what:  "the clock",
		path:  regexp.MustCompile(`^time$`),
		use:   regexp.MustCompile(`^(Now|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker|Since|Until)$`),
		homes: append([]string{"internal/clock", "internal/fail"}, clients...),
	},
	{
		what: "files",
		path: regexp.MustCompile(`^os$`),
		use: regexp.MustCompile(`^(Open|OpenFile|OpenRoot|OpenInRoot|Create|CreateTemp|ReadFile|WriteFile|ReadDir|DirFS|CopyFS|` +
			`Remove|RemoveAll|Rename|Mkdir|MkdirAll|MkdirTemp|Stat|Lstat|Link|Symlink|Readlink|Chmod|Chown|Chtimes|Truncate|File)$`),
		homes: append([]string{"internal/vfs"}, clients...),
	},
	{
		what:  "files",
		path:  regexp.MustCompile(`^(path/filepath|io/ioutil)$`),
		use:   regexp.MustCompile(`^(Walk|WalkDir|Glob|EvalSymlinks|ReadFile|WriteFile|ReadDir|TempDir|TempFile)$`),
		homes: append([]string{"internal/vfs"}, clients...),
	},
	{
		what:  "system calls",
		path:  regexp.MustCompile(`^(syscall|golang\.org/x/sys/unix)$`),
		use:   regexp.MustCompile(`.`),
		homes: append([]string{"internal/vfs", "internal/mem", "internal/transport", "internal/netbuf", "internal/yield", "internal/sim"}, clients...), // sockets that are read raw, and those that have their errors
	},
	{
		what:  "sockets",
		path:  regexp.MustCompile(`^(net|crypto/tls|net/http)$`),
		use:   regexp.MustCompile(`^(Listen.*|Dial.*|FileListener|FileConn|NewListener|Serve|ServeTLS|Get|Post|PostForm|Head|DefaultClient|Lookup.*|Resolve.*)$`),
		homes: append([]string{"internal/transport", "internal/sim", "internal/session", "wire/rpc", "internal/admin", "internal/node"}, clients...),
	},
	{
		// A generator that is seeded by hand is no global.
		what:  "randomness",
		path:  regexp.MustCompile(`^(math/rand|math/rand/v2|crypto/rand)$`),
		use:   regexp.MustCompile(`^([A-MO-Z].*|N|Norm.*)$`),
		homes: []string{"internal/rand"},
	},
}

// typesOf are names of a seam's packages that are types only.
var typesOf = regexp.MustCompile(`^(Rand|Source|Zipf|PCG|ChaCha8|Signal|Errno|SIG.*|Addr|Conn)$`)

// check returns the uses of the seam in a file.
func (m *seam) check(s *source) (problems []string) {
	if s.test || within(s.pkg, m.homes) {
		return nil
	}
	imports := s.imports()
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || x.Obj != nil { // a variable hides the import
			return true
		}
		p := imports[x.Name]
		if p == "" || !m.path.MatchString(p) || !m.use.MatchString(sel.Sel.Name) || typesOf.MatchString(sel.Sel.Name) {
			return true
		}
		problems = append(problems, s.line(n)+": "+x.Name+"."+sel.Sel.Name+": "+m.what+" belongs to "+strings.Join(m.homes, ", "))
		return true
	})
	return problems
}

func TestSeams(t *testing.T) {
	for _, s := range sources(t) {
		for i := range seams {
			for _, problem := range seams[i].check(&s) {
				t.Error(problem)
			}
		}
	}
}

// pure packages compute: no goroutine, no channel to wait on, no file, socket,
// clock or seam of ours.
var pure = []string{"ring", "schema", "mutation", "bloom", "cql/native"}

var impure = regexp.MustCompile(`^(os|net|net/http|os/exec|syscall|` + module + `/internal/(clock|vfs|rand|fail|mem|metrics))$`)

func checkPure(s *source) (problems []string) {
	// cql is pure, what plans and runs its statements is not all of it.
	if s.test || !within(s.pkg, pure) && s.pkg != "cql" {
		return nil
	}
	for _, p := range s.imports() {
		if impure.MatchString(p) {
			problems = append(problems, s.path+": a pure package imports "+p)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.GoStmt:
			problems = append(problems, s.line(n)+": a pure package starts a goroutine")
		case *ast.SelectStmt:
			problems = append(problems, s.line(n)+": a pure package waits")
		}
		return true
	})
	slices.Sort(problems)
	return problems
}

func TestPurePackages(t *testing.T) {
	for _, s := range sources(t) {
		for _, problem := range checkPure(&s) {
			t.Error(problem)
		}
	}
}

// panicHomes may call panic: the assertions themselves, a machine without
// randomness, and the passing on of a panic that was not a fault of a mapping.
var panicHomes = []string{"internal/invariant", "internal/rand", "internal/fail", "internal/vfs/mapped.go"}

func checkPanics(s *source) (problems []string) {
	if s.test || slices.Contains(panicHomes, s.pkg) || slices.Contains(panicHomes, s.path) || strings.HasSuffix(s.pkg, "test") {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "panic" && f.Obj == nil {
				problems = append(problems, s.line(n)+": panic goes through internal/invariant")
			}
		}
		return true
	})
	return problems
}

func TestPanics(t *testing.T) {
	for _, s := range sources(t) {
		for _, problem := range checkPanics(&s) {
			t.Error(problem)
		}
	}
}

// The rules above must be able to fail.
func TestSeamsNegative(t *testing.T) {
	for _, bad := range []string{
		`import "time"; func f() { time.Sleep(1) }`,
		`import tm "time"; var x = tm.Now`,
		`import "os"; func f(g *os.File) {}`,
		`import "os"; func f() { os.Remove("x") }`,
		`import "golang.org/x/sys/unix"; var x = unix.Getpid()`,
		`import "net"; func f() { net.Listen("tcp", "") }`,
		`import "net"; var d net.Dialer`,
		`import "math/rand/v2"; var x = rand.IntN(3)`,
		`import "math/rand"; var x = rand.Int63()`,
		`import "math/rand/v2"; var x = rand.N(3)`,
		`func f() { go f() }`,
		`import "os"; var x = os.Args`,
		`func f() { panic("x") }`,
	} {
		if len(problemsOf(t, bad)) == 0 {
			t.Errorf("allowed: %s", bad)
		}
	}
	for _, good := range []string{
		`import "time"; const x = time.Second`,
		`import "time"; func f(d time.Duration) time.Time { return time.Unix(0, int64(d)) }`,
		`import "math/rand/v2"; func f(r *rand.Rand) int { return rand.New(rand.NewPCG(1, 2)).IntN(3) + r.IntN(3) }`,
		`import "net"; func f(c net.Conn) {}`,
		`func f(time struct{ Now int }) int { return time.Now }`,
	} {
		if p := problemsOf(t, good); len(p) > 0 {
			t.Errorf("refused: %s: %v", good, p)
		}
	}
}

func problemsOf(t *testing.T, code string) (problems []string) {
	t.Helper()
	f, err := parser.ParseFile(fset, "x.go", "package ring; "+code, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{path: "ring/x.go", pkg: "ring", file: f}
	for i := range seams {
		problems = append(problems, seams[i].check(s)...)
	}
	// net.Conn as a type is no socket, but net is no import for a pure package.
	pureProblems := slices.DeleteFunc(checkPure(s), func(p string) bool { return strings.HasSuffix(p, "imports net") })
	return append(append(problems, pureProblems...), checkPanics(s)...)
}
