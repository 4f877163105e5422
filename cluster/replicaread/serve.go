package replicaread

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// request is what serving needs of a rpc.Request.
type request interface {
	Epoch() uint64
	Deadline() int64
	Body() []byte
	Reply(parts ...[]byte)
	Fail(e *wire.Error)
}

var _ request = (*rpc.Request)(nil)

// serving is the record of a request of another node. It is pooled.
type serving struct {
	rd     *Reader
	req    request
	read   wire.Read
	store  store
	behind bool // this node has to catch up first
}

// Serve answers an OpRead: from memory at once, else from a worker. It does not
// block. It is a rpc.Handler.
func (rd *Reader) Serve(req *rpc.Request) { rd.serve(req) }

func (rd *Reader) serve(req request) {
	v, _ := rd.serves.Get().(*serving)
	if v == nil {
		v = &serving{rd: rd}
	}
	v.req, v.behind = req, false
	rd.stats.served.Inc()
	if v.expired() {
		v.fail(wire.Errorf(wire.CodeTimeout, "the deadline has passed"))
		return
	}
	if err := v.read.Decode(req.Body()); err != nil {
		v.fail(wire.Errorf(wire.CodeInvalid, "%v", err))
		return
	}
	if v.read.Version != mutation.DigestVersion {
		v.fail(wire.Errorf(wire.CodeUnsupported, "a read of version %d", v.read.Version))
		return
	}
	if e := v.fence(); e != nil {
		if v.behind = e.Code == wire.CodeBehind; !v.behind {
			v.fail(e)
			return
		}
	}
	if !v.behind {
		err := v.store.read(rd.ctx, rd, &v.read, true)
		if !errors.Is(err, mutation.ErrWouldBlock) {
			v.answer(err)
			return
		}
	}
	if !rd.workers.Submit(v) {
		v.fail(wire.Errorf(wire.CodeOverloaded, "%v", errBusy))
	}
}

func (v *serving) expired() bool {
	d := v.req.Deadline()
	return d > 0 && int64(v.rd.now()) >= d
}

// fence refuses what this node must not answer.
func (v *serving) fence() *wire.Error {
	c := &v.read
	if c.Keys != nil {
		for i := range c.Keys {
			if e := v.rd.cfg.Fence(c.Table, c.Keys[i].Token, c.Keys[i].Token, v.req.Epoch()); e != nil {
				return e
			}
		}
		return nil
	}
	from, to := ring.Token(math.MinInt64), ring.Token(math.MaxInt64)
	if b := c.Range.Start; b != nil {
		if from = b.Token; b.After && b.Key == nil && from < math.MaxInt64 {
			from++
		}
	}
	if b := c.Range.End; b != nil {
		to = b.Token
	}
	return v.rd.cfg.Fence(c.Table, from, to, v.req.Epoch())
}

// run implements task.
func (v *serving) run() {
	if v.expired() {
		v.fail(wire.Errorf(wire.CodeTimeout, "the deadline has passed"))
		return
	}
	ctx := v.rd.ctx
	if d := v.req.Deadline(); d > 0 && v.behind {
		var cancel context.CancelFunc
		ctx, cancel = v.rd.until(ctx, time.Duration(d))
		defer cancel()
	}
	if v.behind {
		if err := v.rd.cfg.CatchUp(ctx, v.req.Epoch()); err != nil {
			v.fail(wire.Errorf(wire.CodeBehind, "%v", err))
			return
		}
		if e := v.fence(); e != nil {
			v.fail(e)
			return
		}
	}
	v.answer(v.store.read(ctx, v.rd, &v.read, false))
}

// until ends ctx at a time of the clock.
func (rd *Reader) until(ctx context.Context, deadline time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := rd.cfg.Clock.AfterFunc(deadline-rd.now(), func() { cancel(rpc.ErrDeadline) })
	return ctx, func() {
		t.Stop()
		cancel(nil)
	}
}

// answer ends the request with the page in store, or with an error.
func (v *serving) answer(err error) {
	if err != nil && fail.Mutant("damage-is-empty") {
		v.store.reply, v.store.body, err = wire.ReadReply{}, v.store.body[:0], nil
		v.store.head = v.store.reply.AppendHead(v.store.head[:0])
	}
	if err != nil {
		e := v.rd.wireError(err)
		if e.Code == wire.CodeCorrupt {
			if others, ok := v.rd.said.damage.Pass(v.rd.now()); ok {
				v.rd.cfg.Log.Error("stored data is damaged", "error", err, "others", others)
			}
		}
		v.fail(e)
		return
	}
	if n := len(v.store.head) + len(v.store.body); n > wire.MaxBody {
		// Each of the writes that made it was short enough.
		if others, ok := v.rd.said.tooLong.Pass(v.rd.now()); ok {
			v.rd.cfg.Log.Warn("a row is too long to be sent to another node",
				"table", v.read.Table.String(), "bytes", n, "maximum", wire.MaxBody, "others", others)
		}
		v.fail(wire.Errorf(wire.CodeFailed, "a row takes %d bytes, an answer may have %d", n, wire.MaxBody))
		return
	}
	v.req.Reply(v.store.head, v.store.body)
	v.recycle()
}

func (v *serving) fail(e *wire.Error) {
	v.rd.stats.refused.Inc()
	v.req.Fail(e)
	v.recycle()
}

func (v *serving) recycle() {
	invariant.Check(v.req != nil, "replicaread: a request of another node is answered twice")
	v.req = nil
	if cap(v.store.body) > keepBytes {
		v.store.body = nil
	}
	v.rd.serves.Put(v)
}
