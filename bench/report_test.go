package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write testdata")

// report is a run of two workers with 1000 good requests and 3 errors.
func report() *Report {
	c := Config{Workload: "mixed", Workers: 2, Rate: 500, Distribution: "zipf"}
	p := phase{tallies: make([]tally, 2), elapsed: 2 * time.Second}
	for i := range p.tallies {
		p.tallies[i].init()
	}
	for i := range 1000 {
		p.tallies[i%2].succeed(time.Duration(i+1) * time.Microsecond)
	}
	p.tallies[0].fail(fmt.Errorf("%w: row 1 is missing", ErrWrong))
	p.tallies[1].fail(fmt.Errorf("%w: row 2 is missing", ErrWrong))
	p.tallies[1].fail(errors.New("EOF"))
	before := usage{cpu: 1, ok: true}
	after := usage{cpu: 1.5, rss: 60 << 20, peak: 70 << 20, ok: true}
	return newReport(&c, p, usageBetween(before, after))
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
	warm.succeed(time.Second)
	r.addErrors([]tally{warm})
	if r.Operations != 1000 || r.Errors["connection"] != 2 {
		t.Errorf("warm-up: %d operations, errors %v; its errors count, its requests do not", r.Operations, r.Errors)
	}
	if usageBetween(usage{}, usage{ok: true}) != nil {
		t.Error("a server that could not be seen has usage")
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
