package coordinator

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// asking is a request of another coordinator.
type asking struct {
	op       wire.Op
	epoch    uint64
	deadline int64
	body     []byte

	mu     sync.Mutex // protects what follows
	n      int
	failed *wire.Error
	told   uint64
	reply  []byte
}

func (a *asking) From() [16]byte  { return hostID(1) }
func (a *asking) Op() wire.Op     { return a.op }
func (a *asking) Epoch() uint64   { return a.epoch }
func (a *asking) Deadline() int64 { return a.deadline }
func (a *asking) Body() []byte    { return a.body }

func (a *asking) ReplyEpoch(epoch uint64, parts ...[]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.told, a.reply = epoch, slices.Concat(parts...)
}

func (a *asking) Fail(e *wire.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.failed = e
}

// code is what was answered; the answer must have come, and once.
func (a *asking) code(t *testing.T) wire.Code {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n != 1 {
		t.Fatalf("%d answers", a.n)
	}
	if a.failed != nil {
		return a.failed.Code
	}
	return 0
}

func (a *asking) answered() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n > 0
}

// asks is a write of another coordinator at the epoch in force.
func (f *fixture) asks(records ...mutation.Record) *asking {
	body := wire.Apply{Records: records}
	return &asking{op: wire.OpApply, epoch: f.Epoch(), deadline: int64(clock.Real.Mono() + 2*time.Second), body: body.Append(nil)}
}

// holder is a node that holds a key which another coordinates.
func holder(t *testing.T) *fixture {
	return newFixture(t, simple("2"), memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
}

func truncation() schema.Change {
	return schema.Change{Kind: schema.Truncate, Table: &schema.Table{Keyspace: clustertest.Keyspace, Name: "t"}, TruncatedAt: 5}
}

func TestServedWrites(t *testing.T) {
	for name, c := range map[string]struct {
		ask  func(f *fixture) *asking
		want wire.Code
	}{
		"applied":       {func(f *fixture) *asking { return f.asks(f.row(f.key, 1)) }, 0},
		"nothing":       {func(f *fixture) *asking { return f.asks() }, 0},
		"unknown table": {func(f *fixture) *asking { return f.asks(clustertest.Row(schema.TableID{7}, f.key, nil, 1, "v")) }, wire.CodeUnknownTable},
		"bad body":      {func(f *fixture) *asking { a := f.asks(f.row(f.key, 1)); a.body = a.body[:9]; return a }, wire.CodeInvalid},
		"bad record": {func(f *fixture) *asking {
			r := f.row(f.key, 1)
			r[len(r)-1], r[len(r)-2] = 0xff, 0xff
			return f.asks(r)
		}, wire.CodeInvalid},
		"too late": {func(f *fixture) *asking {
			a := f.asks(f.row(f.key, 1))
			a.deadline = int64(clock.Real.Mono()) - 1
			return a
		}, wire.CodeTimeout},
		"unknown op":    {func(f *fixture) *asking { a := f.asks(); a.op = wire.OpInfo; return a }, wire.CodeUnsupported},
		"table changed": {func(f *fixture) *asking { a := f.asks(f.row(f.key, 1)); a.epoch--; return a }, wire.CodeStale},
		"other table changed": {func(f *fixture) *asking {
			a := f.asks(f.row(f.key, 1))
			if _, err := f.all.change(schema.Change{Kind: schema.CreateTable, Table: clustertest.Table("u", 2)}); err != nil {
				f.t.Fatal(err)
			}
			return a
		}, 0},
		"store fails": {func(f *fixture) *asking {
			f.store.BeforeApply = func([]mutation.Record, bool) error { return errors.New("broken") }
			return f.asks(f.row(f.key, 1))
		}, wire.CodeFailed},
		"store would wait": {func(f *fixture) *asking {
			f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
				if try {
					return mutation.ErrWouldBlock
				}
				return nil
			}
			return f.asks(f.row(f.key, 1))
		}, 0},
		"store would wait for a stamped row": {func(f *fixture) *asking {
			f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
				if try {
					return mutation.ErrWouldBlock
				}
				return nil
			}
			return f.asks(f.stampedRow(f.key, f.Now()))
		}, 0},
		"hint of a dropped table": {func(f *fixture) *asking {
			a := f.hint(clustertest.Row(schema.TableID{7}, f.key, nil, 1, "v"))
			return a
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := holder(t)
				a := c.ask(f)
				f.serve(a)
				synctest.Wait()
				if got := a.code(t); got != c.want {
					t.Errorf("%v, want %v", got, c.want)
				}
				if a.failed != nil && a.failed.Epoch != f.Epoch() || a.failed == nil && a.told != f.Epoch() {
					t.Error("the epoch is not told")
				}
				if f.InFlight() != 0 {
					t.Errorf("%d bytes in flight", f.InFlight())
				}
			})
		})
	}
}

// hint is a hint of another node.
func (f *fixture) hint(r mutation.Record) *asking {
	body := wire.Apply{Records: []mutation.Record{r}, Hinted: 1}
	a := f.asks()
	a.op, a.body = wire.OpHint, body.Append(nil)
	return a
}

func TestNotAnOwnerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fourNodes(t, simple("1"))
		a := f.asks(f.row(f.key, 1))
		f.serve(a)
		if got := a.code(t); got != wire.CodeNotOwner {
			t.Error(got)
		}
	})
}

func TestReplicaThatIsBehindCatchesUpFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := holder(t)
		f.log.setBehind(true)
		epoch, err := f.all.change(truncation())
		if err != nil {
			t.Fatal(err)
		}
		a, never := f.asks(f.row(f.key, 1)), f.asks(f.row(f.key, 1))
		a.epoch, never.epoch = epoch, epoch+1
		f.serve(a)
		f.serve(never)
		synctest.Wait()
		if a.answered() {
			t.Fatal("answered before it has caught up")
		}
		if len(f.log.heard) == 0 {
			t.Error("it does not try to catch up")
		}
		f.log.setBehind(false)
		synctest.Wait()
		if got := a.code(t); got != 0 {
			t.Error(got)
		}
		f.settle()
		if got := never.code(t); got != wire.CodeBehind {
			t.Error(got)
		}
		if f.store.Applied() != 1 {
			t.Errorf("%d records", f.store.Applied())
		}
	})
}

// A batch is kept by a node that knows its tables: otherwise it would take them
// for dropped when it writes the batch again.
func TestKeeperThatIsBehindCatchesUpFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := holder(t)
		f.log.setBehind(true)
		epoch, err := f.all.change(truncation())
		if err != nil {
			t.Fatal(err)
		}
		store := func(epoch uint64) *asking {
			a := f.asks()
			body := wire.BatchStore{ID: [16]byte{byte(epoch)}, Records: []mutation.Record{f.row(f.key, 1)}}
			a.op, a.epoch, a.body = wire.OpBatchStore, epoch, body.Append(nil)
			return a
		}
		a, never := store(epoch), store(epoch+1)
		f.serve(a)
		f.serve(never)
		synctest.Wait()
		if a.answered() || len(f.batches.stored) != 0 {
			t.Fatal("kept before it has caught up")
		}
		f.log.setBehind(false)
		synctest.Wait()
		if got := a.code(t); got != 0 || len(f.batches.stored) != 1 {
			t.Error(got, len(f.batches.stored))
		}
		f.settle()
		if got := never.code(t); got != wire.CodeBehind {
			t.Error(got)
		}
	})
}

func TestNewerStampIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := holder(t)
		now := f.Now()
		serve := func(ts int64, change func(*asking)) *asking {
			a := f.asks(f.stampedRow(f.key, ts))
			if change != nil {
				change(a)
			}
			f.serve(a)
			return a
		}
		if got := serve(now+1000, nil).code(t); got != 0 {
			t.Fatal(got)
		}
		if f.Now() <= now+1000 {
			t.Error("the clock has not followed")
		}
		a := serve(now+500, nil)
		if got := a.code(t); got != wire.CodeNewer || a.failed.Timestamp != now+1000 {
			t.Errorf("%v %+v", got, a.failed)
		}
		if f.store.Applied() != 2 {
			t.Error("the older write is not applied")
		}
		atomic := wire.Apply{Records: []mutation.Record{f.stampedRow(f.key, now+500)}, Atomic: true}
		if got := serve(0, func(a *asking) { a.body = atomic.Append(nil) }).code(t); got != 0 {
			t.Errorf("of a batch: %v", got)
		}
		hint := f.hint(f.stampedRow(f.key, now+500))
		f.serve(hint)
		var rate wire.HintReply
		if err := rate.Decode(hint.reply); err != nil || hint.code(t) != 0 || rate.Rate == 0 {
			t.Errorf("of a hint: %v %+v", err, rate)
		}
		if got := serve(now+hlc.MaxLead.Microseconds()*2, nil).code(t); got != 0 {
			t.Errorf("too far ahead: %v", got)
		}
		if got := serve(now+2000, nil).code(t); got != 0 {
			t.Errorf("a stamp that was not followed is met: %v", got)
		}
	})
}

func TestTruncateDropsWhatIsOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := holder(t)
		old, oldHint := f.asks(f.row(f.key, 1)), f.row(f.key, 1)
		oldHint.SetEpoch(f.Schema().Epoch)
		f.write(1, f.row(f.key, 1))
		if _, err := f.all.change(truncation()); err != nil {
			t.Fatal(err)
		}
		before := f.store.Applied()
		f.serve(old)
		if got := old.code(t); got != wire.CodeStale {
			t.Errorf("a write that was planned before: %v", got)
		}
		h := f.hint(oldHint)
		f.serve(h)
		if got := h.code(t); got != 0 || f.store.Applied() != before {
			t.Errorf("a hint from before: %v, %d records", got, f.store.Applied()-before)
		}
		oldHint.SetEpoch(f.Schema().Epoch)
		h = f.hint(oldHint)
		f.serve(h)
		if got := h.code(t); got != 0 || f.store.Applied() != before+1 {
			t.Errorf("a hint from after: %v, %d records", got, f.store.Applied()-before)
		}
	})
}

func TestServingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bareFixture(t, func(c *Config) { c.MaxBytes, c.Workers = 100*writeOverhead, 1 }, memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.create(simple("2"))
		// What waits for an epoch holds its bytes; what is over the bound is
		// refused at once.
		var asked []*asking
		for range 200 {
			a := f.asks(f.row(f.key, 1))
			a.epoch++
			f.serve(a)
			asked = append(asked, a)
		}
		refused := 0
		for _, a := range asked {
			if a.answered() && a.code(t) == wire.CodeOverloaded {
				refused++
			}
		}
		if refused < 100 || refused == 200 {
			t.Errorf("%d of 200 refused", refused)
		}
		f.settle()
		for _, a := range asked {
			if got := a.code(t); got != wire.CodeOverloaded && got != wire.CodeBehind {
				t.Fatal(got)
			}
		}
	})
}

func TestOneWorkerAndAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bareFixture(t, func(c *Config) { c.Workers = 1 }, memberAt(0, "dc1", "r1"), memberAt(1, "dc1", "r1"))
		f.create(simple("2"))
		synctest.Wait() // nothing else is in the queue
		let := make(chan struct{})
		f.store.BeforeApply = func(_ []mutation.Record, try bool) error {
			if try {
				return mutation.ErrWouldBlock
			}
			<-let
			return nil
		}
		var asked []*asking
		for range queuePerWorker + 10 {
			a := f.asks(f.row(f.key, 1))
			f.serve(a)
			asked = append(asked, a)
		}
		f.SetAlive(hostID(1), false)
		synctest.Wait()
		close(let)
		synctest.Wait()
		<-clock.Real.After(clockStep)
		synctest.Wait()
		if f.Topology().Nodes[1].Up {
			t.Error("a node that went while all were busy is shown as up")
		}
		codes := map[wire.Code]int{}
		for _, a := range asked {
			codes[a.code(t)]++
		}
		if codes[0] < queuePerWorker || codes[wire.CodeOverloaded] == 0 || codes[0]+codes[wire.CodeOverloaded] != len(asked) {
			t.Errorf("%v", codes)
		}
	})
}

func TestParkingIsBounded(t *testing.T) {
	var p parking
	gaveUp := 0
	for range maxParked + 5 {
		if !p.add(quitter{&gaveUp}, 1, 10) {
			t.Fatal("not taken")
		}
	}
	if gaveUp != 5 {
		t.Errorf("%d gave up", gaveUp)
	}
	if p.expire(9); gaveUp != 5 {
		t.Error("expired too early")
	}
	if p.expire(10); gaveUp != maxParked+5 || len(p.list) != 0 {
		t.Errorf("%d gave up", gaveUp)
	}
}

type quitter struct{ n *int }

func (q quitter) proceed() {}
func (q quitter) giveUp()  { *q.n++ }
