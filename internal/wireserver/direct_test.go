package wireserver_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/wireserver"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
)

// NewGroup implements session.Grouper: R is a read that is answered with the
// value, N one that is not, Z one without a row, L one of that many bytes, P one
// that panics, W a write. Which writes are refused or fail is the fake's.
func (f *fake) NewGroup() session.Group { return &fakeGroup{f: f} }

type fakeGroup struct {
	f      *fake
	reads  [][]byte
	writes int
}

func (g *fakeGroup) Begin() { g.reads, g.writes = g.reads[:0], 0 }

func (g *fakeGroup) Add(e *session.Execution) session.Added {
	switch v := e.Values[0].Bytes; v[0] {
	case 'R', 'N', 'Z', 'L', 'P':
		g.reads = append(g.reads, v)
		return session.AddedRead
	case 'W':
		g.writes++
		return session.AddedWrite
	}
	return session.AddedNot
}

func (g *fakeGroup) Write(done mutation.Completer) bool {
	switch {
	case g.f.refuse:
		return false
	case g.f.later:
		g.f.mu.Lock()
		g.f.writes = append(g.f.writes, done)
		g.f.mu.Unlock()
	default:
		done.Complete(g.f.err)
	}
	return true
}

func (g *fakeGroup) WriteError(i int, err error) *native.Error {
	return native.ServerError("write %d of %d: %v", i, g.writes, err)
}

func (g *fakeGroup) Read(to session.Answers) {
	if g.f.reading != nil {
		g.f.reading()
	}
	for i, v := range g.reads {
		switch v[0] {
		case 'R':
			to.Row(i, g.f.columns(), native.AppendValue(to.Buffer(i), v), 1)
		case 'L':
			to.Row(i, result, native.AppendValue(to.Buffer(i), make([]byte, sizeOf(v))), 1)
		case 'Z':
			to.Row(i, result, to.Buffer(i), 0)
		case 'P':
			panic("as told")
		}
	}
	g.reads = g.reads[:0]
}

// Statements that are done together are answered each for itself, and those that
// cannot be become requests.
func TestDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil)
		defer p.close()
		g := p.send(wire.OpExecute, frame("R0", "W", "d1", "N", "Z", "e", "W", "R2")).wait()
		if g.err != nil || g.parts != 0 || len(g.answers) != 8 {
			t.Fatalf("%+v", g)
		}
		for i, want := range []string{"R0", "", "d1", "", "", "!", "", "R2"} {
			a := g.answers[uint32(i)]
			var rows wire.Rows
			switch {
			case want == "!":
				if a.Kind != wire.AnswerError {
					t.Errorf("%d: %+v", i, a)
				}
			case i == 4:
				if err := rows.Decode(a.Body); err != nil || a.Kind != wire.AnswerRows || rows.Count != 0 {
					t.Errorf("%d: %+v %v", i, a, err)
				}
			case want == "":
				if a.Kind != wire.AnswerVoid {
					t.Errorf("%d: %+v", i, a)
				}
			default:
				if err := rows.Decode(a.Body); err != nil || rows.Count != 1 || !bytes.Equal(rows.Values[4:], []byte(want)) || rows.Columns != nil {
					t.Errorf("%d: %+v %v", i, rows, err)
				}
			}
		}
		// Columns that the client does not know come along.
		p.fake.other = true
		g = p.send(wire.OpExecute, frame("R0", "Z")).wait()
		var rows wire.Rows
		if err := rows.Decode(g.answers[0].Body); err != nil || len(rows.Columns) != 2 || rows.ResultID != otherResult.ID() || !bytes.Equal(rows.Values[4:], []byte("R0")) {
			t.Errorf("%+v %v", rows, err)
		}
	})
}

// stepped is a clock that is moved by hand.
type stepped struct {
	clock.Clock
	now atomic.Int64
}

func (c *stepped) Mono() time.Duration { return time.Duration(c.now.Load()) }

// What could not be done together is left to workers once the reader has spent its
// time on the frame: others wait behind it.
func TestDirectOverTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // with one core there are no groups
	synctest.Test(t, func(t *testing.T) {
		c := &stepped{Clock: clock.Real}
		p := open(t, &transport.Mem{}, func(cfg *wireserver.Config) { cfg.Clock = c })
		defer p.close()
		p.fake.hold = make(chan struct{})
		p.fake.reading = func() { c.now.Add(int64(time.Millisecond)) }
		g := p.send(wire.OpExecute, frame("N", "R0", "N"))
		synctest.Wait()
		other := p.send(wire.OpExecute, frame("d"))
		synctest.Wait()
		if len(other.answers) != 1 {
			t.Errorf("%d answers beside reads that take long", len(other.answers))
		}
		close(p.fake.hold)
		if g.wait(); g.err != nil || len(g.answers) != 3 {
			t.Errorf("%d answers, %v", len(g.answers), g.err)
		}
		other.wait()
	})
}

// With one core there is none that helps the reader. It leaves to workers what is
// beyond a bound all the same.
func TestDirectFarOverTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	many := slices.Repeat([]string{"d"}, 1024)
	for name, values := range map[string][]string{"time": {"N", "R0", "N"}, "count": append(many, "N", "N")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &stepped{Clock: clock.Real}
				p := open(t, &transport.Mem{}, func(cfg *wireserver.Config) { cfg.Clock = c })
				defer p.close()
				p.fake.hold = make(chan struct{})
				p.fake.reading = func() { c.now.Add(int64(100 * time.Millisecond)) }
				g := p.send(wire.OpExecute, frame(values...))
				synctest.Wait()
				other := p.send(wire.OpExecute, frame("d"))
				synctest.Wait()
				if len(other.answers) != 1 {
					t.Errorf("%d answers behind a frame that takes long", len(other.answers))
				}
				close(p.fake.hold)
				if g.wait(); g.err != nil || len(g.answers) != len(values) {
					t.Errorf("%d answers, %v", len(g.answers), g.err)
				}
				other.wait()
			})
		})
	}
}

// Writes that wait hold up nobody; when they fail each is told.
func TestDirectWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, nil)
		defer p.close()
		p.fake.later = true
		g := p.send(wire.OpExecute, frame("W", "R0", "W", "d"))
		synctest.Wait()
		if len(g.answers) != 2 || g.parts != 1 {
			t.Fatalf("%+v", g)
		}
		p.fake.writes[0].Complete(errors.New("boom"))
		if g.wait(); g.err != nil || len(g.answers) != 4 {
			t.Fatalf("%+v", g)
		}
		for n, i := range []uint32{0, 2} {
			var e wire.Error
			if err := e.Decode(g.answers[i].Body); err != nil || e.Message != fmt.Sprintf("write %d of 2: boom", n) {
				t.Errorf("%+v %v", e, err)
			}
		}
		g = p.send(wire.OpExecute, frame("W", "W"))
		synctest.Wait()
		p.fake.writes[1].Complete(nil)
		if g.wait(); len(g.answers) != 2 || g.answers[1].Kind != wire.AnswerVoid {
			t.Fatalf("%+v", g)
		}
		p.fake.refuse = true
		if g = p.send(wire.OpExecute, frame("W", "R0", "W")).wait(); len(g.answers) != 3 || g.answers[2].Kind != wire.AnswerVoid {
			t.Fatalf("%+v", g)
		}
	})
}

// Many rows go in several frames; what fits into none is an error.
func TestDirectLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, func(c *wireserver.Config) { c.Workers = 1 })
		defer p.close()
		size := func(n int) string { return "L" + string(le32(n)) }
		g := p.send(wire.OpExecute, frame("R0", size(20<<10), size(20<<10), "p", size(10<<20), size(17<<20), "R1", size(40<<10), "R2"))
		synctest.Wait()
		p.fake.complete()
		if g.wait(); g.err != nil || len(g.answers) != 9 || g.parts < 3 || len(g.answers[4].Body) < 10<<20 {
			t.Fatal(g.err, len(g.answers), g.parts)
		}
		var e wire.Error
		if err := e.Decode(g.answers[5].Body); err != nil || e.Code != wire.CodeInvalid {
			t.Error(e, err)
		}
	})
}

// BenchmarkFrame is a frame of 32 executions there and back: requests of the
// handler, and done together.
func BenchmarkFrame(b *testing.B) {
	for _, c := range [][2]string{{"requests", "d"}, {"writes", "W"}, {"reads", "R"}} {
		b.Run(c[0], func(b *testing.B) {
			p := open(b, transport.TCP, nil)
			defer p.close()
			exchange := p.exchange(32, c[1])
			b.ReportAllocs()
			for b.Loop() {
				exchange()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/execution")
		})
	}
}
