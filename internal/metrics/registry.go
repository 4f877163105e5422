package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/prometheus/client_golang/prometheus"
)

// Units for Histogram: what one observed unit is in the exported one.
const (
	Nanoseconds = 1e-9 // exported as seconds
	Plain       = 1.0  // bytes, rows and other counts
)

// Label is a constant name and value of a metric.
type Label struct{ Name, Value string }

// Registry knows the metrics of a node. It is safe for concurrent use and is
// a prometheus.Collector. Registering a malformed name, or a name with the
// same labels twice, is a bug and panics.
type Registry struct {
	labels prometheus.Labels

	mu      sync.Mutex // protects entries
	entries map[string]*entry
}

// entry is one registered metric; collect makes it Prometheus's.
type entry struct {
	desc    *prometheus.Desc
	collect func(*prometheus.Desc) (prometheus.Metric, error)
}

// NewRegistry returns an empty registry whose metrics all carry the labels.
func NewRegistry(labels ...Label) *Registry {
	return &Registry{labels: labelMap(labels), entries: map[string]*entry{}}
}

// Counter registers a new counter. Its name ends in "_total".
func (r *Registry) Counter(name, help string, labels ...Label) *Counter {
	c := NewCounter()
	r.CounterFunc(name, help, c.Value, labels...)
	return c
}

// CounterFunc registers a counter that lives elsewhere; f is called at every
// collection, must not block, and never yields less than before.
func (r *Registry) CounterFunc(name, help string, f func() uint64, labels ...Label) {
	invariant.Check(strings.HasSuffix(name, "_total"), "metrics: counter %q does not end in _total", name)
	r.add(name, help, labels, func(d *prometheus.Desc) (prometheus.Metric, error) {
		return prometheus.NewConstMetric(d, prometheus.CounterValue, float64(f()))
	})
}

// Gauge registers a new gauge.
func (r *Registry) Gauge(name, help string, labels ...Label) *Gauge {
	g := &Gauge{}
	r.GaugeFunc(name, help, func() float64 { return float64(g.Value()) }, labels...)
	return g
}

// GaugeFunc registers a gauge that lives elsewhere; f is called at every
// collection and must not block.
func (r *Registry) GaugeFunc(name, help string, f func() float64, labels ...Label) {
	r.add(name, help, labels, func(d *prometheus.Desc) (prometheus.Metric, error) {
		return prometheus.NewConstMetric(d, prometheus.GaugeValue, f())
	})
}

// Histogram registers a new histogram; unit is Nanoseconds or Plain.
func (r *Registry) Histogram(name, help string, unit float64, labels ...Label) *Histogram {
	h := NewHistogram()
	r.HistogramOf(h, name, help, unit, labels...)
	return h
}

// HistogramOf registers a histogram that somebody else made.
func (r *Registry) HistogramOf(h *Histogram, name, help string, unit float64, labels ...Label) {
	r.add(name, help, labels, func(d *prometheus.Desc) (prometheus.Metric, error) {
		s := h.Snapshot()
		buckets := make(map[float64]uint64)
		s.octaves(func(bound, count uint64) { buckets[float64(bound)*unit] = count })
		return prometheus.NewConstHistogram(d, s.Count, float64(s.Sum)*unit, buckets)
	})
}

var nameForm = regexp.MustCompile(`^ilion_[a-z0-9]+(_[a-z0-9]+)*$`)

func (r *Registry) add(name, help string, labels []Label, collect func(*prometheus.Desc) (prometheus.Metric, error)) {
	invariant.Check(nameForm.MatchString(name), "metrics: malformed name %q", name)
	invariant.Check(help != "", "metrics: %s has no help", name)
	all := labelMap(labels)
	for k, v := range r.labels {
		all[k] = v
	}
	key := entryKey(name, labels)
	r.mu.Lock()
	defer r.mu.Unlock()
	invariant.Check(r.entries[key] == nil, "metrics: %s is registered twice", key)
	r.entries[key] = &entry{desc: prometheus.NewDesc(name, help, nil, all), collect: collect}
}

func labelMap(labels []Label) prometheus.Labels {
	m := make(prometheus.Labels, len(labels))
	for _, l := range labels {
		m[l.Name] = l.Value
	}
	return m
}

func entryKey(name string, labels []Label) string {
	sorted := slices.SortedFunc(slices.Values(labels), func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	for _, l := range sorted {
		name += fmt.Sprintf(",%s=%q", l.Name, l.Value)
	}
	return name
}

// Describe implements prometheus.Collector. It tells nothing, which makes
// Prometheus check at collection: metrics come and go with tables.
func (r *Registry) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. No lock is held while the functions
// of callers run.
func (r *Registry) Collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	entries := make([]*entry, 0, len(r.entries))
	for _, e := range r.entries {
		entries = append(entries, e)
	}
	r.mu.Unlock()
	for _, e := range entries {
		m, err := e.collect(e.desc)
		if err != nil {
			m = prometheus.NewInvalidMetric(e.desc, err)
		}
		out <- m
	}
}
