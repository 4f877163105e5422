package coordinator

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/wire/rpc"
)

const (
	// writeOverhead is what a write in flight is charged beyond its body.
	writeOverhead = 1 << 10
	// keepBody bounds the buffer that a free record keeps.
	keepBody = 16 << 10
	// tick is how often deadlines are looked at while writes are in flight. A
	// write is answered at most that much too late.
	tick = 20 * time.Millisecond
)

// pool holds the records of writes and the timer of their deadlines.
//
// Thread safety: mu protects free and all. all only grows; the timer looks
// into records that may be free, and takes their own lock for more than that.
type pool struct {
	c     *Cluster
	max   int64
	used  atomic.Int64 // bytes
	timer clock.Timer
	armed atomic.Bool

	mu   sync.Mutex // protects what follows
	free []*write
	all  []*write
}

func (p *pool) init(c *Cluster, max int64) {
	p.c, p.max = c, max
	p.armed.Store(true)
	p.timer = c.cfg.Clock.AfterFunc(tick, p.look)
}

// charge accounts for n bytes in flight, or refuses them.
func (p *pool) charge(n int64) error {
	if p.used.Add(n) > p.max {
		p.used.Add(-n)
		p.c.stats.Overloaded.Inc()
		return native.Overloaded("Too many writes are in flight")
	}
	p.arm()
	return nil
}

func (p *pool) arm() {
	if !p.armed.Load() && p.armed.CompareAndSwap(false, true) {
		p.timer.Reset(tick)
	}
}

// get makes the record of a request's first attempt. Its body is a copy of the
// request's record: the caller may have that back before all replicas have
// answered.
func (p *pool) get(q *request) (*write, error) {
	n := int64(len(q.records[0])) + writeOverhead
	if q.batched {
		p.used.Add(n) // the batch was let in as a whole
	} else if err := p.charge(n); err != nil {
		return nil, err
	}
	w := p.take()
	w.charged = n
	w.requested = requested{
		level: q.level, kind: q.kind, batched: q.batched, replayed: q.replayed, part: q.part, created: q.replayed, limit: q.deadline,
	}
	if q.replayed == 0 {
		w.created = p.c.cfg.Clock.Now().UnixMicro()
	}
	w.encode(q.records[0])
	w.mu.Lock()
	w.done, w.refs = q.done, 1
	w.mu.Unlock()
	return w, nil
}

// successor makes the record of a later attempt. It is not refused: the writes
// that there are bound it.
func (p *pool) successor(old *write) *write {
	n := int64(len(old.local[0])) + writeOverhead
	p.used.Add(n)
	w := p.take()
	w.charged = n
	w.requested = old.requested
	w.tries++
	w.encode(old.local[0])
	return w
}

func (p *pool) take() *write {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free) - 1; n >= 0 {
		w := p.free[n]
		p.free = p.free[:n]
		w.free = false
		return w
	}
	w := &write{c: p.c, index: uint32(len(p.all))}
	p.all = append(p.all, w)
	return w
}

// find returns the record that an id names; whether it is still that use of it
// has to be looked at.
func (p *pool) find(id uint64) *write {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := int(uint32(id)); i < len(p.all) {
		return p.all[i]
	}
	return nil
}

// encode makes the body of a record.
func (w *write) encode(r []byte) {
	h := &w.hops.apply
	h.Atomic, h.Hinted, h.Records, h.Forward = w.batched, w.replayed, w.local[:], h.Forward[:0]
	w.local[0] = r
	w.body = h.Append(w.body[:0])
	w.local[0] = w.body[len(w.body)-len(r):]
	h.Records = nil
}

// put takes a record back that nobody refers to any more.
func (p *pool) put(w *write) {
	w.deadline.Store(0)
	w.handedOn.Store(false)
	w.mu.Lock()
	w.use++
	w.refs = 0
	w.missing = 0
	w.done, w.answered, w.part, w.need, w.v, w.local[0] = nil, false, nil, nil, nil, nil
	w.slots, w.counts = w.slots[:0], w.counts[:0]
	if cap(w.body) > keepBody {
		w.body, w.hops, w.message = nil, hops{}, rpc.Message{}
	}
	n := w.charged
	w.mu.Unlock()
	p.mu.Lock()
	again := w.free
	w.free = true
	p.free = append(p.free, w)
	p.mu.Unlock()
	invariant.Check(!again, "coordinator: the record of a write is freed twice")
	p.giveBack(n)
}

// giveBack ends a charge.
func (p *pool) giveBack(n int64) {
	invariant.Check(p.used.Add(-n) >= 0, "coordinator: more bytes are given back than were in flight")
}

// look answers writes whose deadline has passed.
func (p *pool) look() {
	now := int64(p.c.cfg.Clock.Mono())
	p.mu.Lock()
	all := p.all
	p.mu.Unlock()
	for _, w := range all {
		if d := w.deadline.Load(); d != 0 && d <= now {
			w.expire(now)
		}
	}
	p.c.parking.expire(now)
	if p.c.closed.Load() {
		return
	}
	if p.used.Load() > 0 {
		p.timer.Reset(tick)
		return
	}
	p.armed.Store(false)
	if p.used.Load() > 0 {
		p.arm()
	}
}
