package rpc

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

// TestCallTable compares with a map, over the wrap of streams.
func TestCallTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table := callTable{last: 1<<32 - 500}
	model := map[uint32]*call{}
	for range 20_000 {
		if n := r.IntN(5); n < 3 && len(model) < 1000 || len(model) == 0 {
			k := new(call)
			table.add(k)
			if k.stream == 0 || model[k.stream] != nil {
				t.Fatalf("stream %d is given twice", k.stream)
			}
			model[k.stream] = k
		} else {
			for s, k := range model {
				if got := table.take(s); got != k {
					t.Fatalf("stream %d has %p, not %p", s, got, k)
				}
				delete(model, s)
				if table.take(s) != nil || table.take(s+1<<31) != nil {
					t.Fatal("a stream that is not there")
				}
				break
			}
		}
		if table.count != len(model) {
			t.Fatal(table.count, len(model))
		}
	}
	if got := table.takeAll(nil); len(got) != len(model) || table.count != 0 || table.take(1) != nil {
		t.Error(len(got))
	}
}

// TestWheel ends calls in their time, near and far, and none that was removed.
func TestWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Endpoint{}
		e.wheel.init(clock.Real)
		defer e.wheel.close()
		c := e.newConn()
		r := rand.New(rand.NewPCG(3, 4))
		ended := make(chan *expected, 1000)
		waiting, answered := 0, 0
		for i := range 300 {
			x := &expected{ended: ended}
			c.mu.Lock()
			k := &call{r: x, c: c}
			x.due = clock.Real.Mono() + time.Duration(r.Int64N(int64(20*time.Second)))
			k.due = int64(x.due)
			c.calls.add(k)
			e.wheel.add(k)
			c.mu.Unlock()
			if i%3 == 0 {
				c.finish(c.take(k.stream), &Answer{})
				answered++
				continue
			}
			waiting++
			if i%10 == 0 {
				time.Sleep(time.Duration(r.Int64N(int64(100 * time.Millisecond))))
			}
		}
		for range waiting + answered {
			x := <-ended
			if x.err == nil {
				answered--
				continue
			}
			if late := x.at - x.due; x.err != ErrDeadline || late < 0 || late > 9*time.Millisecond {
				t.Errorf("%v, %v late", x.err, late)
			}
		}
		time.Sleep(time.Minute)
		if len(ended) > 0 || answered != 0 || c.calls.count > 0 {
			t.Error("calls have ended twice")
		}
	})
}

type expected struct {
	due   time.Duration
	at    time.Duration
	err   error
	ended chan *expected
}

func (x *expected) Receive(a *Answer) {
	x.err, x.at = a.Err, clock.Real.Mono()
	x.ended <- x
}
