package node_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/sim"
	"github.com/ilion-db/ilion/internal/sim/history"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

var (
	simSeed = flag.Uint64("seed", simDefaultSeed(), "of the first simulation")
	simTime = flag.Duration("simtime", simDefaultTime, "virtual time that a simulation has faults for")
	simRuns = flag.Uint64("simruns", simDefaultRuns, "simulations, each with the next seed")
)

const (
	// simNodes are the machines that run nodes, simTwoDCs those of two data
	// centres of three, and simMost the most that there are.
	simNodes  = 5
	simTwoDCs = 6
	simMost   = simTwoDCs
)

// simulation is a cluster of production nodes in a simulated world, what its
// clients do, and what they saw.
//
// The fields that change, but for those of the world, are touched by the
// goroutine that has the machine's turn, and nodes by anybody under it or by
// load.
type simulation struct {
	t        *testing.T
	w        *sim.World
	log      *slog.Logger
	nodes    []slot
	table    [2]*simTable
	found    violations
	storm    *storm
	batches  batches
	outcomes outcomes
	calm     atomic.Bool                  // nothing is wrong that clients may notice
	replicas [simPartitions][simMost]bool // who has a partition
	simVariant
}

// simVariant is what a simulation is about. The zero one has five nodes fail in
// every way.
type simVariant struct {
	// byHints has replicas become equal by hints alone: what coordinates does not
	// crash, reads repair nothing, and nobody reads everything at the end.
	byHints bool
	// twoDCs has three nodes in each of two data centres, whose clients use
	// partitions of their own at LOCAL_QUORUM.
	twoDCs bool
}

// level is that of the clients' operations.
func (v simVariant) level() ring.ConsistencyLevel {
	if v.twoDCs {
		return ring.LocalQuorum
	}
	return ring.Quorum
}

// copies is how many replicas a partition has.
func (v simVariant) copies() int {
	if v.twoDCs {
		return 2 * simReplicas
	}
	return simReplicas
}

// coordinators are the nodes that take requests of a partition's clients.
func (v simVariant) coordinators(p int) []int {
	switch {
	case v.twoDCs && p < simPartitions/2:
		return []int{0, 1, 2}
	case v.twoDCs:
		return []int{3, 4, 5}
	case v.byHints:
		return []int{0, 1, 2}
	}
	return []int{0, 1, 2, 3, 4}
}

// together are the partitions that have the clients of p.
func (v simVariant) together(p int) (first, end int) {
	switch {
	case !v.twoDCs:
		return 0, simPartitions
	case p < simPartitions/2:
		return 0, simPartitions / 2
	}
	return simPartitions / 2, simPartitions
}

// slot is a machine and what runs on it.
type slot struct {
	turn chan struct{} // holds one element while nobody starts or stops the node
	node atomicNode
	disk atomic.Pointer[vfs.Fault] // of the newest boot
	// restarts counts ends that no nemesis asked for.
	restarts int
}

// TestSim has clients write and read at QUORUM while everything fails, and
// judges all that they are told.
func TestSim(t *testing.T) { simulations(t, simVariant{}) }

// TestSimHints shows that hints lose nothing: at the end all replicas are equal
// though nobody has read everything.
func TestSimHints(t *testing.T) { simulations(t, simVariant{byHints: true}) }

// TestSimTwoDCs has two data centres, of which each goes on alone.
func TestSimTwoDCs(t *testing.T) { simulations(t, simVariant{twoDCs: true}) }

func simulations(t *testing.T, v simVariant) {
	for i := range *simRuns {
		seed := *simSeed + i
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // what is virtual is not disturbed
			synctest.Test(t, func(t *testing.T) { simulate(t, seed, v) })
			if t.Failed() {
				name, _, _ := strings.Cut(t.Name(), "/")
				t.Logf("to repeat it: go test -run '^%s$' ./internal/node -timeout 170m -seed %d -simtime %v -simruns 1", name, seed, *simTime)
			}
		})
	}
}

func simulate(t *testing.T, seed uint64, v simVariant) {
	nodes := simNodes
	if v.twoDCs {
		nodes = simTwoDCs
	}
	s := &simulation{t: t, w: sim.New(seed, nodes), log: slog.New(slog.DiscardHandler), nodes: make([]slot, nodes), simVariant: v}
	if testing.Verbose() && *simVerbose {
		s.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	for i := range s.nodes {
		s.nodes[i].turn = make(chan struct{}, 1)
		s.nodes[i].turn <- struct{}{}
	}
	begun := s.w.Clock.Mono()
	// What ends a test ends its goroutine, which the bubble does not survive:
	// errors are returned up to here, and all nodes are stopped first.
	err := s.run(seed)
	if violation := s.found.err(); violation != nil {
		err = violation
	}
	for i := range s.nodes {
		s.nodes[i].close()
	}
	time.Sleep(lastPings)
	t.Logf("%v virtual in all", s.w.Clock.Mono()-begun)
	if err != nil {
		t.Error(err)
	}
}

func (s *simulation) run(seed uint64) error {
	for i := range s.nodes {
		if err := s.start(i); err != nil {
			return fmt.Errorf("node %d does not start: %w", i, err)
		}
	}
	if err := s.createTables(); err != nil {
		return err
	}
	if err := s.findReplicas(); err != nil {
		return err
	}
	s.storm = s.startStorm(seed)
	clients := s.startClients(seed)
	guards := s.startGuards()
	begun := s.w.Clock.Mono()
	nemeses := s.nemeses()
	lasted, err := s.fail(nemeses)
	loaded := (s.w.Clock.Mono() - begun).Seconds()
	counts := clients.end()
	s.storm.end()
	guards.end()
	if err != nil {
		return err
	}
	success, _ := counts.Success()
	tried := clients.operations.Load()
	changed := 0
	for _, n := range nemeses {
		changed += n.Judge(s.outcomes.changed)
	}
	s.t.Logf("%d effective faults, of which %d changed the outcome of operations, in %v virtual, %d operations (%.0f a second), %.1f %% succeed, %+v\n%v%v\n%v; restarts after failures: %v; slowest operation without faults %v",
		nemeses.effective(), changed, lasted, tried, float64(tried)/loaded, success, counts, nemeses, s.storm, &s.batches, s.restarts(), s.outcomes.slowest)
	if err := s.found.err(); err != nil {
		return err
	}
	if success < 50 || float64(tried) < 100*loaded {
		return fmt.Errorf("%.1f %% of %d operations in %.0f s: too little was tried", success, tried, loaded)
	}
	for _, n := range nemeses {
		if _, void := n.Effective(); len(void) > 0 && simEveryKind {
			return fmt.Errorf("faults of these kinds changed nothing: %q", void)
		}
	}
	return s.quiet()
}

// fail has nodes fail for a while, which it returns, and then go on without
// faults and with some that clients must not notice.
func (s *simulation) fail(nemeses nemeses) (lasted time.Duration, err error) {
	begun := s.w.Clock.Mono()
	nemeses.run(*simTime)
	lasted = s.w.Clock.Mono() - begun
	for _, next := range []func() error{s.loseDisks, s.beCalm, s.goOnApart} {
		if err := next(); err != nil {
			return lasted, err
		}
	}
	return lasted, nil
}

// options are of node i in an environment.
func (s *simulation) options(i int, env *sim.Environment) node.Options {
	c := config.Default()
	c.DataDir, c.ListenAddress = "/data", s.w.Machines[i].IP()
	c.Memory, c.CommitlogSegment = config.MinMemory, 64<<10
	c.CommitlogTotal = simLog
	c.DC = s.dc(i)
	if i > 0 {
		c.Join = []string{s.w.Machines[0].IP()}
	}
	return node.Options{
		Config: c, Version: "test", Clock: env.Clock, FS: env.FS, Rand: env.Rand, Transport: roomy{env.Transport}, Log: s.log.With("node", i, "boot", env.Boot),
	}
}

// simHeap is what the heap of all nodes may take.
const simHeap = 1 << 28

// roomy is the network of a node that shares its process with others.
type roomy struct{ *sim.Stack }

// Listen is what a node does next when it has limited the heap of the process to
// what one node may take: with several, nearly all would be collecting garbage.
func (r roomy) Listen(address string) (net.Listener, error) {
	debug.SetMemoryLimit(simHeap)
	return r.Stack.Listen(address)
}

// dc is the data centre of node i.
func (s *simulation) dc(i int) string {
	if s.twoDCs && i >= simTwoDCs/2 {
		return "datacenter2"
	}
	return "datacenter1"
}

// start boots machine i until a node serves on it, if none does.
func (s *simulation) start(i int) error {
	<-s.nodes[i].turn
	defer func() { s.nodes[i].turn <- struct{}{} }()
	return s.startInTurn(i)
}

// startInTurn is start for the holder of the machine's turn.
func (s *simulation) startInTurn(i int) (err error) {
	if s.nodes[i].node.Load() != nil {
		return nil // somebody else was first
	}
	for range 60 {
		var n *node.Node
		if n, err = s.boot(i); err == nil {
			s.nodes[i].node.Store(n)
			return nil
		}
		s.log.Warn("start failed", "node", i, "error", err)
		s.w.Machines[i].Kill()
		s.w.Clock.Sleep(time.Second)
	}
	return err
}

func (s *simulation) boot(i int) (*node.Node, error) {
	return s.serve(i, s.w.Machines[i].Boot(), 2*time.Minute)
}

func (s *simulation) serve(i int, env *sim.Environment, patience time.Duration) (*node.Node, error) {
	s.nodes[i].disk.Store(env.Faults)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return node.New(ctx, s.options(i, env))
}

// stop ends what ran on machine i, which is down.
func (s *simulation) stop(i int) {
	<-s.nodes[i].turn
	defer func() { s.nodes[i].turn <- struct{}{} }()
	s.nodes[i].close()
}

// close ends the node of a slot. Errors are those of a dead machine.
func (l *slot) close() {
	if n := l.node.Swap(nil); n != nil {
		_ = n.Close(context.Background())
	}
}

func (s *simulation) restarts() (all []int) {
	for i := range s.nodes {
		all = append(all, s.nodes[i].restarts)
	}
	return all
}

// exec executes a statement on node i.
func (s *simulation) exec(i int, level ring.ConsistencyLevel, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n := s.nodes[i].node.Load()
	if n == nil {
		return errDown
	}
	return n.Query().Exec(ctx, query.Statement{Text: text, Consistency: level})
}

// eventually repeats f until it succeeds, for ten minutes.
func (s *simulation) eventually(f func() error) (err error) {
	for range 600 {
		if err = f(); err == nil {
			return nil
		}
		s.w.Clock.Sleep(time.Second)
	}
	return err
}

func (s *simulation) createTables() error {
	for i, stamps := range []history.Stamps{history.Client, history.Server} {
		s.table[i] = &simTable{
			name: [...]string{"ks.client", "ks.server"}[i],
			h:    history.New(history.Options{Stamps: stamps, Now: s.w.Clock.Now, Skew: simSkew, Monotonic: !s.byHints}),
		}
	}
	if err := s.eventually(s.allSeeAll); err != nil {
		return err
	}
	s.w.Clock.Sleep(simVotes)
	factors := "'datacenter1': 3"
	if s.twoDCs {
		factors += ", 'datacenter2': 3"
	}
	texts := []string{"CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', " + factors + "}"}
	repair := "BLOCKING"
	if s.byHints {
		repair = "NONE"
	}
	for _, name := range append(s.tables(), everyTable) {
		texts = append(texts, "CREATE TABLE "+name+" (p int, r int, v bigint, PRIMARY KEY (p, r)) WITH read_repair = '"+repair+"'")
	}
	for _, text := range texts {
		if err := s.exec(0, ring.One, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// allSeeAll tells whether every node knows that all are alive, and none has
// failed and is to be restarted.
func (s *simulation) allSeeAll() error {
	for i := range s.nodes {
		n := s.nodes[i].node.Load()
		if n == nil {
			return errDown
		}
		select {
		case <-n.Failed():
			return fmt.Errorf("node %d has failed: %w", i, n.FailedErr())
		default:
		}
		seen, err := s.count(i, "SELECT * FROM system_views.gossip_info WHERE rpc_ready = 'true' ALLOW FILTERING")
		if err == nil && seen != len(s.nodes) {
			err = fmt.Errorf("node %d sees %d nodes alive of %d", i, seen, len(s.nodes))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// count is how many rows of the node itself a SELECT gives.
func (s *simulation) count(i int, text string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n := s.nodes[i].node.Load()
	if n == nil {
		return 0, errDown
	}
	rows, err := n.Query().Query(ctx, query.Statement{Text: text})
	if err != nil {
		return 0, err
	}
	found := 0
	for rows.Next() {
		found++
	}
	return found, rows.Err()
}

// beCalm has clients and operators go on without any fault: nothing may fail.
func (s *simulation) beCalm() error {
	s.w.Clock.Sleep(simNoticed)
	if err := s.eventually(s.allSeeAll); err != nil {
		return err
	}
	s.calm.Store(true)
	s.storm.calm.Store(true)
	s.w.Clock.Sleep(simCalm)
	s.storm.calm.Store(false)
	s.calm.Store(false)
	return s.found.err()
}

// goOnApart cuts the data centres off each other: at LOCAL_QUORUM nothing may
// fail in either, and EACH_QUORUM is acknowledged in none.
func (s *simulation) goOnApart() error {
	if !s.twoDCs {
		return nil
	}
	// A change of the schema that began while nothing was wrong needs both.
	s.w.Clock.Sleep(partedLong)
	if err := s.eventually(s.allSeeAll); err != nil {
		return err
	}
	cut := s.w.Net.Split([]int{0, 1, 2}, []int{3, 4, 5})
	s.calm.Store(true)
	var all sync.WaitGroup
	for i := range s.nodes {
		all.Go(func() {
			err := s.exec(i, ring.EachQuorum, "INSERT INTO "+everyTable+" (p, r, v) VALUES (0, 0, 0)")
			if err == nil {
				s.found.note(fmt.Errorf("node %d acknowledges EACH_QUORUM without the other data centre", i))
			}
		})
	}
	s.w.Clock.Sleep(2 * simCalm)
	all.Wait()
	s.calm.Store(false)
	cut.Heal()
	return s.found.err()
}

// quiet waits until nothing is left to do, reads everything at ALL and then
// each replica alone.
func (s *simulation) quiet() error {
	if err := s.eventually(s.allSeeAll); err != nil {
		return err
	}
	for i := range s.nodes {
		err := s.eventually(func() error {
			n, err := s.count(i, "SELECT * FROM system_views.pending_hints")
			if err == nil && n > 0 {
				err = errors.Join(fmt.Errorf("node %d keeps hints for %d nodes", i, n), s.allSeeAll(), s.storm.agreed())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	s.w.Clock.Sleep(simSettle)
	if err := errors.Join(s.eventually(s.storm.agreed), s.storm.complete()); err != nil {
		return err
	}
	for _, t := range s.table {
		if s.byHints {
			break
		}
		if err := s.eventually(func() error { return s.scan(t, 0, 0, simPartitions, ring.All, 100) }); err != nil {
			return err
		}
	}
	if err := s.found.err(); err != nil {
		return err
	}
	alone := map[string]map[int][]map[string]int64{} // by table and partition
	for i := range s.nodes {
		cut := s.w.Net.Isolate(i)
		for _, name := range s.tables() {
			if alone[name] == nil {
				alone[name] = map[int][]map[string]int64{}
			}
			for p := range simPartitions {
				// A node that reaches nobody answers for what it has itself.
				if rows, err := s.partition(name, i, p, ring.One); err == nil {
					alone[name][p] = append(alone[name][p], rows)
				}
			}
		}
		cut.Heal()
	}
	for name, partitions := range alone {
		for p := range simPartitions {
			if n := len(partitions[p]); n != s.copies() {
				return fmt.Errorf("partition %d of %s is with %d replicas alone, not with %d", p, name, n, s.copies())
			}
		}
	}
	for _, t := range s.table {
		for p := range simPartitions {
			if err := t.h.Replicas(fmt.Sprint(p), alone[t.name][p]); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return s.batches.judge(alone[batchTable], s.copies())
}

// everyTable is what all data centres write.
const everyTable = "ks.everywhere"

// tables are the names of those that clients use.
func (s *simulation) tables() (names []string) {
	for _, t := range s.table {
		names = append(names, t.name)
	}
	return append(names, batchTable)
}
