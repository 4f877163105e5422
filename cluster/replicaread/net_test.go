package replicaread

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/clustertest"
	"github.com/ilion-db/ilion/internal/clock"
	irand "github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// ahead100 is a clock whose Mono is positive in a bubble too, where time starts in
// the past.
type ahead100 struct{ clock.Clock }

func (c ahead100) Mono() time.Duration { return c.Clock.Mono() + 100*365*24*time.Hour }

var testClock = ahead100{clock.Real}

// testNet are nodes whose requests reach each other in memory.
type testNet struct {
	t     testing.TB
	snap  *schema.Snapshot
	table schema.TableID
	nodes []*testNode
	wg    sync.WaitGroup
	// onRepair, if set, is called before a repair reaches a replica.
	onRepair func()
	// code, if set, is Config.Code of all nodes.
	code func(error) wire.Code

	mu     sync.Mutex // protects what follows
	faults map[int]fault
	sent   int
	repair []repairSeen
}

type repairSeen struct {
	to     int
	record mutation.Record
}

// fault is how a node answers peers.
type fault struct {
	err   error         // of Send
	reply *wire.Error   // instead of an answer
	delay time.Duration // before the request is served; negative for ever
}

type testNode struct {
	net   *testNet
	index int
	host  schema.UUID
	dc    string
	rack  string
	store *clustertest.Store
	rd    *Reader
	top   atomic.Pointer[cluster.Topology]
	down  atomic.Bool // for Live
	fence atomic.Pointer[func(epoch uint64) *wire.Error]
	epoch atomic.Uint64
}

type testRequest struct {
	body     []byte
	deadline int64
	epoch    uint64
	answer   func(*rpc.Answer)
}

func (q *testRequest) Epoch() uint64   { return q.epoch }
func (q *testRequest) Deadline() int64 { return q.deadline }
func (q *testRequest) Body() []byte    { return q.body }
func (q *testRequest) Reply(parts ...[]byte) {
	q.answer(&rpc.Answer{Body: slices.Concat(parts...)})
}
func (q *testRequest) Fail(e *wire.Error) { q.answer(&rpc.Answer{Err: e}) }

// newNet makes nodes in the given data centres that know one table; option may
// change it.
func newNet(t testing.TB, dcs []string, option func(*schema.Table)) *testNet {
	n := &testNet{t: t, faults: map[int]fault{}}
	table := clustertest.Table("t", 1)
	table.Static = append(table.Static, &schema.Column{ID: table.NextColumnID, Name: "s", Kind: schema.Static, Position: -1, Type: schema.TypeBlob})
	table.NextColumnID++
	table.Options.SpeculativeRetry = "NEVER"
	if option != nil {
		option(table)
	}
	snap, err := schema.NewSnapshot().Apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{
		Name: clustertest.Keyspace, Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"},
	}}, 1)
	if err == nil {
		snap, err = snap.Apply(schema.Change{Kind: schema.CreateTable, Table: table}, 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	n.snap, n.table = snap, table.ID
	for i, dc := range dcs {
		n.nodes = append(n.nodes, n.newNode(i, dc))
	}
	t.Cleanup(func() {
		n.wg.Wait()
		for _, node := range n.nodes {
			node.rd.Close()
		}
	})
	return n
}

func (n *testNet) newNode(i int, dc string) *testNode {
	node := &testNode{net: n, index: i, host: schema.UUID{byte(i + 1)}, dc: dc, rack: "r", store: &clustertest.Store{}}
	if err := node.store.ApplySchema(n.snap); err != nil {
		n.t.Fatal(err)
	}
	rd, err := New(Config{
		Topology: func() *cluster.Topology { return node.top.Load() },
		Schema:   func() *schema.Snapshot { return n.snap },
		Live:     func(m *cluster.Node) bool { return !n.nodes[m.HostID[0]-1].down.Load() },
		Send:     n.send,
		Replica:  node.store,
		Repair:   n.sendRepair,
		Apply: func(ctx context.Context, r mutation.Record, done mutation.Completer) error {
			if n.onRepair != nil {
				n.onRepair()
			}
			if f := node.fence.Load(); f != nil {
				if e := (*f)(r.Epoch()); e != nil {
					return e
				}
			}
			return node.store.Apply(ctx, []mutation.Record{r}, false, done)
		},
		CatchUp: func(_ context.Context, epoch uint64) error {
			node.epoch.Store(epoch)
			top := *node.top.Load()
			top.Epoch = epoch
			node.top.Store(&top)
			return nil
		},
		Fence: func(_ schema.TableID, _, _ ring.Token, epoch uint64) *wire.Error {
			if f := node.fence.Load(); f != nil {
				return (*f)(epoch)
			}
			return nil
		},
		Code: func(err error) wire.Code {
			if n.code == nil {
				return 0
			}
			return n.code(err)
		},
		Clock: testClock, Rand: irand.NewSeeded(uint64(i)),
	})
	if err != nil {
		n.t.Fatal(err)
	}
	node.rd = rd
	return node
}

// place gives every node its picture of who holds what.
func (n *testNet) place(rf int, factors map[string]int, ranges []cluster.ReplicaSet) {
	for _, self := range n.nodes {
		top := &cluster.Topology{Epoch: 1}
		at := make([]int, len(n.nodes))
		add := func(m *testNode) {
			at[m.index] = len(top.Nodes)
			top.Nodes = append(top.Nodes, cluster.Node{
				HostID: m.host, DC: m.dc, Rack: m.rack, Local: m == self, Up: true, Internode: fmt.Sprintf("127.0.0.%d:7000", m.index+1),
			})
		}
		add(self)
		for _, m := range n.nodes {
			if m != self {
				add(m)
			}
		}
		p := &cluster.Placement{RF: rf, Factors: factors}
		for _, r := range ranges {
			set := cluster.ReplicaSet{Range: r.Range}
			for _, i := range r.Read {
				set.Read = append(set.Read, at[i])
			}
			p.Ranges = append(p.Ranges, set)
		}
		top.Tables = map[schema.TableID]*cluster.Placement{n.table: p}
		self.top.Store(top)
	}
}

// everywhere makes one range of all nodes.
func (n *testNet) everywhere(factors map[string]int) {
	var all []int
	for i := range n.nodes {
		all = append(all, i)
	}
	n.place(len(n.nodes), factors, []cluster.ReplicaSet{{Read: all}})
}

func (n *testNet) fault(node int, f fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[node] = f
}

func (n *testNet) send(host schema.UUID, m *rpc.Message, r rpc.Receiver) error {
	to := n.nodes[host[0]-1]
	n.mu.Lock()
	n.sent++
	f := n.faults[to.index]
	n.mu.Unlock()
	if f.err != nil && f.delay == 0 {
		return f.err
	}
	var once sync.Once
	n.wg.Add(1)
	req := &testRequest{body: bytes.Clone(m.Body), deadline: m.Deadline, epoch: m.Epoch}
	req.answer = func(a *rpc.Answer) {
		once.Do(func() {
			r.Receive(a)
			n.wg.Done()
		})
	}
	if f.delay >= 0 {
		n.wg.Add(1)
		go func() {
			defer n.wg.Done()
			clock.Real.Sleep(f.delay)
			switch {
			case f.err != nil:
				req.answer(&rpc.Answer{Err: f.err})
			case f.reply != nil:
				req.answer(&rpc.Answer{Err: f.reply})
			default:
				to.rd.serve(req)
			}
		}()
	}
	time.AfterFunc(time.Duration(m.Deadline)-testClock.Mono(), func() { req.answer(&rpc.Answer{Err: rpc.ErrDeadline}) })
	return nil
}

func (n *testNet) sendRepair(host schema.UUID, rec mutation.Record, _ int64, done mutation.Completer) {
	to := n.nodes[host[0]-1]
	n.mu.Lock()
	n.repair = append(n.repair, repairSeen{to.index, rec})
	f := n.faults[to.index]
	n.mu.Unlock()
	n.wg.Go(func() {
		if n.onRepair != nil {
			n.onRepair()
		}
		if f.err != nil {
			done.Complete(f.err)
			return
		}
		if f := to.fence.Load(); f != nil {
			if e := (*f)(rec.Epoch()); e != nil {
				done.Complete(e)
				return
			}
		}
		if err := to.store.Apply(context.Background(), []mutation.Record{rec}, false, done); err != nil {
			done.Complete(err)
		}
	})
}

func (n *testNet) sends() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent
}

type ignore struct{}

func (ignore) Complete(error) {}

func (n *testNet) apply(node int, records ...mutation.Record) {
	n.t.Helper()
	if err := n.nodes[node].store.Apply(context.Background(), records, false, ignore{}); err != nil {
		n.t.Fatal(err)
	}
}

// live tells what a reader sees of a source at now: partitions and rows with
// live cells, what is shadowed left out.
func live(t testing.TB, src mutation.Source, cmd *mutation.ReadCommand) string {
	t.Helper()
	var b strings.Builder
	var token ring.Token = math.MinInt64
	var key []byte
	first := true
	for src.NextPartition() {
		p := src.Partition()
		if !first && comparePartitions(p.Token, p.Key, token, key) <= 0 {
			t.Fatalf("partition %d %q after %d %q", p.Token, p.Key, token, key)
		}
		token, key, first = p.Token, bytes.Clone(p.Key), false
		var part strings.Builder
		if p.Static != nil && cmd.Static {
			liveRow(t, &part, "static", p.Static, p.Deletion, cmd.Now)
		}
		list := slices.Clone(cmd.Slices)
		if list == nil {
			list = []mutation.Slice{{}}
		}
		if cmd.Reverse {
			slices.Reverse(list)
		}
		rows, limit := uint32(0), cmd.PerPartitionLimit
		if cmd.Distinct {
			limit = 1
		}
		pending := false
		for _, sl := range list {
			from, to := sl.Lo, sl.Hi
			if cmd.Reverse {
				from, to = to, from
			}
			if !pending || !reached(src.Item().Clustering, from, cmd.Reverse) {
				src.Seek(from)
				pending = false
			}
			cover := p.Deletion.Max(src.Open())
			for pending || src.Next() {
				it := src.Item()
				if pending = beyond(it.Clustering, to, cmd.Reverse); pending {
					break
				}
				if it.Kind == mutation.ItemBoundary {
					cover = p.Deletion.Max(behind(it, cmd.Reverse))
					continue
				}
				if liveRow(t, &part, fmt.Sprintf("%x", it.Clustering), it.Row, cover, cmd.Now) {
					if rows++; limit > 0 && rows == limit {
						break
					}
				}
			}
			if limit > 0 && rows == limit {
				break
			}
		}
		if part.Len() > 0 {
			fmt.Fprintf(&b, "partition %d %q\n%s", p.Token, p.Key, part.String())
		}
	}
	if src.Err() != nil {
		t.Fatal(src.Err())
	}
	return b.String()
}

func liveRow(t testing.TB, b *strings.Builder, name string, row []byte, cover mutation.Deletion, now uint32) bool {
	t.Helper()
	var c mutation.Reconciler
	left, err := c.Merge(nil, cover, row)
	if err != nil {
		t.Fatal(err)
	}
	var r mutation.RowReader
	if len(left) == 0 || r.Init(left) != nil || !r.Live(now) {
		return false
	}
	if err := r.Init(left); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "  %s marker %v", name, r.Marker.Live(now))
	for r.NextCell() {
		if r.Cell.Live(now) {
			fmt.Fprintf(b, " %d %q=%q@%d", r.Cell.Column, r.Cell.Path, r.Cell.Value, r.Cell.Timestamp)
		}
	}
	b.WriteByte('\n')
	return true
}

func genKeys(r *rand.Rand, n int) []mutation.Key {
	keys := make([]mutation.Key, n)
	for i := range keys {
		k := fmt.Appendf(nil, "key%d", i)
		keys[i] = mutation.Key{Token: ring.Token(r.Uint64()), Key: k}
		if i > 0 && r.IntN(4) == 0 {
			keys[i].Token = keys[i-1].Token
		}
	}
	slices.SortFunc(keys, func(a, b mutation.Key) int { return comparePartitions(a.Token, a.Key, b.Token, b.Key) })
	return keys
}

// withTable copies a record for the test's table.
func (n *testNet) withTable(rec mutation.Record) mutation.Record {
	out := bytes.Clone(rec)
	copy(out[4:20], n.table[:])
	return out
}
