package query

import (
	"bytes"
	"context"
	"net/netip"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// call is the scratch of executing one statement. It stays with a request's
// record, so that a plain write or read allocates nothing once it is warm.
// What a write was given lives in it until the write is completed.
type call struct {
	binder *plan.Binder
	query  *plan.Query
	reader *exec.Reader
	write  cluster.Write
	opts   plan.Options

	level     ring.ConsistencyLevel
	writeType native.WriteType // empty while a read runs
	table     schema.TableID   // that is read or written, once it is known
	deadline  int64            // of the clock's Mono, nanoseconds
	warnings  []string
	named     []native.Value // values put in the order of the markers

	batch batchCall
	point pointRead

	adhoc adhoc
	trace *trace
}

// callOf returns the scratch of a request, ready for it.
func callOf(r *session.Request) *call {
	c, _ := r.State.(*call)
	if c == nil {
		c = new(call)
		r.State = c
	}
	c.begin(ring.ConsistencyLevel(r.Params().Consistency), r.Deadline)
	return c
}

func (c *call) begin(level ring.ConsistencyLevel, deadline int64) {
	c.level, c.deadline, c.writeType, c.table = level, deadline, "", schema.TableID{}
	c.warnings = c.warnings[:0]
}

// options takes over what the client says of time and paging.
func (p *Processor) options(c *call, params *native.QueryParams, write bool) {
	c.opts = plan.Options{Timestamp: params.Timestamp, HasTimestamp: params.HasTimestamp, PageSize: params.PageSize}
	if write {
		c.opts.Clock = p.cluster.Now()
		if p.cfg.Level() >= level.Origins {
			c.opts.Coordinator = p.cfg.HostID
		}
	} else {
		c.opts.Clock = p.clock.Now().UnixMicro()
	}
	if params.HasNow {
		c.opts.Now = uint32(params.NowInSeconds)
	}
}

// keepRecords is how many records' buffers a call may keep.
const keepRecords = 64

func (p *Processor) binder(c *call) *plan.Binder {
	// One that has bound a large batch keeps too much for what comes after.
	if c.binder == nil || len(c.binder.Records) > keepRecords {
		c.binder = plan.NewBinder(p.env)
	}
	c.binder.Reset()
	return c.binder
}

// reading returns what a SELECT is bound and read with.
func (p *Processor) reading(c *call) (*plan.Query, *exec.Reader) {
	if c.query == nil {
		c.query, c.reader = plan.NewQuery(p.env), exec.NewReader(p.cfg.PagingKey)
	}
	return c.query, c.reader
}

// positional returns the values in the order of the markers.
func (c *call) positional(params *native.QueryParams, bind *native.Metadata, prepared bool) ([]native.Value, error) {
	cols := bind.Columns()
	if len(params.Names) > 0 {
		return c.byName(params, cols)
	}
	if len(params.Values) != len(cols) {
		if prepared {
			return nil, native.Invalid("there were %d markers(?) in CQL but %d bound variables", len(cols), len(params.Values))
		}
		return nil, native.Invalid("Invalid amount of bind variables")
	}
	return params.Values, nil
}

// fewNames is up to how many names of values looking through all of them is
// cheaper than a map, which a call allocates.
const fewNames = 48

func (c *call) byName(params *native.QueryParams, cols []native.Column) ([]native.Value, error) {
	if len(params.Names) > fewNames {
		return c.byManyNames(params, cols)
	}
	c.named = c.named[:0]
	for i := range cols {
		found := false
		// The last value of a name counts, as in a map.
		for j := len(params.Names) - 1; j >= 0 && !found; j-- {
			if bytes.Equal(params.Names[j], []byte(cols[i].Name)) {
				c.named, found = append(c.named, params.Values[j]), true
			}
		}
		if !found {
			return nil, native.Invalid("Invalid amount of bind variables")
		}
	}
	return c.named, nil
}

// byManyNames is byName in time proportional to the names: a client may send
// 65,535 of them.
func (c *call) byManyNames(params *native.QueryParams, cols []native.Column) ([]native.Value, error) {
	at := make(map[string]int, len(params.Names))
	for i, name := range params.Names {
		at[string(name)] = i // the last value of a name counts
	}
	c.named = c.named[:0]
	for i := range cols {
		j, ok := at[cols[i].Name]
		if !ok {
			return nil, native.Invalid("Invalid amount of bind variables")
		}
		c.named = append(c.named, params.Values[j])
	}
	return c.named, nil
}

// limited ends ctx when the call's deadline passes.
func (p *Processor) limited(ctx context.Context, c *call) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := p.clock.AfterFunc(time.Duration(c.deadline)-p.clock.Mono(), func() { cancel(errTimeout) })
	return ctx, func() {
		t.Stop()
		cancel(nil)
	}
}

// cause replaces the error of a context by what ended it.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		if c := context.Cause(ctx); c != nil {
			return c
		}
	}
	return err
}

// reason names this node as the one that failed.
func (p *Processor) reason(code uint16) native.FailureReason {
	addr := netip.IPv4Unspecified()
	if nodes := p.cluster.Topology().Nodes; len(nodes) > 0 {
		if a, err := netip.ParseAddrPort(nodes[0].Address); err == nil {
			addr = a.Addr()
		}
	}
	return native.FailureReason{Addr: addr, Code: code}
}

// await is a Completer for a caller that waits.
type await chan error

// Complete implements mutation.Completer.
func (a await) Complete(err error) { a <- err }

var _ mutation.Completer = await(nil)
