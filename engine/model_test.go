package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// modelRun compares an engine under random options with a model per table.
//
// In a run that purges, the clock moves through the times at which generated
// data expires, compactions are made one at a time and timestamps grow from
// one to the next, so that no write is older than a tombstone that is gone:
// what is live must be equal. In others time stands still before anything
// expires, compaction runs by itself, and everything stored must be equal.
type modelRun struct {
	t      testing.TB
	rnd    *rand.Source
	purges bool
	now    uint32
	fs     *vfs.Mem
	o      Options
	e      *Engine
	epoch  uint64
	nextID byte
	tables []*modelTable
	trace  []string
}

type modelTable struct {
	def   *schema.Table
	gen   *mutationtest.Gen
	model *mutationtest.Model
}

func (m *modelRun) n(n int) int { return int(m.rnd.Uint64N(uint64(n))) }

func pickOf[T any](m *modelRun, of ...T) T { return of[m.n(len(of))] }

var modelKeys = []mutation.Key{
	{Token: ring.MinToken + 5, Key: []byte("first")}, {Token: -5, Key: []byte("a")}, {Token: 7, Key: []byte("b")},
	{Token: 7, Key: []byte("c")}, {Token: 1 << 62, Key: []byte("d")},
}

func newModelRun(t testing.TB, seed uint64) *modelRun {
	m := &modelRun{t: t, rnd: rand.NewSeeded(seed), fs: vfs.NewMem(), now: 5}
	m.purges = seed%2 == 0
	for range pickOf(m, 1, 1, 3, 50) {
		m.addTable(seed)
	}
	m.options()
	m.e = mustOpen(t, m.o)
	return m
}

// options draws those that may differ from one open to the next.
func (m *modelRun) options() {
	m.o = Options{
		FS: &roomy{FS: m.fs, room: pickOf[int64](m, 0, 1<<50)}, Dir: "/d", Rand: m.rnd.Split(), Schema: m.snapshot(), NoCompaction: m.purges,
		Clock: clock.Skewed{Clock: clock.Real, Offset: func() time.Duration {
			return clock.Real.Now().Sub(time.Unix(int64(atomic.LoadUint32(&m.now)), 0)) * -1
		}},
		Budget:       mem.NewBudget(int64(pickOf(m, 24<<20, 64<<20, 256<<20))),
		SegmentSize:  pickOf(m, 64<<10, 1<<20),
		LogSize:      int64(pickOf(m, 256<<10, 64<<20)),
		Lanes:        pickOf(m, 1, 1, 3),
		Access:       pickOf(m, AccessAuto, AccessDirect, AccessMmap),
		MemtableSize: int64(pickOf(m, 64<<10, 512<<10, 4<<20)),
		BlockSize:    pickOf(m, 256, 4096, 16384),
		NoCache:      m.n(4) == 0,
	}
}

func (m *modelRun) addTable(seed uint64) {
	m.nextID++
	def := &schema.Table{
		ID: schema.TableID{15: m.nextID}, Keyspace: "ks", Name: fmt.Sprintf("t%d", m.nextID), NextColumnID: 8,
		PartitionKey: []*schema.Column{{ID: 6, Name: "k", Kind: schema.PartitionKey, Type: schema.TypeBlob}},
		Clustering:   []*schema.Column{{ID: 7, Name: "c", Kind: schema.Clustering, Type: schema.TypeBlob}},
		Options:      schema.DefaultOptions(),
	}
	for i := range schema.ColumnID(5) {
		typ := schema.TypeBlob
		if i >= 3 {
			typ = schema.SetOf(schema.TypeBlob, false)
		}
		def.Regular = append(def.Regular, &schema.Column{ID: i + 1, Name: fmt.Sprintf("c%d", i+1), Kind: schema.Regular, Position: -1, Type: typ})
	}
	def.Options.Compression = pickOf(m, map[string]string{"enabled": "false"}, map[string]string{"class": "LZ4Compressor"},
		map[string]string{"class": "SnappyCompressor"}, map[string]string{"class": "ZstdCompressor"})
	def.Options.Compaction = pickOf(m,
		map[string]string{"class": "UnifiedCompactionStrategy", "scaling_parameters": "T2", "min_sstable_size": "0B", "base_shard_count": "4"},
		map[string]string{"class": "UnifiedCompactionStrategy", "scaling_parameters": "L4"},
		map[string]string{"class": "SizeTieredCompactionStrategy", "min_threshold": "2"},
		map[string]string{"class": "LeveledCompactionStrategy"},
		map[string]string{"class": "TimeWindowCompactionStrategy", "compaction_window_size": "1", "compaction_window_unit": "MINUTES", "min_threshold": "2"})
	def.Options.GCGraceSeconds = pickOf[int32](m, 0, 10)
	def.Options.BloomFilterFPChance = pickOf(m, 0.01, 0.5, 1)
	def.Init()
	gen := mutationtest.NewGen(seed<<8 + uint64(m.nextID))
	gen.Keys, gen.Rows = modelKeys, pickOf(m, 4, 12, 60)
	m.tables = append(m.tables, &modelTable{def, gen, mutationtest.NewModel()})
}

// snapshot is the schema of the tables that there are.
func (m *modelRun) snapshot() *schema.Snapshot {
	s := schema.NewSnapshot()
	m.epoch++
	ks := &schema.Keyspace{Name: "ks", Replication: map[string]string{"class": "SimpleStrategy", "replication_factor": "1"}, DurableWrites: true}
	s, err := s.Apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: ks}, m.epoch)
	for _, t := range m.tables {
		if err == nil {
			m.epoch++
			s, err = s.Apply(schema.Change{Kind: schema.CreateTable, Table: t.def}, m.epoch)
		}
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *modelRun) any() *modelTable { return m.tables[m.n(len(m.tables))] }

// record makes one for the table: mostly small, sometimes a large row.
func (m *modelRun) record(t *modelTable) mutation.Record {
	r := t.gen.Record()
	if m.n(30) == 0 {
		var b mutation.Builder
		k := modelKeys[m.n(len(modelKeys))]
		ts := t.gen.MinStamp + int64(m.n(8))
		b.Begin(nil, mutation.Header{Timestamp: ts, Token: k.Token, Key: k.Key})
		b.BeginRow(mutationtest.Clustering(m.n(4)))
		b.Cell(mutation.Cell{Column: 2, Timestamp: ts, Value: []byte(strings.Repeat("long ", m.n(4000)))})
		b.EndRow()
		r = b.Finish()
	}
	copy(r[4:20], t.def.ID[:]) // where a record names its table
	return r
}

func (m *modelRun) write() {
	var group []mutation.Record
	var to []*modelTable
	for range pickOf(m, 1, 1, 1, 4) {
		t := m.any()
		group, to = append(group, m.record(t)), append(to, t)
	}
	a := make(await, 1)
	if err := m.e.Apply(context.Background(), group, m.n(2) == 0, a); err != nil {
		m.fatal("write: %v", err)
	}
	if err := <-a; err != nil {
		m.fatal("write: %v", err)
	}
	for i, t := range to {
		t.model.Apply(group[i])
	}
}

// purged makes what is written from now on newer than what a compaction may
// have dropped.
func (m *modelRun) purged() {
	if !m.purges {
		return
	}
	for _, t := range m.tables {
		t.gen.MinStamp += 8
	}
	atomic.AddUint32(&m.now, uint32(m.n(4))) // the engine reads it
}

func (m *modelRun) fatal(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter %v\npurges %t, now %d, options %+v", fmt.Sprintf(format, args...), m.trace, m.purges, m.now, m.o)
}

// step does one thing and says what.
func (m *modelRun) step() {
	t := m.any()
	what, err := "", error(nil)
	switch n := m.n(40); n {
	case 0, 1, 2:
		what, err = "flush", m.e.Flush(t.def.ID)
	case 3:
		what, err = "flush all", m.e.FlushAll()
	case 4, 5:
		what, err = "compact", m.e.Compact(context.Background(), t.def.ID)
		m.purged()
	case 6, 7, 8:
		what, err = "pick", m.pick(t)
		m.purged()
	case 9:
		what, err = "reopen", m.reopen(false)
	case 10:
		what, err = "crash", m.reopen(true)
	case 11:
		what, err = "truncate", m.e.Truncate(context.Background(), t.def.ID, m.epoch, 1)
		t.model = mutationtest.NewModel()
	case 12:
		what, err = "drop", m.drop(t)
	case 13, 14, 15, 16:
		what = "check"
		m.check(t)
	default:
		m.write()
		return
	}
	m.trace = append(m.trace, fmt.Sprintf("%s %s", what, t.def.Name))
	if err != nil {
		m.fatal("%s: %v", what, err)
	}
}

func (m *modelRun) pick(t *modelTable) error {
	tab, err := m.e.table(t.def.ID)
	if err != nil {
		return err
	}
	for _, k := range m.e.claim(tab, mostUrgent) {
		if err := m.e.run(context.Background(), k); err != nil {
			return err
		}
	}
	return nil
}

func (m *modelRun) reopen(crash bool) error {
	old := m.e
	if crash {
		m.fs = m.fs.CrashClone(vfs.CrashOptions{Keep: pickOf(m, 0, 50, 100), Rand: m.rnd})
	}
	if err := old.Close(); err != nil {
		return err
	}
	m.options()
	m.e = mustOpen(m.t, m.o)
	for range 5 {
		m.check(m.any())
	}
	return nil
}

// drop drops a table and makes another.
func (m *modelRun) drop(t *modelTable) error {
	if m.nextID == 255 {
		return nil
	}
	for i := range m.tables {
		if m.tables[i] == t {
			m.tables = append(m.tables[:i], m.tables[i+1:]...)
			break
		}
	}
	m.addTable(uint64(m.nextID))
	return m.e.ApplySchema(m.snapshot())
}

func (m *modelRun) read(cmd *mutation.ReadCommand) mutation.Source {
	cmd.Now, cmd.Static = m.now, cmd.Columns == nil
	src, err := m.e.Read(context.Background(), cmd)
	if err != nil {
		m.fatal("read: %v", err)
	}
	return src
}

// check compares all of a table and some parts of it.
func (m *modelRun) check(t *modelTable) {
	m.t.Helper()
	for _, keys := range [][]mutation.Key{nil, modelKeys} {
		reverse := m.n(2) == 0
		src := m.read(&mutation.ReadCommand{Table: t.def.ID, Keys: keys, Reverse: reverse})
		var got, want string
		if m.purges {
			got, want = mutationtest.DumpLive(src, m.now), mutationtest.DumpLive(t.model.Source(reverse), m.now)
		} else {
			got, want = filled(mutationtest.Dump(src)), filled(mutationtest.Dump(t.model.Source(reverse)))
		}
		err := src.Err()
		src.Close()
		if got != want || err != nil {
			m.fatal("%s, reverse %t, by key %t: %v\n%s\nwant\n%s", t.def.Name, reverse, keys != nil, err, short(got), short(want))
		}
	}
	m.checkSlice(t)
	m.checkRow(t)
}

// filled is a dump without partitions that hold nothing: a file does not have
// what a memtable may.
func filled(dump string) string {
	var b strings.Builder
	head := ""
	for line := range strings.Lines(dump) {
		switch {
		case strings.HasPrefix(line, "  "):
			b.WriteString(head + line)
			head = ""
		case strings.Contains(line, "deleted") || !strings.HasPrefix(line, "partition"):
			b.WriteString(line)
			head = ""
		default:
			head = line
		}
	}
	return b.String()
}

func short(s string) string { return s[:min(len(s), 4000)] }

// walk is every live row of each partition within a slice.
func walk(src mutation.Source, s mutation.Slice, reverse bool, now uint32) string {
	var b strings.Builder
	for src.NextPartition() {
		key := string(src.Partition().Key)
		from := s.Lo
		if reverse {
			from = s.Hi
		}
		src.Seek(from)
		for src.Next() && within(src.Item().Clustering, s) {
			it := src.Item()
			var r mutation.RowReader
			if it.Kind != mutation.ItemRow || r.Init(it.Row) != nil || !r.Live(now) {
				continue
			}
			fmt.Fprintf(&b, "%s %q:", key, it.Clustering)
			_ = r.Init(it.Row)
			for r.NextCell() {
				if r.Cell.Live(now) {
					fmt.Fprintf(&b, " %d/%x@%d=%q", r.Cell.Column, r.Cell.Path, r.Cell.Timestamp, r.Cell.Value)
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func (m *modelRun) checkSlice(t *modelTable) {
	lo, hi := m.n(t.gen.Rows), m.n(t.gen.Rows)
	s := mutation.Slice{Lo: mutationtest.BoundOf(min(lo, hi), m.n(2) == 0), Hi: mutationtest.BoundOf(max(lo, hi)+1, false)}
	if m.n(4) == 0 {
		s.Hi = nil
	}
	reverse := m.n(2) == 0
	src := m.read(&mutation.ReadCommand{Table: t.def.ID, Slices: []mutation.Slice{s}, Reverse: reverse})
	got := walk(src, s, reverse, m.now)
	src.Close()
	if want := walk(t.model.Source(reverse), s, reverse, m.now); got != want {
		m.fatal("%s, slice %q, reverse %t:\n%s\nwant\n%s", t.def.Name, s, reverse, short(got), short(want))
	}
}

// checkRow reads a column of one row, which may stop early.
func (m *modelRun) checkRow(t *modelTable) {
	row, column := m.n(t.gen.Rows), schema.ColumnID(1+m.n(2))
	k := modelKeys[m.n(len(modelKeys))]
	s := mutation.Slice{Lo: mutationtest.BoundOf(row, false), Hi: mutationtest.BoundOf(row, true)}
	src := m.read(&mutation.ReadCommand{Table: t.def.ID, Keys: []mutation.Key{k}, Slices: []mutation.Slice{s}, Columns: []schema.ColumnID{column}})
	got := only(walk(src, s, false, m.now), string(k.Key), column)
	src.Close()
	if want := only(walk(t.model.Source(false), s, false, m.now), string(k.Key), column); got != want {
		m.fatal("%s, row %d of %s, column %d:\n%s\nwant\n%s", t.def.Name, row, k.Key, column, short(got), short(want))
	}
}

// only is whether a walk found a row of the key, and its cell of the column.
func only(walked, key string, column schema.ColumnID) string {
	for line := range strings.Lines(walked) {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			for _, f := range strings.Fields(rest) {
				if strings.HasPrefix(f, fmt.Sprintf("%d/", column)) {
					return "row with " + f
				}
			}
			return "row without"
		}
	}
	return "no row"
}

// runModel runs one seed for so many steps.
func runModel(t testing.TB, seed uint64, steps int) {
	m := newModelRun(t, seed)
	defer func() { m.e.Close() }()
	for range steps {
		m.step()
	}
	for _, table := range m.tables {
		m.check(table)
	}
}

func TestModel(t *testing.T) {
	seeds := uint64(32)
	if testing.Short() || invariant.Enabled {
		seeds = 6
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, seed, 500) })
	}
}
