package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

var (
	record          = flag.String("record", "", "`host:port` of a Cassandra whose answers become the goldens")
	only            = flag.String("script", "", "`name` of the one script to record")
	writeExceptions = flag.Bool("write-exceptions", false, "write all differences to testdata/exceptions.txt")
)

// fresh gives every script the same start.
var fresh = []string{
	"DROP KEYSPACE IF EXISTS conf",
	"CREATE KEYSPACE conf WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
	"USE conf",
}

// execute runs a script on a new connection.
func execute(t *testing.T, address string, script []*statement) []string {
	t.Helper()
	c := dial(t, address)
	for _, text := range fresh {
		if answer := c.run(&statement{text: text}); strings.HasPrefix(answer, "error") {
			t.Fatalf("%s: %s", text, answer)
		}
	}
	got := make([]string, len(script))
	for i, s := range script {
		got[i] = c.run(s)
	}
	return got
}

func golden(name string) string { return "testdata/" + name + ".golden" }

func TestConformance(t *testing.T) {
	if *record != "" {
		recordGoldens(t)
		return
	}
	address := serve(t)
	exceptions := readExceptions(t)
	met := map[string]bool{}
	count, expected := 0, 0
	for _, name := range scripts(t) {
		text, err := os.ReadFile(golden(name))
		if err != nil {
			t.Fatal(err)
		}
		want := parseAnswers(name, string(text))
		script := readScript(t, name)
		count += len(script)
		for i, got := range execute(t, address, script) {
			s := script[i]
			cassandra, ok := want[s.key()]
			if !ok {
				t.Fatalf("%s has no answer to\n%s", golden(name), s.heading())
			}
			if same(got, cassandra) {
				continue
			}
			e := exceptions[s.key()]
			met[s.key()] = true
			switch {
			case *writeExceptions:
				if e == nil {
					e = &exception{}
					exceptions[s.key()] = e
				}
				e.answer = got
			case e == nil:
				t.Errorf("%s: %s--- Cassandra\n%s--- Ilion\n%s", name, s.heading(), cassandra, got)
			case e.answer != got:
				t.Errorf("%s: %s--- Cassandra\n%s--- Ilion, as excepted\n%s--- Ilion\n%s", name, s.heading(), cassandra, e.answer, got)
			default:
				expected++
			}
		}
	}
	for key := range exceptions {
		if met[key] {
			continue
		}
		if *writeExceptions {
			delete(exceptions, key)
			continue
		}
		t.Errorf("not a difference any more: %s", key)
	}
	if *writeExceptions {
		saveExceptions(t, exceptions)
	}
	t.Logf("%d statements, %d excepted", count, expected)
}

// same tells whether answers are: the texts of syntax errors, which are those
// of the parser's generator, may differ.
func same(a, b string) bool {
	const syntax = "error 0x2000 "
	return a == b || strings.HasPrefix(a, syntax) && strings.HasPrefix(b, syntax)
}

// serve starts Ilion and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	c := config.Default()
	c.DataDir, c.NativePort, c.HTTPPort, c.InternodePort = "/data", 0, 0, 0
	c.Memory, c.CommitlogSegment = config.MinMemory, 1<<20
	c.RequestTimeout, c.ReadTimeout, c.RangeTimeout, c.WriteTimeout = patience, patience, patience, patience
	fs := vfs.NewMem()
	n, err := node.New(t.Context(), node.Options{Config: c, Version: "test", Clock: clock.Real, FS: fs, Rand: rand.NewSecure()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n.CQLAddr().String()
}

// recordGoldens asks a Cassandra.
func recordGoldens(t *testing.T) {
	for _, name := range scripts(t) {
		if *only != "" && name != *only {
			continue
		}
		script := readScript(t, name)
		var b strings.Builder
		for i, answer := range execute(t, *record, script) {
			b.WriteString(script[i].heading() + answer + "\n")
		}
		if err := os.WriteFile(golden(name), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// exception is Ilion's answer where it differs.
type exception struct{ reason, answer string }

const (
	exceptionsFile = "testdata/exceptions.txt"
	differences    = "../../docs/differences.md"
)

// readExceptions reads blocks "== script [repeat]", "reason: ...", statement,
// answer.
func readExceptions(t *testing.T) map[string]*exception {
	t.Helper()
	text, err := os.ReadFile(exceptionsFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(differences)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*exception{}
	for block := range strings.SplitSeq("\n"+string(text), "\n== ") {
		head, rest, _ := strings.Cut(strings.TrimSpace(block), "\n")
		if head == "" {
			continue
		}
		line, rest, _ := strings.Cut(rest, "\n")
		reason, ok := strings.CutPrefix(line, "reason: ")
		if !ok || !strings.Contains(string(doc), "\n## "+reason+"\n") {
			if !*writeExceptions {
				t.Errorf("%s: %q is no reason of %s", head, line, differences)
			}
		}
		for key, answer := range parseAnswers(head, rest) {
			all[key] = &exception{reason: reason, answer: answer}
		}
	}
	return all
}

func saveExceptions(t *testing.T, all map[string]*exception) {
	t.Helper()
	var b strings.Builder
	keys := make([]string, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		head, question, _ := strings.Cut(key, "\n")
		fmt.Fprintf(&b, "== %s\nreason: %s\n%s%s\n", head, all[key].reason, question, all[key].answer)
	}
	if err := os.WriteFile(exceptionsFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
