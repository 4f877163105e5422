// Command summary prints the medians of runs of cqlload, by phase and server, and what
// Ilion does for each CPU second of the server against Cassandra. "gap" is the
// longest time without an answered request.
//
//	go run ./summary FILE.jsonl...
//
// "settled" counts the CPU, too, that the server took after the phase until it
// was idle: flushes and compactions of what the phase wrote. Compare that for
// phases that write, and "per CPU s" for the others.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// line is what of a line of the results is used: cqlload's of a phase, the CPU
// until idle behind it, or the floor's frames.
type line struct {
	Phase     string  `json:"phase"`
	Ops       float64 `json:"ops"`
	PerSec    float64 `json:"ops_per_s"`
	ServerCPU float64 `json:"server_cpu_s"`
	Rows      float64 `json:"rows"`
	Errors    int64   `json:"errors"`
	Unsent    int64   `json:"unsent"`
	GapMS     float64 `json:"longest_gap_ms"`
	LatUS     map[string]struct {
		P50  float64 `json:"p50"`
		P99  float64 `json:"p99"`
		P999 float64 `json:"p999"`
	} `json:"latency_us"`
	Config struct {
		Note string  `json:"note"`
		Rate float64 `json:"rate"`
	} `json:"config"`

	Note          string  `json:"note"`
	SettleAfter   string  `json:"settle_after"`
	CPUSeconds    float64 `json:"cpu_seconds"`
	FramesOf      string  `json:"frames_of"`
	FramesPerRead float64 `json:"frames_per_read"`

	settled float64 // CPU seconds behind the phase
}

// results holds the runs of each phase by server, in the order of their coming.
type results struct {
	runs            map[[2]string][]*line // phase, server
	phases, servers []string
	remarks         []string
}

func main() {
	r := &results{runs: map[[2]string][]*line{}}
	for _, name := range os.Args[1:] {
		f, err := os.Open(name)
		if err == nil {
			err = r.read(f)
			f.Close()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "summary: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
	r.print(os.Stdout)
}

// read adds the lines of one file.
func (r *results) read(in io.Reader) error {
	var last *line // phase, until the CPU behind it is known
	s := bufio.NewScanner(in)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		l := new(line)
		if err := json.Unmarshal(s.Bytes(), l); err != nil {
			return err
		}
		switch {
		case l.Phase != "":
			last = l
			r.add(l)
		case l.SettleAfter != "" && last != nil:
			last.settled += l.CPUSeconds
		case l.FramesOf != "":
			r.remarks = append(r.remarks, fmt.Sprintf("%s, %s: %.1f frames in a read(2)", server(l.Note), l.FramesOf, l.FramesPerRead))
		}
	}
	return s.Err()
}

func server(note string) string {
	name, _, _ := strings.Cut(note, " round")
	return name
}

func (r *results) add(l *line) {
	phase, server := l.Phase, server(l.Config.Note)
	if l.Config.Rate > 0 {
		phase = fmt.Sprintf("%s at %.0f/s", phase, l.Config.Rate)
	}
	if !slices.Contains(r.phases, phase) {
		r.phases = append(r.phases, phase)
	}
	if !slices.Contains(r.servers, server) {
		r.servers = append(r.servers, server)
	}
	r.runs[[2]string{phase, server}] = append(r.runs[[2]string{phase, server}], l)
	if l.Errors > 0 || l.Unsent > 0 {
		r.remarks = append(r.remarks, fmt.Sprintf("%s, %s: %d errors, %d requests were due but not sent", l.Config.Note, phase, l.Errors, l.Unsent))
	}
}

// Figures of one run. Rates are 0 where the server's CPU was not seen.
func perSec(l *line) float64  { return l.PerSec }
func perCPU(l *line) float64  { return ratio(l.Ops, l.ServerCPU) }
func settled(l *line) float64 { return ratio(l.Ops, l.ServerCPU+l.settled) }
func rows(l *line) float64    { return ratio(l.Rows, l.ServerCPU+l.settled) }
func p50(l *line) float64     { return l.LatUS["all"].P50 }
func p99(l *line) float64     { return l.LatUS["all"].P99 }
func p999(l *line) float64    { return l.LatUS["all"].P999 }
func gap(l *line) float64     { return l.GapMS }

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (r *results) print(out io.Writer) {
	fmt.Fprintf(out, "%-16s %-20s %4s %9s %12s %12s %12s %8s %8s %8s %8s\n", "phase", "server", "runs", "ops/s",
		"ops/CPU s", "settled", "rows settled", "p50 us", "p99 us", "p999 us", "gap ms")
	for _, p := range r.phases {
		for _, s := range r.servers {
			if g := r.runs[[2]string{p, s}]; len(g) > 0 {
				fmt.Fprintf(out, "%-16s %-20s %4d %9.0f %12.0f %12.0f %12.0f %8.0f %8.0f %8.0f %8.0f\n", p, s, len(g), median(g, perSec),
					median(g, perCPU), median(g, settled), median(g, rows), median(g, p50), median(g, p99), median(g, p999), median(g, gap))
			}
		}
	}
	fmt.Fprintln(out)
	for _, p := range r.phases {
		for _, a := range r.servers {
			for _, b := range r.servers {
				if x, y := r.runs[[2]string{p, a}], r.runs[[2]string{p, b}]; compared(a, b) && len(x) > 0 && len(y) > 0 {
					fmt.Fprintf(out, "%-16s %s / %s: %.2f per CPU second, %.2f settled, p99 %.2f, gap %.2f\n", p, a, b,
						ratio(median(x, perCPU), median(y, perCPU)), ratio(median(x, settled), median(y, settled)),
						ratio(median(x, p99), median(y, p99)), ratio(median(x, gap), median(y, gap)))
				}
			}
		}
	}
	for _, text := range r.remarks {
		fmt.Fprintln(out, text)
	}
}

// compared tells whether the ratio of two servers says something: Ilion and
// Cassandra, where Ilion does not promise less; and the floor and Ilion.
func compared(a, b string) bool {
	x, aMode, _ := strings.Cut(a, " ")
	y, bMode, _ := strings.Cut(b, " ")
	if x == "floor" {
		return y == "ilion"
	}
	return x == "ilion" && y == "cassandra" && (aMode == "batch" || bMode == "periodic")
}

// median of an even number is the mean of the two in the middle.
func median(runs []*line, figure func(*line) float64) float64 {
	var v []float64
	for _, l := range runs {
		v = append(v, figure(l))
	}
	slices.SortFunc(v, cmp.Compare[float64])
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
