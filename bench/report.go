package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

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

func newReport(c *Config, tallies []tally, elapsed time.Duration, before, after usage) *Report {
	r := &Report{
		Workload: c.Workload, Workers: c.Workers, Rate: c.Rate, Distribution: c.Distribution,
		Seconds: elapsed.Seconds(), LatencyUS: map[string]float64{},
		Errors: map[string]int64{}, FirstErrors: map[string]string{},
	}
	all := hdrhistogram.New(1, maxLatency, 3)
	for i := range tallies {
		t := &tallies[i]
		all.Merge(t.hist)
		for k, n := range t.errors {
			r.Errors[k] += n
			r.FirstErrors[k] = t.first[k]
		}
	}
	r.Operations = all.TotalCount()
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Operations) / r.Seconds
	}
	for _, q := range quantiles {
		r.LatencyUS[q.name] = float64(all.ValueAtQuantile(q.q)) / 1e3
	}
	r.LatencyUS["max"] = float64(all.Max()) / 1e3
	if c.PID > 0 && after.ok && before.ok {
		s := &Server{CPUSeconds: after.cpu - before.cpu, RSS: after.rss, PeakRSS: after.peak}
		if s.CPUSeconds > 0 {
			s.PerCPUSecond = float64(r.Operations) / s.CPUSeconds
		}
		r.Server = s
	}
	return r
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
	fmt.Fprintln(w)
	var cols []string
	for _, q := range quantiles {
		cols = append(cols, fmt.Sprintf("%s %.0f", q.name, r.LatencyUS[q.name]))
	}
	fmt.Fprintf(w, "latency us: %s, max %.0f\n", strings.Join(cols, ", "), r.LatencyUS["max"])
	if s := r.Server; s != nil {
		fmt.Fprintf(w, "server: %.1f CPU s, %.0f operations per CPU s, %d MiB resident, %d MiB at most\n",
			s.CPUSeconds, s.PerCPUSecond, s.RSS>>20, s.PeakRSS>>20)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "errors: %d of kind %q, the first: %s\n", r.Errors[k], k, r.FirstErrors[k])
	}
}
