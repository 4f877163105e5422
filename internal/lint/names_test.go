package lint

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// outside are names in comments and documents that are not of this code.
var outside = map[string]string{
	"AlreadyExistsException":  "of Cassandra",
	"InvalidRequestException": "of Cassandra",
	"ErrServerClosed":         "of net/http",
	"NoArgs":                  "of cobra",
	"protocolOptions":         "of the Node.js driver",
	"MessagePack":             "a format",
	"MurmurHash":              "an algorithm",
	"SplitMix64":              "an algorithm",
	"DropRange":               "designed in decision 1, not built",
	"HashRange":               "designed in decision 1, not built",
	"StreamOut":               "designed in decision 1, not built",
}

var (
	wordPattern = regexp.MustCompile(`\w+`)
	// camelWord is what is a name for sure: a capital inside of small letters.
	camelWord = regexp.MustCompile(`\b(?:[a-z]{2,}|[A-Z][a-z0-9]+)[A-Z][a-z]\w*\b`)
	// packageName is a name in a package, and maybe one in that.
	packageName = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.([A-Z]\w*(?:\.[A-Za-z]\w*)*)`)
	codeSpan    = regexp.MustCompile("`([^`\n]+)`")
	dottedName  = regexp.MustCompile(`^\w+(?:\.[A-Za-z]\w*)+$`)
	anyTest     = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*\b`)
	fileSuffix  = regexp.MustCompile(`\.(?:go|mod|md|sst|log|seg|meta)$`)
)

// namesOf is what the code names.
type namesOf struct {
	packages map[string]map[string]bool // identifiers by package
	types    map[string]bool
	tests    map[string]bool // functions of test files
	words    map[string]bool // identifiers of all packages, and the words of their texts
}

func names(t *testing.T) *namesOf {
	n := &namesOf{map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && s.test {
				n.tests[fn.Name.Name] = true
			}
		}
		if s.pkg == "internal/lint" {
			continue // it has the exceptions
		}
		own := n.packages[s.pkg]
		if own == nil {
			own = map[string]bool{}
			n.packages[s.pkg] = own
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Ident:
				own[node.Name], n.words[node.Name] = true, true
			case *ast.TypeSpec:
				n.types[node.Name.Name] = true
			case *ast.BasicLit:
				for _, w := range wordPattern.FindAllString(node.Value, -1) {
					n.words[w] = true
				}
			}
			return true
		})
	}
	return n
}

// missing are the words of a text that are names of nothing.
func (n *namesOf) missing(text string) (bad []string) {
	for _, w := range camelWord.FindAllString(text, -1) {
		if !n.words[w] && !n.words[strings.TrimSuffix(w, "s")] && !n.tests[w] && outside[w] == "" {
			bad = append(bad, w)
		}
	}
	return bad
}

// baseOf is how others call a package.
func baseOf(pkg string) string {
	if pkg == "." {
		return path.Base(module)
	}
	return path.Base(pkg)
}

// in tells whether one package, of those that end in base if it is given, has
// all parts of a name.
func (n *namesOf) in(base string, parts []string) bool {
	for pkg, own := range n.packages {
		if base != "" && baseOf(pkg) != base {
			continue
		}
		if !slices.ContainsFunc(parts, func(p string) bool { return !own[p] }) {
			return true
		}
	}
	return false
}

func (n *namesOf) isPackage(base string) bool {
	for pkg := range n.packages {
		if baseOf(pkg) == base {
			return true
		}
	}
	return false
}

// shared are names of packages that the standard library has, too.
var shared = []string{"exec", "metrics", "rand", "ring"}

// missingIn are names with their package, in a comment of a file with these
// imports, that are not there.
func (n *namesOf) missingIn(imports map[string]string, text string) (bad []string) {
	for _, m := range packageName.FindAllStringSubmatch(text, -1) {
		parts := strings.Split(m[2], ".")
		if p := imports[m[1]]; p != "" {
			if pkg, ours := own(p); ours && slices.ContainsFunc(parts, func(p string) bool { return !n.packages[pkg][p] }) {
				bad = append(bad, m[0])
			}
			continue
		}
		if n.isPackage(m[1]) && !slices.Contains(shared, m[1]) && !n.in(m[1], parts) {
			bad = append(bad, m[0])
		}
	}
	return bad
}

// TestNamesInComments wants what comments name to exist.
func TestNamesInComments(t *testing.T) {
	known := names(t)
	for _, s := range sources(t) {
		if s.pkg == "internal/lint" {
			continue
		}
		imports := s.imports()
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				for line := range strings.Lines(c.Text) {
					if strings.HasPrefix(line, "//\t") || strings.HasPrefix(line, "//go:") {
						continue // code of an example, a command
					}
					for _, bad := range append(known.missing(line), known.missingIn(imports, line)...) {
						t.Errorf("%s: a comment names %s, which is nowhere", s.line(c), bad)
					}
				}
			}
		}
	}
}

// TestNamesInDocuments wants what documents name to exist: tests, and what
// stands in the form of code. A review tells of the day of its date.
func TestNamesInDocuments(t *testing.T) {
	known := names(t)
	for _, name := range documents(t, "*.md", "docs/*.md", "docs/decisions/*.md") {
		if name == "docs/review.md" {
			continue
		}
		for _, bad := range known.missingInDocument(page(t, name)) {
			t.Errorf("%s names %s, which is nowhere", name, bad)
		}
	}
}

func (n *namesOf) missingInDocument(text string) (bad []string) {
	for _, name := range anyTest.FindAllString(text, -1) {
		if !n.tests[name] {
			bad = append(bad, name)
		}
	}
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		bad = append(bad, n.missing(m[1])...)
		if !dottedName.MatchString(m[1]) || fileSuffix.MatchString(m[1]) {
			continue
		}
		parts := strings.Split(m[1], ".")
		first := parts[0]
		isPackage, isType := n.isPackage(first), n.types[first] || first[0] >= 'A' && first[0] <= 'Z'
		if !(isPackage && n.in(first, parts[1:]) || isType && n.in("", parts)) && (isPackage || isType) {
			bad = append(bad, m[1])
		}
	}
	return bad
}

// The rules above must be able to fail.
func TestNamesNegative(t *testing.T) {
	known := names(t)
	for _, bad := range []string{"`noSuchName`", "`engine.NoSuch`", "`engine.Engine.noSuch`", "`NoSuch.turn`", "`query.maxBlockRaw`", "TestNoSuch holds it"} {
		if len(known.missingInDocument(bad)) == 0 {
			t.Errorf("a document may name %s", bad)
		}
	}
	for _, good := range []string{"`engine.Engine.Apply`", "`Engine.Apply`", "`commitlog.MaxRecord`", "`system.peers`", "`N.sst`", "`table.flush`"} {
		if p := known.missingInDocument(good); len(p) > 0 {
			t.Errorf("a document may not name %s", good)
		}
	}
	imports := map[string]string{"commitlog": module + "/commitlog", "time": "time"}
	for text, want := range map[string]int{
		"see commitlog.MaxRecord and time.NoSuch": 0, "see commitlog.NoSuch": 1, "see sstable.Writer": 0, "see sstable.NoSuch": 1,
		"as exec.Command does": 0, "the end of the ring.The next": 0,
	} {
		if got := known.missingIn(imports, text); len(got) != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got := known.missing("noSuchWord of Records, ReadCommands and tI"); len(got) != 1 {
		t.Error(got)
	}
}
