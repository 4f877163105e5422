package history

import (
	"strings"
	"testing"
	"time"
)

// clockAt is a time that a test moves.
type clockAt struct{ t time.Time }

func (c *clockAt) now() time.Time { return c.t }

func newHistory(s Stamps) (*History, *clockAt) {
	c := &clockAt{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return New(Options{Stamps: s, Now: c.now, Skew: 10 * time.Second, Monotonic: true}), c
}

var row = Key{"p", "r"}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
}

func bad(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("a violation was not noticed")
	}
	if !strings.Contains(err.Error(), "operations:") {
		t.Fatalf("no operations in: %v", err)
	}
}

func TestAcknowledgedIsRead(t *testing.T) {
	for _, s := range []Stamps{Client, Server} {
		h, _ := newHistory(s)
		ok(t, h.Read("p").Row("r", 0, false))
		w1 := h.Write(row, 1, 0)
		ok(t, h.Read("p").Row("r", 0, false))
		w1.Acked()
		bad(t, h.Read("p").Row("r", 0, false))
		ok(t, h.Read("p").Row("r", w1.Value(), true))
		early := h.Read("p") // keeps what it may see from being forgotten
		w2 := h.Write(row, 2, 0)
		w2.Acked()
		bad(t, h.Read("p").Row("r", w1.Value(), true))
		ok(t, early.Row("r", w1.Value(), true)) // it began before
		d := h.Delete(row, 3)                   // under way
		ok(t, h.Read("p").Row("r", 0, false))
		ok(t, h.Read("p").Row("r", w2.Value(), true)) // of other replicas
		d.Acked()
		bad(t, h.Read("p").Row("r", w2.Value(), true))
		ok(t, h.Read("p").Row("r", 0, false))
		f := h.Write(row, 4, 0)
		f.Failed()
		bad(t, h.Read("p").Row("r", f.Value(), true))
	}
}

func TestUnknownMayComeLate(t *testing.T) {
	h, c := newHistory(Server)
	u := h.Write(row, 0, 0)
	u.Unknown()
	w := h.Write(row, 0, 0)
	w.Acked()
	c.t = c.t.Add(time.Hour)
	ok(t, h.Read("p").Row("r", w.Value(), true))
	ok(t, h.Read("p").Row("r", u.Value(), true))
	bad(t, h.Read("p").Row("r", 0, false))

	// What was stamped by any clock before another began loses against that.
	h, c = newHistory(Server)
	u, d, running := h.Write(row, 0, 0), h.Delete(row, 0), h.Write(row, 0, 0)
	u.Unknown()
	d.Unknown()
	c.t = c.t.Add(11 * time.Second)
	h.Write(row, 0, 0).Acked()
	ok(t, h.Read("p").Row("r", 0, false))
	c.t = c.t.Add(time.Microsecond)
	w = h.Write(row, 0, 0)
	ok(t, h.Read("p").Row("r", u.Value(), true))
	w.Acked()
	bad(t, h.Read("p").Row("r", u.Value(), true))
	bad(t, h.Read("p").Row("r", 0, false))
	ok(t, h.Read("p").Row("r", w.Value(), true))
	ok(t, h.Read("p").Row("r", running.Value(), true))

	// A client's timestamp tells that it cannot.
	h, _ = newHistory(Client)
	u = h.Write(row, 1, 0)
	u.Unknown()
	w = h.Write(row, 2, 0)
	w.Acked()
	bad(t, h.Read("p").Row("r", u.Value(), true))
}

func TestMonotonic(t *testing.T) {
	h, _ := newHistory(Client)
	u := h.Write(row, 1, 0)
	ok(t, h.Read("p").Row("r", 0, false))
	ok(t, h.Read("p").Row("r", u.Value(), true))
	bad(t, h.Read("p").Row("r", 0, false))
	u.Unknown()
	bad(t, h.Read("p").Row("r", 0, false))
}

// TestSeenByAnOlderRead has a write of unknown outcome, stamped too low by who had
// not heard of the newest, returned by a read that asked before that was there.
func TestSeenByAnOlderRead(t *testing.T) {
	h, _ := newHistory(Server)
	q := h.Read("p")
	newest := h.Write(row, 0, 0)
	newest.Acked()
	low := h.Write(row, 0, 0)
	low.Unknown()
	ok(t, q.Row("r", low.Value(), true))
	ok(t, h.Read("p").Row("r", newest.Value(), true))
	ok(t, h.Read("p").Row("r", low.Value(), true)) // it was stamped higher after all
	bad(t, h.Read("p").Row("r", newest.Value(), true))
}

func TestPartitionDelete(t *testing.T) {
	h, _ := newHistory(Client)
	w := h.Write(row, 5, 0)
	w.Acked()
	d := h.DeletePartition("p", 6)
	ok(t, h.Read("p").Rows(map[string]int64{"r": w.Value()}))
	d.Acked()
	bad(t, h.Read("p").Rows(map[string]int64{"r": w.Value()}))
	ok(t, h.Read("p").Rows(nil))
	late := h.Write(Key{"p", "s"}, 6, 0) // equal timestamps: the deletion wins
	late.Acked()
	bad(t, h.Read("p").Rows(map[string]int64{"s": late.Value()}))
	ok(t, h.Read("p").Rows(map[string]int64{}))
	if err := h.Read("p").Rows(map[string]int64{"never": 1}); err == nil {
		t.Fatal("a row that nobody wrote")
	}
}

func TestTTL(t *testing.T) {
	h, c := newHistory(Client)
	w := h.Write(row, 1, time.Minute)
	w.Acked()
	ok(t, h.Read("p").Row("r", w.Value(), true))
	bad(t, h.Read("p").Row("r", 0, false))
	c.t = c.t.Add(time.Minute - 5*time.Second) // within the skew: either
	ok(t, h.Read("p").Row("r", w.Value(), true))
	ok(t, h.Read("p").Row("r", 0, false))
	c.t = c.t.Add(20 * time.Second)
	bad(t, h.Read("p").Row("r", w.Value(), true))
	ok(t, h.Read("p").Row("r", 0, false))
}

func TestReplicas(t *testing.T) {
	h, _ := newHistory(Server)
	w := h.Write(row, 0, 0)
	w.Acked()
	u := h.Write(row, 0, 0)
	u.Unknown()
	with := func(v int64) map[string]int64 { return map[string]int64{"r": v} }
	ok(t, h.Replicas("p", []map[string]int64{with(w.Value()), with(w.Value())}))
	ok(t, h.Replicas("p", []map[string]int64{with(u.Value()), with(u.Value())}))
	if h.Replicas("p", []map[string]int64{with(w.Value()), with(u.Value())}) == nil {
		t.Fatal("replicas that differ")
	}
	bad(t, h.Replicas("p", []map[string]int64{nil, nil}))
	if c := h.Counts(); c.Acked != 1 || c.Unknown != 1 {
		t.Fatalf("%+v", c)
	}
	h.Read("p").Failed()
	if p, n := h.Counts().Success(); p < 33 || p > 34 || n != 3 {
		t.Fatalf("%v of %d", p, n)
	}
	if p := h.Partitions(); len(p) != 1 || p[0] != "p" {
		t.Fatal(p)
	}
}

func TestPrune(t *testing.T) {
	for _, s := range []Stamps{Client, Server} {
		h, _ := newHistory(s)
		early := h.Read("p")
		first := h.Write(row, 0, 0)
		first.Acked()
		second := h.Read("p")
		var last *Op
		for i := range 10 * fewOps {
			last = h.Write(row, int64(i+1), 0)
			last.Acked()
		}
		if n := len(h.partition("p").rows["r"]); n < 10*fewOps {
			t.Fatalf("%d operations, while a query is under way that may see them all", n)
		}
		ok(t, second.Row("r", first.Value(), true))
		ok(t, early.Row("r", 0, false))
		for i := range 10 * fewOps {
			last = h.Write(row, int64(i+1000), 0)
			last.Acked()
		}
		if n := len(h.partition("p").rows["r"]); n > 11*fewOps {
			t.Fatalf("%d operations are kept", n)
		}
		bad(t, h.Read("p").Row("r", first.Value(), true))
		ok(t, h.Read("p").Row("r", last.Value(), true))
	}
}
