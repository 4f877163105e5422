package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the result of a run. Latencies are in microseconds and cover
// requests that were answered without error.
type Report struct {
	Workload     string             `json:"workload"`
	Workers      int                `json:"workers"`
	Rate         float64            `json:"rate,omitempty"`
	Distribution string             `json:"distribution"`
	Seconds      float64            `json:"seconds"`
	Operations   int64              `json:"operations"`
	PerSecond    float64            `json:"operations_per_second"`
	LatencyUS    map[string]float64 `json:"latency_us"`
	Errors       map[string]int64   `json:"errors,omitempty"`
	FirstErrors  map[string]string  `json:"first_errors,omitempty"`
	Server       *Server            `json:"server,omitempty"`
}

// Server is what the server's process used meanwhile, where it can be seen.
type Server struct {
	CPUSeconds   float64 `json:"cpu_seconds"`
	PerCPUSecond float64 `json:"operations_per_cpu_second"`
	RSS          int64   `json:"rss_bytes"`
	PeakRSS      int64   `json:"peak_rss_bytes"`
}

var quantiles = []struct {
	name string
	q    float64
}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}}

// newReport sums up a phase; used is nil if the server could not be seen.
func newReport(c *Config, p phase, used *Server) *Report {
	r := &Report{
		Workload: c.Workload, Workers: c.Workers, Rate: c.Rate, Distribution: c.Distribution,
		Seconds: p.elapsed.Seconds(), LatencyUS: map[string]float64{},
		Errors: map[string]int64{}, FirstErrors: map[string]string{}, Server: used,
	}
	all := hdrhistogram.New(1, maxLatency, 3)
	for i := range p.tallies {
		all.Merge(p.tallies[i].hist)
	}
	r.addErrors(p.tallies)
	r.Operations = all.TotalCount()
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Operations) / r.Seconds
	}
	for _, q := range quantiles {
		r.LatencyUS[q.name] = float64(all.ValueAtQuantile(q.q)) / 1e3
	}
	r.LatencyUS["max"] = float64(all.Max()) / 1e3
	if used != nil && used.CPUSeconds > 0 {
		used.PerCPUSecond = float64(r.Operations) / used.CPUSeconds
	}
	return r
}

// usageBetween is what a process used between two moments; nil if it could not
// be seen at one of them.
func usageBetween(before, after usage) *Server {
	if !before.ok || !after.ok {
		return nil
	}
	return &Server{CPUSeconds: after.cpu - before.cpu, RSS: after.rss, PeakRSS: after.peak}
}

// addErrors adds the errors of tallies; of each kind the first text stays.
func (r *Report) addErrors(tallies []tally) {
	for i := range tallies {
		for k, n := range tallies[i].errors {
			if r.Errors[k] == 0 {
				r.FirstErrors[k] = tallies[i].first[k]
			}
			r.Errors[k] += n
		}
	}
}

// Failed is the number of requests that ended in an error.
func (r *Report) Failed() (n int64) {
	for _, e := range r.Errors {
		n += e
	}
	return n
}

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) {
	fmt.Fprintf(w, "%s: %d operations in %.1f s, %.0f/s, %d workers", r.Workload, r.Operations, r.Seconds, r.PerSecond, r.Workers)
	if r.Rate > 0 {
		fmt.Fprintf(w, ", open loop at %.0f/s", r.Rate)
	}
	if n := r.Failed(); n > 0 {
		fmt.Fprintf(w, ", %d failed", n)
	}
	fmt.Fprintln(w)
	var cols []string
	for _, q := range quantiles {
		cols = append(cols, fmt.Sprintf("%s %.0f", q.name, r.LatencyUS[q.name]))
	}
	fmt.Fprintf(w, "latency in us: %s, max %.0f\n", strings.Join(cols, ", "), r.LatencyUS["max"])
	if s := r.Server; s != nil {
		fmt.Fprintf(w, "server: %.2f s of CPU, %.0f operations per CPU second, %d MiB resident, %d MiB at most\n",
			s.CPUSeconds, s.PerCPUSecond, s.RSS>>20, s.PeakRSS>>20)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "errors: %d x %s, the first: %s\n", r.Errors[k], k, r.FirstErrors[k])
	}
}
