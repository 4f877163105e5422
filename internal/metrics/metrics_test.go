package metrics

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestCounterConcurrent(t *testing.T) {
	c, h := NewCounter(), NewHistogram()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 5000 {
				c.Inc()
				h.Observe(uint64(i))
			}
		})
	}
	wg.Wait()
	c.Add(7)
	if c.Value() != 40007 {
		t.Fatalf("counted %d", c.Value())
	}
	if s := h.Snapshot(); s.Count != 40000 || s.Sum != 8*5000*4999/2 {
		t.Fatalf("observed %d, sum %d", s.Count, s.Sum)
	}
}

func TestAllocs(t *testing.T) {
	reg := NewRegistry()
	c := reg.Counter("ilion_x_total", "X.")
	g := reg.Gauge("ilion_g", "G.")
	h := reg.Histogram("ilion_h_seconds", "H.", Nanoseconds)
	for name, f := range map[string]func(){
		"Inc": c.Inc, "Gauge": func() { g.Add(1); g.Set(3) }, "Observe": func() { h.Observe(12345) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestBuckets(t *testing.T) {
	last := uint64(0)
	for i := range numBuckets - 1 {
		b := upperBound(i)
		if b <= last {
			t.Fatalf("bucket %d: bound %d after %d", i, b, last)
		}
		if bucketOf(b) != i || bucketOf(b+1) != i+1 || bucketOf(last+1) != i {
			t.Fatalf("bucket %d: (%d, %d] lie in %d, %d and %d", i, last, b, bucketOf(last+1), bucketOf(b), bucketOf(b+1))
		}
		if last >= 8 && (b-last)*8 > b {
			t.Fatalf("bucket %d is too wide: (%d, %d]", i, last, b)
		}
		last = b
	}
	if last != 1<<topBits {
		t.Fatalf("last bound is %d", last)
	}
	if bucketOf(0) != 0 || bucketOf(1<<63) != numBuckets-1 || bucketOf(^uint64(0)) != numBuckets-1 {
		t.Fatal("ends")
	}
}

func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	h := NewHistogram()
	var all []uint64
	for range 20000 {
		v := uint64(1) << r.IntN(30)
		v += r.Uint64N(v)
		all = append(all, v)
		h.Observe(v)
	}
	slices.Sort(all)
	s := h.Snapshot()
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := s.Quantile(q); got < want || got > want+want/7+1 {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	double := h.Snapshot()
	double.Merge(s)
	if double.Count != 40000 || double.Quantile(0.5) != s.Quantile(0.5) || double.Sum != 2*s.Sum {
		t.Errorf("merged %d", double.Count)
	}
	empty := &Snapshot{}
	if empty.Quantile(0.5) != 0 {
		t.Error("empty")
	}
}

func TestExport(t *testing.T) {
	reg := NewRegistry(Label{"dc", "east"})
	reg.Counter("ilion_rows_total", "Rows.", Label{"table", "a"}).Add(3)
	reg.Counter("ilion_rows_total", "Rows.", Label{"table", "b"}).Add(4)
	reg.CounterFunc("ilion_else_total", "E.", func() uint64 { return 9 })
	reg.Gauge("ilion_open", "O.").Set(-5)
	h := reg.Histogram("ilion_lat_seconds", "L.", Nanoseconds)
	for _, v := range []uint64{1, 1000, 1024, 1025, 1 << 50} {
		h.Observe(v)
	}
	prom := prometheus.NewPedanticRegistry()
	prom.MustRegister(reg)
	families, err := prom.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			text.WriteString(f.GetName() + " " + strings.ReplaceAll(m.String(), "  ", " ") + "\n")
			for _, l := range m.GetLabel() {
				if l.GetName() == "dc" && l.GetValue() != "east" {
					t.Error("registry's label is lost")
				}
			}
			if hist := m.GetHistogram(); hist != nil {
				checkHistogram(t, hist.GetSampleCount(), hist.GetSampleSum())
				for _, b := range hist.GetBucket() {
					want := uint64(1)
					switch bound := b.GetUpperBound(); {
					case bound > 2047e-9:
						want = 4
					case bound > 1023e-9:
						want = 3
					}
					if b.GetCumulativeCount() != want {
						t.Errorf("up to %v: %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), want)
					}
				}
			}
		}
	}
	if len(families) != 4 {
		t.Fatalf("%d families:\n%s", len(families), text.String())
	}
	for _, want := range []string{"value:3", "value:4", "value:9", "value:-5"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
}

func checkHistogram(t *testing.T, count uint64, sum float64) {
	t.Helper()
	if count != 5 || sum < 1.12e6 || sum > 1.13e6 {
		t.Errorf("count %d, sum %v", count, sum)
	}
}

func TestMisuse(t *testing.T) {
	reg := NewRegistry()
	reg.Gauge("ilion_twice", "T.", Label{"a", "1"}, Label{"b", "2"})
	for what, f := range map[string]func(){
		"twice":     func() { reg.Gauge("ilion_twice", "T.", Label{"b", "2"}, Label{"a", "1"}) },
		"prefix":    func() { reg.Gauge("other_name", "T.") },
		"form":      func() { reg.Gauge("ilion_Bad__name", "T.") },
		"no help":   func() { reg.Gauge("ilion_help", "") },
		"no _total": func() { reg.Counter("ilion_count", "T.") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			f()
		}()
	}
	reg.Gauge("ilion_twice", "T.", Label{"a", "1"}, Label{"b", "3"})
}

func BenchmarkCounterParallel(b *testing.B) {
	c := NewCounter()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Inc()
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	h := NewHistogram()
	for i := uint64(0); b.Loop(); i++ {
		h.Observe(i * 977)
	}
}
