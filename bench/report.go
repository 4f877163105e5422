package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is the result of a run. Latencies are in microseconds and cover
// operations that ended without error.
type Report struct {
	Workload     string               `json:"workload"`
	Protocol     string               `json:"protocol"`
	Read         string               `json:"read_consistency,omitempty"`
	Write        string               `json:"write_consistency,omitempty"`
	Workers      int                  `json:"workers"`
	Rate         float64              `json:"rate,omitempty"`
	Distribution string               `json:"distribution"`
	Seconds      float64              `json:"seconds"`
	Operations   int64                `json:"operations"`
	PerSecond    float64              `json:"operations_per_second"`
	LatencyUS    map[string]float64   `json:"latency_us"`
	Kinds        map[string]KindCount `json:"kinds,omitempty"` // if there are several
	Nodes        map[string]NodeCount `json:"nodes,omitempty"` // by address; an operation may be two requests
	Stale        int64                `json:"stale,omitempty"` // reads of rows that levels which do not overlap did not show
	Errors       map[string]int64     `json:"errors,omitempty"`
	FirstErrors  map[string]string    `json:"first_errors,omitempty"`
	Servers      *Servers             `json:"servers,omitempty"`
}

// KindCount is how many operations of one kind there were.
type KindCount struct {
	Operations int64              `json:"operations"`
	LatencyUS  map[string]float64 `json:"latency_us"`
}

// NodeCount is what one node was asked.
type NodeCount struct {
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors,omitempty"`
}

// Servers is what the servers' processes used meanwhile, added up, where they
// can be seen.
type Servers struct {
	Processes    int     `json:"processes"`
	Nodes        int     `json:"nodes"` // of the cluster; if there are fewer processes, the rest is not in the sums
	CPUSeconds   float64 `json:"cpu_seconds"`
	PerCPUSecond float64 `json:"operations_per_cpu_second,omitempty"` // if all were seen
	RSS          int64   `json:"rss_bytes"`
	PeakRSS      int64   `json:"peak_rss_bytes"`
}

var quantiles = []struct {
	name string
	q    float64
}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}}

// newReport sums up a phase; used is nil if no server could be seen.
func newReport(c *Config, p phase, used *Servers) *Report {
	r := &Report{
		Workload: c.Workload, Protocol: c.Target.Protocol, Workers: c.Workers, Rate: c.Rate, Distribution: c.Data.Distribution,
		Seconds: p.elapsed.Seconds(), Kinds: map[string]KindCount{}, Nodes: map[string]NodeCount{},
		Errors: map[string]int64{}, FirstErrors: map[string]string{}, Servers: used,
	}
	all := newHistogram()
	for k := range kinds {
		one := newHistogram()
		for i := range p.tallies {
			if h := p.tallies[i].hists[k]; h != nil {
				one.Merge(h)
			}
		}
		if one.TotalCount() > 0 {
			r.Kinds[kindNames[k]] = KindCount{one.TotalCount(), latencies(one)}
			all.Merge(one)
		}
	}
	if len(r.Kinds) == 1 {
		r.Kinds = nil
	}
	for i := range p.tallies {
		r.Stale += p.tallies[i].stale
		for node, n := range p.tallies[i].nodes {
			sum := r.Nodes[node]
			r.Nodes[node] = NodeCount{sum.Requests + n.Requests, sum.Errors + n.Errors}
		}
	}
	r.addErrors(p.tallies)
	r.Operations, r.LatencyUS = all.TotalCount(), latencies(all)
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Operations) / r.Seconds
	}
	if used != nil && used.CPUSeconds > 0 && used.Processes == used.Nodes {
		used.PerCPUSecond = float64(r.Operations) / used.CPUSeconds
	}
	return r
}

// setLevels tells the levels of the requests that there are.
func (r *Report) setLevels(p *plan, l levels) {
	reads, writes := p.requests()
	if reads {
		r.Read = l.read.String()
	}
	if writes {
		r.Write = l.write.String()
	}
}

func latencies(h *hdrhistogram.Histogram) map[string]float64 {
	us := map[string]float64{"max": float64(h.Max()) / 1e3}
	for _, q := range quantiles {
		us[q.name] = float64(h.ValueAtQuantile(q.q)) / 1e3
	}
	return us
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

// Failed is the number of operations that ended in an error.
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
	fmt.Fprintf(w, ", %s at %s", r.Protocol, r.levels())
	if n := r.Failed(); n > 0 {
		fmt.Fprintf(w, ", %d failed", n)
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "latency in us: %s\n", latencyText(r.LatencyUS))
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		fmt.Fprintf(w, "%s: %d operations, %s\n", k, r.Kinds[k].Operations, latencyText(r.Kinds[k].LatencyUS))
	}
	if len(r.Nodes) > 1 {
		fmt.Fprintf(w, "requests by node: %s\n", r.nodesText())
	}
	r.Servers.writeText(w)
	if r.Stale > 0 {
		fmt.Fprintf(w, "stale: %d reads have not seen a row that was written, as these consistency levels allow\n", r.Stale)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "errors: %d x %s, the first: %s\n", r.Errors[k], k, r.FirstErrors[k])
	}
}

// levels is what was asked for: one level, or one of reads and one of writes.
func (r *Report) levels() string {
	if r.Read != "" && r.Write != "" && r.Read != r.Write {
		return r.Read + " for reads, " + r.Write + " for writes"
	}
	return cmp.Or(r.Read, r.Write)
}

func latencyText(us map[string]float64) string {
	var b strings.Builder
	for _, q := range quantiles {
		fmt.Fprintf(&b, "%s %.0f, ", q.name, us[q.name])
	}
	fmt.Fprintf(&b, "max %.0f", us["max"])
	return b.String()
}

func (r *Report) nodesText() string {
	var nodes []string
	for _, name := range slices.Sorted(maps.Keys(r.Nodes)) {
		n := r.Nodes[name]
		one := fmt.Sprintf("%s %d", name, n.Requests)
		if n.Errors > 0 {
			one += fmt.Sprintf(" (%d failed)", n.Errors)
		}
		nodes = append(nodes, one)
	}
	return strings.Join(nodes, ", ")
}

func (s *Servers) writeText(w io.Writer) {
	if s == nil {
		return
	}
	name := "server"
	if s.Nodes > 1 {
		name = fmt.Sprintf("%d servers", s.Processes)
	}
	if s.Processes < s.Nodes {
		name = fmt.Sprintf("%d of %d servers", s.Processes, s.Nodes)
	}
	fmt.Fprintf(w, "%s: %.2f s of CPU, ", name, s.CPUSeconds)
	if s.PerCPUSecond > 0 {
		fmt.Fprintf(w, "%.0f operations per CPU second, ", s.PerCPUSecond)
	}
	fmt.Fprintf(w, "%d MiB resident, %d MiB at most\n", s.RSS>>20, s.PeakRSS>>20)
}
