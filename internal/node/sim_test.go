package node_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
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

// simNodes are the machines that run nodes.
const simNodes = 5

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
	nodes    [simNodes]slot
	table    [2]*simTable
	found    violations
	storm    *storm
	batches  batches
	outcomes outcomes
	replicas [simPartitions][simNodes]bool // who has a partition
	// byHints has replicas become equal by hints alone: what coordinates does not
	// crash, reads repair nothing, and nobody reads everything at the end.
	byHints bool
}

// coordinators is how many nodes, the first ones, take requests of clients.
func (s *simulation) coordinators() int {
	if s.byHints {
		return 3
	}
	return simNodes
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
func TestSim(t *testing.T) { simulations(t, false) }

// TestSimHints shows that hints lose nothing: at the end all replicas are equal
// though nobody has read everything.
func TestSimHints(t *testing.T) { simulations(t, true) }

func simulations(t *testing.T, byHints bool) {
	for i := range *simRuns {
		seed := *simSeed + i
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // what is virtual is not disturbed
			synctest.Test(t, func(t *testing.T) { simulate(t, seed, byHints) })
			if t.Failed() {
				name, _, _ := strings.Cut(t.Name(), "/")
				t.Logf("to repeat it: go test -run '^%s$' ./internal/node -timeout 170m -seed %d -simtime %v -simruns 1", name, seed, *simTime)
			}
		})
	}
}

func simulate(t *testing.T, seed uint64, byHints bool) {
	s := &simulation{t: t, w: sim.New(seed, simNodes), log: slog.New(slog.DiscardHandler), byHints: byHints}
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
	nemeses.run(*simTime)
	lasted := s.w.Clock.Mono() - begun
	if err := s.loseDisks(); err != nil {
		return err
	}
	if err := s.beCalm(); err != nil {
		return err
	}
	loaded := (s.w.Clock.Mono() - begun).Seconds()
	counts := clients.end()
	s.storm.end()
	guards.end()
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

// options are of node i in an environment.
func (s *simulation) options(i int, env *sim.Environment) node.Options {
	c := config.Default()
	c.DataDir, c.ListenAddress = "/data", s.w.Machines[i].IP()
	c.Memory, c.CommitlogSegment = config.MinMemory, 64<<10
	c.CommitlogTotal = simLog
	if i > 0 {
		c.Join = []string{s.w.Machines[0].IP()}
	}
	return node.Options{
		Config: c, Version: "test", Clock: env.Clock, FS: env.FS, Rand: env.Rand, Transport: env.Transport, Log: s.log.With("node", i, "boot", env.Boot),
	}
}

// start boots machine i until a node serves on it, if none does.
func (s *simulation) start(i int) (err error) {
	<-s.nodes[i].turn
	defer func() { s.nodes[i].turn <- struct{}{} }()
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
	for i := range s.nodes {
		if err := s.eventually(func() error { return s.seesAll(i) }); err != nil {
			return err
		}
	}
	texts := []string{"CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}"}
	repair := "BLOCKING"
	if s.byHints {
		repair = "NONE"
	}
	for _, name := range s.tables() {
		texts = append(texts, "CREATE TABLE "+name+" (p int, r int, v bigint, PRIMARY KEY (p, r)) WITH read_repair = '"+repair+"'")
	}
	for _, text := range texts {
		if err := s.exec(0, ring.One, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// seesAll tells whether node i knows that all are alive.
func (s *simulation) seesAll(i int) error {
	n, err := s.count(i, "SELECT * FROM system_views.gossip_info WHERE rpc_ready = 'true' ALLOW FILTERING")
	if err == nil && n != simNodes {
		err = fmt.Errorf("node %d sees %d nodes alive of %d", i, n, simNodes)
	}
	return err
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
	for i := range s.nodes {
		if err := s.eventually(func() error { return s.seesAll(i) }); err != nil {
			return err
		}
	}
	s.storm.calm.Store(true)
	s.w.Clock.Sleep(simCalm)
	s.storm.calm.Store(false)
	return s.found.err()
}

// quiet waits until nothing is left to do, reads everything at ALL and then
// each replica alone.
func (s *simulation) quiet() error {
	for i := range s.nodes {
		if err := s.eventually(func() error { return s.seesAll(i) }); err != nil {
			return err
		}
	}
	for i := range s.nodes {
		err := s.eventually(func() error {
			n, err := s.count(i, "SELECT * FROM system_views.pending_hints")
			if err == nil && n > 0 {
				err = fmt.Errorf("node %d keeps hints for %d nodes", i, n)
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
		if err := s.eventually(func() error { return s.scan(t, 0, ring.All, 100) }); err != nil {
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
			if n := len(partitions[p]); n != simReplicas {
				return fmt.Errorf("partition %d of %s is with %d replicas alone, not with %d", p, name, n, simReplicas)
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
	return s.batches.judge(alone[batchTable])
}

// tables are the names of those that clients use.
func (s *simulation) tables() (names []string) {
	for _, t := range s.table {
		names = append(names, t.name)
	}
	return append(names, batchTable)
}
