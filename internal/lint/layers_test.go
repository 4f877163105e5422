package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers is the one direction of imports: a package imports only rows before
// its own, besides the standard library and other modules. A new package is a
// new entry, in the lowest row that holds.
var layers = [][]string{
	{"internal/invariant", "internal/foreign", "internal/level", "internal/golden", "internal/godriver"},
	{"internal/encoding", "internal/clock", "internal/vfs", "internal/transport", "internal/rand", "internal/mem", "internal/metrics", "internal/fail", "internal/workers", "internal/netbuf"},
	{"ring", "schema", "bloom", "internal/config", "internal/yield", "internal/journal", "internal/sim", "internal/sim/history"},
	{"mutation", "cql", "cql/native", "sstable/cache", "cluster/hlc", "cluster/peers"},
	{"commitlog", "sstable", "engine/memtable", "mutation/mutationtest", "wire", "cluster/hints", "cluster/batchlog"},
	{"compaction", "cluster/metadata", "cql/plan", "engine/manifest", "wire/rpc", "cluster/gossip"},
	{"engine", "cluster", "cql/exec", "cql/value"},
	{"wire/client", "cluster/single", "cluster/clustertest", "cluster/coordinator", "cluster/replicaread"},
	{"internal/session", "internal/admin", "internal/virtual"},
	{"internal/query", "internal/wireserver"},
	{"internal/node", "internal/shell", "internal/demo", "bench"},
	{"cmd/ilion", "."},
	{"internal/lint", "internal/clienttest", "internal/proctest", "internal/conformance",
		"docs/examples/sensors", "docs/examples/profiles", "docs/examples/chat"},
}

// forbidden are imports that the rows would allow: of the package in front by
// anything but what is listed (and by tests).
var onlyBy = map[string][]string{
	// The composition root alone knows the engine and the ring both.
	"engine": {"internal/node", "engine", "."},
	// Sessions see a Cluster, never what fills it.
	"cluster/single":      {"internal/node", "."},
	"cluster/coordinator": {"internal/node"},
	"internal/session":    {"internal/query", "internal/wireserver", "internal/node"},
	"internal/node":       {"cmd/ilion", "."},
}

// maxFanOut is how many packages of ours one may import. Those that may have
// more are listed with their bounds: the composition root, and where a request
// meets all that serves it.
const maxFanOut = 10

var fanOut = map[string]int{
	"internal/node":       36,
	"engine":              18,
	"internal/query":      18,
	"cluster/coordinator": 15,
	"cluster/replicaread": 13,
}

// maxDepth is the longest chain of imports.
const maxDepth = 9

type listed struct {
	ImportPath string
	Imports    []string
}

func rowOf(pkg string) int {
	return slices.IndexFunc(layers, func(row []string) bool { return slices.Contains(row, pkg) })
}

// own returns a package's directory and whether it is of this module.
func own(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestLayers(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	count, imports := 0, map[string][]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; count++ {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkg, ok := own(p.ImportPath)
		if !ok {
			continue
		}
		for _, problem := range append(checkLayer(pkg, p.Imports), checkFanOut(pkg, p.Imports)...) {
			t.Error(problem)
		}
		imports[pkg] = p.Imports
	}
	depths := map[string]int{}
	for pkg := range imports {
		if d := depthOf(pkg, imports, depths); d > maxDepth {
			t.Errorf("%s stands on a chain of %d imports, over %d", pkg, d, maxDepth)
		}
	}
	if count < 10 {
		t.Fatalf("go list names %d packages only", count)
	}
}

func checkFanOut(pkg string, imports []string) (problems []string) {
	n := 0
	for _, i := range imports {
		if _, ok := own(i); ok {
			n++
		}
	}
	if most := max(maxFanOut, fanOut[pkg]); n > most {
		problems = append(problems, fmt.Sprintf("%s imports %d packages of ours, over %d", pkg, n, most))
	}
	return problems
}

// depthOf is the length of the longest chain of imports below a package; known
// has those that were asked for before.
func depthOf(pkg string, imports map[string][]string, known map[string]int) int {
	depth, ok := known[pkg]
	if ok {
		return depth
	}
	for _, i := range imports[pkg] {
		if dep, ok := own(i); ok {
			depth = max(depth, 1+depthOf(dep, imports, known))
		}
	}
	known[pkg] = depth
	return depth
}

func checkLayer(pkg string, imports []string) (problems []string) {
	row := rowOf(pkg)
	if row < 0 {
		return []string{pkg + " is in no row of layers"}
	}
	for _, i := range imports {
		dep, ok := own(i)
		if !ok {
			continue
		}
		if depRow := rowOf(dep); depRow >= row {
			problems = append(problems, pkg+" imports "+dep+", which is not in a row below")
		}
		if by, limited := onlyBy[dep]; limited && !slices.ContainsFunc(by, func(b string) bool { return pkg == b || strings.HasPrefix(pkg, b+"/") && b != "." }) {
			problems = append(problems, pkg+" imports "+dep+", which only "+strings.Join(by, ", ")+" may")
		}
	}
	return problems
}

// The test above must be able to fail.
func TestLayersNegative(t *testing.T) {
	for _, bad := range []struct {
		pkg     string
		imports []string
	}{
		{"unknown", nil},
		{"schema", []string{module + "/engine"}},
		{"ring", []string{module + "/schema"}},
		{"internal/session", []string{module + "/engine"}},
		{"internal/shell", []string{module + "/internal/session"}},
	} {
		if len(checkLayer(bad.pkg, bad.imports)) == 0 {
			t.Errorf("%s may import %v", bad.pkg, bad.imports)
		}
	}
	many := make([]string, maxFanOut+1)
	for i := range many {
		many[i] = fmt.Sprintf("%s/p%d", module, i)
	}
	if len(checkFanOut("schema", many)) == 0 || len(checkFanOut("schema", append([]string{"fmt"}, many[1:]...))) > 0 {
		t.Errorf("fan-out is not counted up to %d", maxFanOut)
	}
	if d := depthOf("a", map[string][]string{"a": {"fmt", module + "/b", module + "/c"}, "b": {module + "/c"}}, map[string]int{}); d != 2 {
		t.Errorf("a chain of 2 imports has a depth of %d", d)
	}
	if p := checkLayer("internal/node", []string{"fmt", module + "/engine", module + "/schema"}); len(p) > 0 {
		t.Error(p)
	}
}
