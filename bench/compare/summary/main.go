// Summary prints the medians of runs of cqlload, by server and phase, with the
// ratio of the first server to the second.
//
//	go run ./summary FILE.jsonl...
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// line is what of a line of cqlload is used.
type line struct {
	Phase  string  `json:"phase"`
	PerSec float64 `json:"ops_per_s"`
	PerCPU float64 `json:"ops_per_server_cpu_s"`
	Rows   float64 `json:"rows_per_server_cpu_s"`
	Errors int64   `json:"errors"`
	LatUS  map[string]struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"latency_us"`
	Config struct {
		Note string `json:"note"`
	} `json:"config"`
}

type figures struct{ perSec, perCPU, rows, p50, p99 []float64 }

func main() {
	all := map[string]map[string]*figures{} // phase -> server -> figures
	var phases, servers []string
	for _, name := range os.Args[1:] {
		f, err := os.Open(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "summary:", err)
			os.Exit(1)
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var l line
			if json.Unmarshal(s.Bytes(), &l) != nil || l.Phase == "" {
				continue
			}
			server, _, _ := strings.Cut(l.Config.Note, " round")
			if l.Errors > 0 {
				fmt.Printf("%s %s: %d errors\n", server, l.Phase, l.Errors)
			}
			if !slices.Contains(phases, l.Phase) {
				phases = append(phases, l.Phase)
			}
			if !slices.Contains(servers, server) {
				servers = append(servers, server)
			}
			if all[l.Phase] == nil {
				all[l.Phase] = map[string]*figures{}
			}
			g := all[l.Phase][server]
			if g == nil {
				g = &figures{}
				all[l.Phase][server] = g
			}
			g.perSec, g.perCPU, g.rows = append(g.perSec, l.PerSec), append(g.perCPU, l.PerCPU), append(g.rows, l.Rows)
			g.p50, g.p99 = append(g.p50, l.LatUS["all"].P50), append(g.p99, l.LatUS["all"].P99)
		}
		f.Close()
	}
	print(all, phases, servers)
}

func print(all map[string]map[string]*figures, phases, servers []string) {
	fmt.Printf("%-8s %-22s %4s %10s %14s %14s %10s %10s\n", "phase", "server", "runs", "ops/s", "ops/CPU s", "rows/CPU s", "p50 us", "p99 us")
	for _, p := range phases {
		for _, s := range servers {
			if g := all[p][s]; g != nil {
				fmt.Printf("%-8s %-22s %4d %10.0f %14.0f %14.0f %10.0f %10.0f\n", p, s, len(g.perCPU),
					median(g.perSec), median(g.perCPU), median(g.rows), median(g.p50), median(g.p99))
			}
		}
		for i, a := range servers {
			for _, b := range servers[i+1:] {
				if x, y := all[p][a], all[p][b]; x != nil && y != nil && median(y.perCPU) > 0 {
					fmt.Printf("%-8s %s / %s: %.2f x per CPU second\n", p, a, b, median(x.perCPU)/median(y.perCPU))
				}
			}
		}
	}
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
