package node_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/sim"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

const (
	// stormOperators change the schema at the same time, each its own tables.
	stormOperators = 2
	// stormPace is the mean pause of an operator between two changes, calmPace
	// while nothing is wrong.
	stormPace, calmPace = time.Second, 100 * time.Millisecond
	// stormTables is about how many tables an operator has at a time.
	stormTables = 3
	// partedLong is longer than a change may take.
	partedLong = 12 * time.Second
)

// storm is changes of the schema, of tables that no client uses, under load and
// faults, and what became of them. All methods are safe for concurrent use.
type storm struct {
	s    *simulation
	stop chan struct{}
	wg   sync.WaitGroup
	// calm is while no fault is in force, and nothing may fail.
	calm atomic.Bool
	// parted is odd while no node reaches the majority of the voters, and grows;
	// waited counts the changes that began then.
	parted, waited atomic.Int64

	mu       sync.Mutex // protects what follows
	versions map[uint64]schema.UUID
	tables   map[string]*stormTable
	acked    map[string]int // changes, by kind
	unknown  int
}

// certainty is what must hold of something that was changed.
type certainty uint8

const (
	maybe certainty = iota
	present
	absent
)

func (c certainty) String() string {
	return [...]string{"of unknown outcome", "acknowledged", "refused"}[c]
}

// stormTable is what is known of a table. Its operator alone changes it.
type stormTable struct {
	table   certainty
	columns map[string]certainty // that were added
}

// startStorm has operators change the schema until end.
func (s *simulation) startStorm(seed uint64) *storm {
	st := &storm{
		s: s, stop: make(chan struct{}), versions: map[uint64]schema.UUID{}, tables: map[string]*stormTable{}, acked: map[string]int{},
	}
	for i := range stormOperators {
		r := rand.NewSeeded(seed<<32 | 1<<16 | uint64(i)<<1)
		st.wg.Go(func() { st.operator(i, r) })
	}
	return st
}

func (st *storm) end() {
	close(st.stop)
	st.wg.Wait()
}

// operator changes tables of its own, one change after the other.
func (st *storm) operator(number int, r *rand.Source) {
	var names []string // that are there for certain
	for n := 0; ; n++ {
		pace := stormPace
		if st.calm.Load() {
			pace = calmPace
		}
		select {
		case <-st.s.w.Clock.After(time.Duration(r.Uint64N(uint64(2*pace))) | 1):
		case <-st.stop:
			return
		}
		at := int(r.Uint64N(uint64(len(st.s.nodes))))
		choice := r.Uint64N(uint64(2 * stormTables))
		if int(choice) >= len(names) {
			name := fmt.Sprintf("storm_%d_%d", number, n)
			t := st.know(name)
			if t.table = st.change(at, "create", "CREATE TABLE ks."+name+" (p int PRIMARY KEY, v int)"); t.table == present {
				names = append(names, name)
			}
			continue
		}
		name := names[choice]
		t := st.know(name)
		if r.Uint64N(2) == 0 {
			column := fmt.Sprint("c", n)
			t.columns[column] = st.change(at, "alter", fmt.Sprintf("ALTER TABLE ks.%s ADD %s text", name, column))
			continue
		}
		names = slices.Delete(names, int(choice), int(choice)+1)
		t.table = maybe
		if st.change(at, "drop", "DROP TABLE ks."+name) == present {
			t.table = absent
		}
	}
}

// know returns what is known of a table.
func (st *storm) know(name string) *stormTable {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.tables[name] == nil {
		st.tables[name] = &stormTable{columns: map[string]certainty{}}
	}
	return st.tables[name]
}

// change executes a change on a node and tells whether it is in force for
// certain.
func (st *storm) change(at int, kind, text string) certainty {
	n := st.s.nodes[at].node.Load()
	if n == nil {
		return maybe
	}
	calm, parted := st.calm.Load(), st.parted.Load()
	if parted%2 == 1 {
		st.waited.Add(1)
	}
	err := st.s.exec(at, ring.One, text)
	apart := parted%2 == 1 && parted == st.parted.Load()
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil || !st.s.runs(at, n) {
		st.unknown++
		if calm {
			st.s.found.note(fmt.Errorf("node %d, with nothing wrong: %s: %w", at, text, err))
		}
		return maybe
	}
	if apart {
		st.s.found.note(fmt.Errorf("node %d acknowledges without a majority: %s", at, text))
	}
	st.acked[kind]++
	return present
}

// see checks that no node serves another schema than others did at the same
// epoch.
func (st *storm) see(i int, s *schema.Snapshot) {
	st.mu.Lock()
	defer st.mu.Unlock()
	was, ok := st.versions[s.Epoch]
	if ok && was != s.Version {
		st.s.found.note(fmt.Errorf("node %d serves the schema %v at epoch %d, which is that of %v", i, s.Version, s.Epoch, was))
	}
	st.versions[s.Epoch] = s.Version
}

// noQuorum parts the machines so that none reaches the majority: the schema
// cannot change, which has to be tried, data can be read and written where two
// replicas see each other.
func (s *simulation) noQuorum(machines []int) sim.Action {
	return sim.Action{Kind: "no quorum", Begin: func(time.Duration) sim.Injected {
		order := s.w.Shuffled(machines)
		f := s.w.Net.Shatter(order[:2], order[2:4], order[4:])
		before := s.storm.waited.Load()
		s.storm.parted.Add(1)
		return sim.Injected{Machines: machines, End: func() int64 {
			if s.w.Rand.Uint64N(4) == 0 {
				s.w.Clock.Sleep(partedLong) // changes are given up
			}
			s.storm.parted.Add(1)
			f.Heal()
			if s.storm.waited.Load() == before {
				return 0
			}
			return f.Effects()
		}}
	}}
}

// agreed judges the schema of all nodes when nothing runs any more: it is one,
// and has what was acknowledged.
func (st *storm) agreed() error {
	var first *schema.Snapshot
	for i := range st.s.nodes {
		n := st.s.nodes[i].node.Load()
		if n == nil {
			return errDown
		}
		s := n.Query().Schema()
		if first == nil {
			first = s
		}
		if s.Epoch != first.Epoch || s.Version != first.Version {
			return fmt.Errorf("node 0 has the schema %v of epoch %d, node %d %v of %d", first.Version, first.Epoch, i, s.Version, s.Epoch)
		}
	}
	return nil
}

// complete judges what was acknowledged by the schema that all nodes have.
func (st *storm) complete() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	all := st.s.nodes[0].node.Load().Query().Schema()
	for _, name := range slices.Sorted(maps.Keys(st.tables)) {
		known, there := st.tables[name], all.Table("ks", name)
		if known.table == present && there == nil || known.table == absent && there != nil {
			return fmt.Errorf("table %s: there is %v, though its change was acknowledged", name, there)
		}
		for _, column := range slices.Sorted(maps.Keys(known.columns)) {
			if there != nil && known.columns[column] == present && !hasColumn(there, column) {
				return fmt.Errorf("table %s has no column %s, though its change was acknowledged", name, column)
			}
		}
	}
	return nil
}

func hasColumn(t *schema.Table, name string) bool {
	return slices.ContainsFunc(t.Columns(), func(c *schema.Column) bool { return c.Name == name })
}

func (st *storm) String() string {
	st.mu.Lock()
	defer st.mu.Unlock()
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(st.acked)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", st.acked[kind], kind))
	}
	return fmt.Sprintf("schema: %s acknowledged, %d unknown, %d begun without a majority, %d epochs seen",
		strings.Join(kinds, ", "), st.unknown, st.waited.Load(), len(st.versions))
}
