package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/cluster/hlc"
	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// agreed is the metadata that all nodes of a test share.
type agreed struct {
	mu    sync.Mutex // protects what follows
	state *metadata.State
	logs  []*metalog
}

// metalog is one node's view of it.
type metalog struct {
	all     *agreed
	mu      sync.Mutex // protects what follows
	state   *metadata.State
	behind  bool // entries are kept back until it is told of them
	f       func(*metadata.State, *schema.Change) error
	pending []func()
	heard   []uint64
	errs    []error // of following
}

func newAgreed(members ...metadata.Member) *agreed {
	return &agreed{state: &metadata.State{Epoch: 1, Schema: schema.NewSnapshot(), Members: members, Placements: map[string]*ring.Placement{}}}
}

func (a *agreed) log() *metalog {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &metalog{all: a, state: a.state}
	a.logs = append(a.logs, l)
	return l
}

func (a *agreed) change(c schema.Change, checks ...func(*schema.Snapshot) error) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, check := range checks {
		if err := check(a.state.Schema); err != nil {
			return 0, err
		}
	}
	n := *a.state
	n.Epoch++
	var err error
	if n.Schema, err = a.state.Schema.Apply(c, n.Epoch); err != nil {
		return 0, err
	}
	n.Placements = map[string]*ring.Placement{}
	var nodes []ring.Node
	for _, m := range n.Members {
		nodes = append(nodes, ring.Node{HostID: m.HostID, DC: m.DC, Rack: m.Rack, Tokens: m.Tokens})
	}
	for name, ks := range n.Schema.Keyspaces {
		if n.Placements[name] = a.state.Placements[name]; n.Placements[name] != nil {
			continue
		}
		st, err := ring.ParseStrategy(ks.Replication)
		if err != nil {
			return 0, err
		}
		if n.Placements[name], err = ring.Place(nodes, st); err != nil {
			return 0, err
		}
	}
	a.state = &n
	for _, l := range a.logs {
		l.advance(&n, &c)
	}
	return n.Epoch, nil
}

func (l *metalog) advance(s *metadata.State, c *schema.Change) {
	l.mu.Lock()
	tell := func() {
		l.mu.Lock()
		l.state = s
		f := l.f
		l.mu.Unlock()
		if f != nil {
			if err := f(s, c); err != nil {
				l.errs = append(l.errs, err)
			}
		}
	}
	if l.behind {
		l.pending = append(l.pending, tell)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	tell()
}

func (l *metalog) setBehind(behind bool) {
	l.mu.Lock()
	l.behind = behind
	pending := l.pending
	if !behind {
		l.pending = nil
	}
	l.mu.Unlock()
	if !behind {
		for _, f := range pending {
			f()
		}
	}
}

func (l *metalog) State() *metadata.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *metalog) Hear(_ [16]byte, epoch uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, epoch)
}

func (l *metalog) Propose(_ context.Context, c schema.Change, checks ...func(*schema.Snapshot) error) (uint64, error) {
	return l.all.change(c, checks...)
}

// hostID names the i-th node of a test.
func hostID(i int) [16]byte { return [16]byte{byte(i + 1)} }

// memberAt is the i-th node, with tokens of its own.
func memberAt(i int, dc, rack string) metadata.Member {
	m := metadata.Member{HostID: hostID(i), DC: dc, Rack: rack, Address: addressOf(i, 7000), NativeAddress: addressOf(i, 9042)}
	for j := range 4 {
		m.Tokens = append(m.Tokens, ring.Token(int64(i*4+j)*0x0123456789abcdef*7))
	}
	return m
}

func addressOf(i, port int) string {
	if port == 7000 {
		return "10.0.0." + string(rune('1'+i)) + ":7000"
	}
	return "10.0.0." + string(rune('1'+i)) + ":9042"
}

// behaviour is what a fake node does with writes.
type behaviour int

const (
	good behaviour = iota
	dead           // known not to be there
	slow           // answers nothing before the deadline
	failing
	gone    // the connection breaks when it is asked
	backlog // nothing more can be sent to it
)

// peer is a fake of another node.
type peer struct {
	host [16]byte
	do   func(m *rpc.Message, r rpc.Receiver) error

	mu   sync.Mutex // protects what follows
	is   behaviour
	code wire.Code // what failing answers
	got  []message
}

// message is a copy of what a peer was sent.
type message struct {
	rpc.Message
	apply wire.Apply
	r     rpc.Receiver
}

func (p *peer) set(b behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is = b
}

func (p *peer) Up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.is != dead
}

func (p *peer) Notify(m *rpc.Message) error { return p.take(m, nil) }

func (p *peer) Send(m *rpc.Message, r rpc.Receiver) error { return p.take(m, r) }

func (p *peer) take(m *rpc.Message, r rpc.Receiver) error {
	c := message{Message: *m, r: r}
	c.Body = slices.Concat(append([][]byte{m.Body}, m.Parts...)...)
	c.Parts = nil
	if m.Op == wire.OpApply || m.Op == wire.OpForward {
		if err := c.apply.Decode(c.Body); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.got = append(p.got, c)
	is, code, do := p.is, p.code, p.do
	p.mu.Unlock()
	if do != nil {
		return do(&c.Message, r)
	}
	if r == nil {
		return nil
	}
	switch is {
	case good:
		r.Receive(&rpc.Answer{})
	case slow:
		p.later(m.Deadline, func() { r.Receive(&rpc.Answer{Err: rpc.ErrDeadline}) })
	case failing:
		clock.Real.AfterFunc(time.Millisecond, func() { r.Receive(&rpc.Answer{Err: &wire.Error{Code: code}}) })
	case gone:
		clock.Real.AfterFunc(time.Millisecond, func() { r.Receive(&rpc.Answer{Err: rpc.ErrPeerDown}) })
	case backlog:
		return rpc.ErrBacklog
	case dead:
		return rpc.ErrPeerDown
	}
	return nil
}

func (p *peer) later(deadline int64, f func()) {
	clock.Real.AfterFunc(time.Duration(deadline)-clock.Real.Mono(), f)
}

// messages are what it was sent so far.
func (p *peer) messages() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// keeping is a fake of hints.
type keeping struct {
	mu   sync.Mutex // protects what follows
	err  error
	hold bool // the disk takes its time
	kept []hint
	wait []mutation.Completer
}

type hint struct {
	host   [16]byte
	record mutation.Record
}

func (k *keeping) Add(host [16]byte, _ int64, r mutation.Record, done mutation.Completer) error {
	k.mu.Lock()
	if k.err != nil {
		k.mu.Unlock()
		return k.err
	}
	k.kept = append(k.kept, hint{host, slices.Clone(r)})
	hold := k.hold
	if hold {
		k.wait = append(k.wait, done)
	}
	k.mu.Unlock()
	if !hold {
		done.Complete(nil)
	}
	return nil
}

// complete tells the outcome of the i-th hint that was held.
func (k *keeping) complete(i int, err error) {
	k.mu.Lock()
	done := k.wait[i]
	k.mu.Unlock()
	done.Complete(err)
}

func (k *keeping) hosts() (out [][16]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.kept {
		out = append(out, h.host)
	}
	return out
}

// batches is a fake of a batchlog.
type batches struct {
	mu     sync.Mutex // protects what follows
	err    error
	stored map[[16]byte]int
	done   [][16]byte
}

func (b *batches) Store(id [16]byte, _ int64, records []mutation.Record, done mutation.Completer) error {
	b.mu.Lock()
	err := b.err
	if err == nil {
		if b.stored == nil {
			b.stored = map[[16]byte]int{}
		}
		b.stored[id] = len(records)
	}
	b.mu.Unlock()
	if err == nil {
		done.Complete(nil)
	}
	return err
}

func (b *batches) Done(id [16]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, id)
}

// storeReader reads this node's store.
type storeReader struct{ store cluster.Replica }

func (s storeReader) TryRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	return s.store.TryRead(cmd)
}

func (s storeReader) TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, _ ring.ConsistencyLevel, to mutation.RowReceiver) {
	s.store.TryRows(table, keys, now, to)
}

func (s storeReader) StartRead(*mutation.ReadCommand, ring.ConsistencyLevel, int64, cluster.ReadCompleter) error {
	return mutation.ErrWouldBlock
}

func (s storeReader) Read(ctx context.Context, cmd *mutation.ReadCommand, level ring.ConsistencyLevel) (mutation.Source, error) {
	if level == ring.Any {
		return nil, errAny
	}
	return s.store.Read(ctx, cmd)
}

// outcome is a completer that counts.
type outcome struct {
	calls atomic.Int32
	ch    chan error
}

func newOutcome() *outcome { return &outcome{ch: make(chan error, 8)} }

func (o *outcome) Complete(err error) {
	o.calls.Add(1)
	o.ch <- err
}

// fixture is one coordinator with fakes around it.
type fixture struct {
	*Cluster
	t       testing.TB
	store   *clustertest.Store
	all     *agreed
	log     *metalog
	peers   map[[16]byte]*peer
	hints   *keeping
	batches *batches
	table   schema.TableID
	key     mutation.Key // of the rows that are written
}

// newFixture has the table of a keyspace of that replication.
func newFixture(t testing.TB, replication map[string]string, members ...metadata.Member) *fixture {
	t.Helper()
	f := bareFixture(t, func(*Config) {}, members...)
	f.create(replication)
	return f
}

func bareFixture(t testing.TB, configure func(*Config), members ...metadata.Member) *fixture {
	t.Helper()
	f := &fixture{t: t, store: &clustertest.Store{}, all: newAgreed(members...), peers: map[[16]byte]*peer{}, hints: &keeping{}, batches: &batches{}, key: keyAt(1)}
	f.log = f.all.log()
	for _, m := range members[1:] {
		f.peers[m.HostID] = &peer{host: m.HostID}
	}
	cfg := Config{
		HostID: members[0].HostID, Replica: f.store, Metadata: f.log, Clock: clock.Real, Stamps: hlc.New(clock.Real, 0),
		Peer:   func(host [16]byte) Peer { return f.peers[host] },
		Reader: storeReader{f.store}, Hints: f.hints, Batchlog: f.batches, Rand: rand.New([32]byte{1}), Log: slog.New(slog.DiscardHandler),
	}
	configure(&cfg)
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Cluster = c
	f.log.f = c.Follow
	for host := range f.peers {
		c.SetAlive(host, true)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// create makes the keyspace and its table.
func (f *fixture) create(replication map[string]string) {
	f.t.Helper()
	for _, c := range []schema.Change{
		{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: clustertest.Keyspace, DurableWrites: true, Replication: replication}},
		{Kind: schema.CreateTable, Table: clustertest.Table("t", 1)},
	} {
		if _, err := f.all.change(c); err != nil {
			f.t.Fatal(err)
		}
	}
	f.table = f.Schema().Table(clustertest.Keyspace, "t").ID
}

func simple(rf string) map[string]string {
	return map[string]string{"class": schema.SimpleStrategy, "replication_factor": rf}
}

// keyAt is a key whose token is that one.
func keyAt(token ring.Token) mutation.Key { return mutation.Key{Token: token, Key: []byte("k")} }

func (f *fixture) row(k mutation.Key, ts int64) mutation.Record {
	return clustertest.Row(f.table, k, mutationtest.Clustering(0), ts, "v")
}

// stampedRow is a row that the server has stamped.
func (f *fixture) stampedRow(k mutation.Key, ts int64) mutation.Record {
	r := f.row(k, ts)
	r[2] |= mutation.FlagServerStamped
	return r
}

// write writes a row and returns its outcome.
func (f *fixture) write(level ring.ConsistencyLevel, records ...mutation.Record) error {
	f.t.Helper()
	o := newOutcome()
	w := &cluster.Write{Records: records, Consistency: level, Done: o}
	err := f.TryWrite(w)
	if errors.Is(err, mutation.ErrWouldBlock) {
		err = f.Write(context.Background(), w)
	}
	if err != nil {
		return err
	}
	err = <-o.ch
	if o.calls.Load() != 1 {
		f.t.Error("a write was completed twice")
	}
	return err
}

// start starts a write.
func (f *fixture) start(level ring.ConsistencyLevel, o *outcome, records ...mutation.Record) error {
	return f.TryWrite(&cluster.Write{Records: records, Consistency: level, Done: o})
}

// replicas are the hosts that hold a key.
func (f *fixture) replicas(k mutation.Key) (hosts [][16]byte) {
	top := f.Topology()
	for _, n := range top.Tables[f.table].Replicas(k.Token).Write {
		hosts = append(hosts, top.Nodes[n].HostID)
	}
	return hosts
}

// holds tells whether the coordinator holds a key.
func (f *fixture) holds(k mutation.Key) bool { return slices.Contains(f.replicas(k), f.cfg.HostID) }

// clockStep is of a bubble's time.
const clockStep = 100 * time.Millisecond

// settle waits until nothing is in flight any more.
func (f *fixture) settle() {
	f.t.Helper()
	for range 1000 {
		if f.InFlight() == 0 {
			return
		}
		<-clock.Real.After(clockStep)
	}
	f.t.Errorf("%d bytes are still in flight", f.InFlight())
}
