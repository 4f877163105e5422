package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/ring"
)

var rewrite = flag.Bool("rewrite", false, "write testdata")

// report is a run of two workers with 1000 good operations and 3 errors, on
// two nodes.
func report() *Report {
	c := Config{Workload: "mixed", Workers: 2, Rate: 500, Data: Data{Distribution: "zipf"}, Target: Target{Protocol: "cql"}}
	p := phase{tallies: make([]tally, 2), elapsed: 2 * time.Second}
	for i := range p.tallies {
		p.tallies[i].init()
	}
	for i := range 1000 {
		t := &p.tallies[i%2]
		t.succeed([]kind{readKind, writeKind}[i%4/2], time.Duration(i+1)*time.Microsecond)
		t.request([]string{"127.0.0.1:9042", "127.0.0.2:9042"}[i%3/2], nil)
	}
	p.tallies[0].fail(fmt.Errorf("%w: row 1 is missing", ErrWrong))
	p.tallies[1].fail(fmt.Errorf("%w: row 2 is missing", ErrWrong))
	p.tallies[1].fail(errors.New("EOF"))
	p.tallies[1].request("127.0.0.2:9042", errors.New("EOF"))
	p.tallies[0].stale = 4
	s := servers{pids: []int{1, 2}, nodes: 2}
	before := []usage{{cpu: 1, ok: true}, {cpu: 3, ok: true}}
	after := []usage{{cpu: 1.25, rss: 60 << 20, peak: 70 << 20, ok: true}, {cpu: 3.25, rss: 50 << 20, peak: 55 << 20, ok: true}}
	r := newReport(&c, p, s.between(before, after))
	r.setLevels(&plan{statements: []text{{cql: "INSERT"}, {cql: "SELECT", columns: 1}}}, levels{read: ring.One, write: ring.Quorum})
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestReportText(t *testing.T) {
	var b bytes.Buffer
	report().WriteText(&b)
	golden(t, "testdata/report.txt", b.Bytes())
}

func TestReportJSON(t *testing.T) {
	b, err := json.MarshalIndent(report(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.json", append(b, '\n'))
}

func TestTalliesMerge(t *testing.T) {
	r := report()
	if r.Operations != 1000 || r.Failed() != 3 || r.PerSecond != 500 {
		t.Errorf("%d operations, %d failed, %.0f a second", r.Operations, r.Failed(), r.PerSecond)
	}
	if r.FirstErrors["wrong answer"] != "wrong answer: row 1 is missing" {
		t.Errorf("first error %q is not the first worker's", r.FirstErrors["wrong answer"])
	}
	var warm tally
	warm.init()
	warm.fail(errors.New("EOF"))
	warm.succeed(readKind, time.Second)
	r.addErrors([]tally{warm})
	if r.Operations != 1000 || r.Errors["connection"] != 2 {
		t.Errorf("warm-up: %d operations, errors %v; its errors count, its requests do not", r.Operations, r.Errors)
	}
}

func TestServersThatAreNotAllSeen(t *testing.T) {
	s := servers{pids: []int{1, 2}, nodes: 3}
	seen, gone := usage{cpu: 2, rss: 1 << 20, ok: true}, usage{}
	if s.between([]usage{gone, seen}, []usage{seen, gone}) != nil {
		t.Error("servers that were not seen at both moments have usage")
	}
	used := s.between([]usage{seen, seen}, []usage{seen, gone})
	if used == nil || used.Processes != 1 || used.Nodes != 3 {
		t.Fatalf("%+v", used)
	}
	used.CPUSeconds = 2
	p := phase{tallies: make([]tally, 1), elapsed: time.Second}
	p.tallies[0].init()
	p.tallies[0].succeed(readKind, time.Millisecond)
	r := newReport(&Config{}, p, used)
	if r.Servers.PerCPUSecond != 0 {
		t.Error("operations of all nodes are divided by the CPU time of some")
	}
	var b strings.Builder
	r.Servers.writeText(&b)
	if want := "1 of 3 servers: 2.00 s of CPU, 1 MiB resident, 0 MiB at most\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	if r.Kinds != nil {
		t.Errorf("one kind of operation is told apart: %v", r.Kinds)
	}
}

func TestProgressLine(t *testing.T) {
	counted := progressLine{operations: 200}
	if got := counted.text(50, 20, time.Second); got != "\r50 operations, 20/s, 25 % of 200   " {
		t.Errorf("%q", got)
	}
	timed := progressLine{name: "warm-up", length: 10 * time.Second, operations: 1<<63 - 1}
	if got := timed.text(50, 20, 4*time.Second); got != "\rwarm-up: 50 operations, 20/s, 40 % of 10s   " {
		t.Errorf("%q", got)
	}
}
