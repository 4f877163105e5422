package query

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/metrics"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/schema"
)

// Processor executes statements. It is a session.Handler, and what an embedded
// database calls. Safe for concurrent use.
type Processor struct {
	cfg     Config
	cluster cluster.Cluster
	clock   clock.Clock
	log     *slog.Logger
	env     *plan.Env
	cache   *cache
	saver   *saver // nil without a Store
	stats   Stats
	said    said

	// nodeID ends the time-based UUIDs made here.
	nodeID [8]byte

	// unpaged holds a token for each SELECT whose whole result is being
	// gathered in memory.
	unpaged chan struct{}

	finishRead func(*session.Request) session.Status // endRead

	view  atomic.Pointer[view]
	push  atomic.Pointer[func(*native.Event)]
	calls sync.Pool // *call, for embedded statements
}

// said is what the log was told of lately.
type said struct {
	givenUp clock.Seldom // a read
	damage  clock.Seldom
	failed  clock.Seldom // a statement, with an error of no known kind
}

var _ session.Handler = (*Processor)(nil)

// view is a schema of users with the node's own tables added.
type view struct {
	user, full *schema.Snapshot
}

// New makes a Processor and, if there is a Store, takes back the statements
// that were prepared in an earlier run; they are compiled when first used.
func New(cfg Config) (*Processor, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Processor{cfg: cfg, cluster: cfg.Cluster, clock: cfg.Clock, log: cfg.Log, env: plan.NewEnv(cfg.Rand.Split())}
	cfg.Rand.Read(p.nodeID[:])
	p.nodeID[0] = p.nodeID[0]&0x3f | 0x80
	p.nodeID[2] |= 1 // multicast bit: not the address of a card
	p.stats.inline, p.stats.worker = metrics.NewCounter(), metrics.NewCounter()
	p.unpaged = make(chan struct{}, maxUnpaged)
	p.finishRead = p.endRead
	p.calls.New = func() any { return new(call) }
	p.cache = newCache(cfg.PreparedBytes)
	if cfg.Store != nil {
		p.saver = newSaver(p)
		p.restore()
	}
	if cfg.Metrics != nil {
		p.register(cfg.Metrics)
	}
	return p, nil
}

// Close writes the texts of prepared statements if they have changed. Nothing
// may be executed any more.
func (p *Processor) Close() error {
	if p.saver == nil {
		return nil
	}
	return p.saver.close()
}

// OnEvent sets who is told of events that clients register for; usually the
// session server's Push.
func (p *Processor) OnEvent(push func(*native.Event)) { p.push.Store(&push) }

// Schema is the schema in force with the node's own tables.
func (p *Processor) Schema() *schema.Snapshot {
	user := p.cluster.Schema()
	if v := p.view.Load(); v != nil && v.user == user {
		return v.full
	}
	full := user
	if p.cfg.Virtual != nil {
		full = p.cfg.Virtual.Snapshot(user)
	}
	p.view.Store(&view{user, full})
	return full
}

// Authenticate implements session.Handler: token is NUL name NUL password,
// perhaps after the name of somebody to act for.
func (p *Processor) Authenticate(ctx context.Context, _ *session.Conn, token []byte) (user string, err error) {
	parts := bytes.SplitN(token, []byte{0}, 3)
	if len(parts) != 3 {
		return "", native.BadCredentials("Malformed credentials")
	}
	user = string(parts[1])
	if p.cfg.Login == nil {
		return "", native.BadCredentials("Provided username %s and/or password are incorrect", user)
	}
	if err := p.cfg.Login(ctx, user, string(parts[2])); err != nil {
		return "", err
	}
	return user, nil
}
