package wireserver_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/wireserver"
	"github.com/ilion-db/ilion/wire"
)

// While no worker takes anything the reader does what it can of a frame itself,
// refuses what would have to wait, and goes on reading.
func TestReaderNeverWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // with one core there are no groups
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &transport.Mem{}, func(c *wireserver.Config) { c.Workers, c.QueueLength = 1, 1 })
		defer p.close()
		p.fake.hold = make(chan struct{})
		var busy []*got
		for range 2 { // one works, one waits
			busy = append(busy, p.send(wire.OpQuery, (&wire.Query{Text: "b"}).Append(nil)))
			synctest.Wait()
		}
		const head, blocked = 64, 20
		values := strings.Split(strings.Repeat("d ", head)+strings.TrimSpace(strings.Repeat("b ", blocked)), " ")
		g := p.send(wire.OpExecute, frame(values...)).wait()
		if g.err != nil || len(g.answers) != head+blocked {
			t.Fatalf("%d answers, %v", len(g.answers), g.err)
		}
		for i := range uint32(blocked) {
			var e wire.Error
			if a := g.answers[head+i]; a.Kind != wire.AnswerError || e.Decode(a.Body) != nil || e.Code != wire.CodeOverloaded {
				t.Errorf("%d: %+v, %v", head+i, a.Kind, e.Code)
			}
		}
		if g := p.send(wire.OpExecute, frame("d")).wait(); g.err != nil || len(g.answers) != 1 {
			t.Errorf("%+v", g)
		}
		close(p.fake.hold)
		for _, g := range busy {
			if g.wait(); g.err != nil {
				t.Error(g.err)
			}
		}
	})
}
