package memtable

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// Observer is told of every row that a record changes, under a lock of the
// memtable: it must be quick and must not use the memtable.
type Observer interface {
	// Row gives the row before (nil if this memtable has none) and after the
	// record, reconciled with this memtable's other versions alone. clustering
	// is nil for the static row. The slices are valid during the call.
	Row(r mutation.Record, clustering, before, after []byte)
}

// Memtable holds the newest rows of a table. Put, Link, Stats and Iter are safe for
// concurrent use. An empty one takes a few hundred bytes.
type Memtable struct {
	table schema.TableID
	alloc Allocator
	body  atomic.Pointer[body]
	mu    sync.Mutex // protects making the body, and splits
}

// body is what a memtable consists of once it holds something.
type body struct {
	arena  arena
	epochs epochs
	shards atomic.Pointer[[]*shard]
	crowd  crowd
	stats  stats
}

// crowd holds the partitions of crowded slots in one tree.
type crowd struct {
	mu    sync.Mutex // protects space and changes of root
	space space
	root  atomic.Uint32
}

// shard holds the partitions of a range of tokens.
type shard struct {
	mu         sync.Mutex // protects all below but loads of dir
	space      space
	dir        atomic.Pointer[directory]
	partitions int
	dead       bool // replaced by two halves
}

// New returns an empty memtable of the table.
func New(table schema.TableID, alloc Allocator) *Memtable {
	return &Memtable{table: table, alloc: alloc}
}

// Table is the table's id.
func (m *Memtable) Table() schema.TableID { return m.table }

// Empty tells whether nothing was put yet.
func (m *Memtable) Empty() bool {
	b := m.body.Load()
	return b == nil || b.stats.partitions.Load() == 0
}

// Bytes is the memory taken from the allocator.
func (m *Memtable) Bytes() int64 {
	if b := m.body.Load(); b != nil {
		return b.arena.bytes.Load()
	}
	return 0
}

// Free gives all memory back. No Iter may be open and no Put may run or
// follow.
func (m *Memtable) Free() {
	if b := m.body.Swap(nil); b != nil {
		b.arena.free()
	}
}

// Checked is a record that Check has accepted, for one Link.
type Checked struct {
	record mutation.Record
	sum    summary
}

// Table is the table that the record is for.
func (c *Checked) Table() schema.TableID { return c.record.Table() }

// Check makes c of a record, which must not change, unless it is malformed.
func (c *Checked) Check(r mutation.Record) error {
	c.record = r
	return c.sum.add(r)
}

// Put is Check and Link. An error means that the record is malformed and that
// nothing was changed.
func (m *Memtable) Put(r mutation.Record, o Observer) error {
	var c Checked
	if err := c.Check(r); err != nil {
		return err
	}
	m.Link(&c, o)
	return nil
}

// Link applies a record: readers see all of it or nothing. It takes memory over
// the budget if it has to.
func (m *Memtable) Link(c *Checked, o Observer) {
	s := m.lockShard(c.record.Token().Ordered())
	b := m.body.Load()
	s.apply(b, c.record, o, &c.sum)
	split := s.space.taken > splitBytes
	s.mu.Unlock()
	b.stats.add(&c.sum)
	if split {
		m.split(b)
	}
}

// LinkAll is Link for several records, which need not be seen together: as with
// PutAll, several are looked up at once.
func (m *Memtable) LinkAll(checked []Checked) {
	var records [warmAhead]mutation.Record
	for len(checked) > 0 {
		n := min(warmAhead, len(checked))
		if n > 1 {
			for i := range n {
				records[i] = checked[i].record
			}
			m.warm(records[:n])
		}
		for i := range n {
			m.Link(&checked[i], nil)
		}
		checked = checked[n:]
	}
}

// lockShard locks the shard of a token and returns it.
func (m *Memtable) lockShard(token uint64) *shard {
	b := m.body.Load()
	if b == nil {
		b = m.make()
	}
	for {
		s := b.shardOf(token)
		s.mu.Lock()
		if !s.dead {
			return s
		}
		s.mu.Unlock()
	}
}

func (b *body) shardOf(token uint64) *shard {
	all := *b.shards.Load()
	return all[shardIndex(token, len(all))]
}

// shardIndex is the shard of a token among n, a power of two.
func shardIndex(token uint64, n int) int {
	// The top bits of token, without a variable shift by 64.
	return int(token >> 32 * uint64(n) >> 32)
}

func (m *Memtable) make() *body {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.body.Load(); b != nil {
		return b
	}
	b := &body{arena: arena{alloc: m.alloc}}
	b.epochs.now.Store(2)
	b.stats.init()
	b.crowd.space = space{arena: &b.arena, epochs: &b.epochs}
	s := &shard{space: space{arena: &b.arena, epochs: &b.epochs}}
	s.dir.Store(newDirectory(&s.space, firstBits, 0, 1<<firstBits))
	b.shards.Store(&[]*shard{s})
	m.body.Store(b)
	return b
}

// splitBytes is the memory that a shard takes before there are more of them.
const splitBytes = 4 << 20

// split doubles the number of shards, up to twice the cores.
func (m *Memtable) split(b *body) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *b.shards.Load()
	for _, s := range old {
		s.mu.Lock()
	}
	defer func() {
		for _, s := range old {
			s.mu.Unlock()
		}
	}()
	grow := len(old) < 2*runtime.GOMAXPROCS(0)
	all := make([]*shard, 0, 2*len(old))
	for _, s := range old {
		d := s.dir.Load()
		grow = grow && len(d.pages) > 1
		s.space.taken = 0
	}
	if !grow {
		return
	}
	for _, s := range old {
		low, high := s.halves()
		all = append(all, low, high)
	}
	b.shards.Store(&all)
}

// halves makes two shards of one, which is dead then.
func (s *shard) halves() (low, high *shard) {
	s.dead = true
	dl, dh := s.dir.Load().halves()
	low = &shard{space: s.space, partitions: s.partitions / 2}
	// The number of the transaction must not come twice for a tree node.
	high = &shard{space: space{arena: s.space.arena, epochs: s.space.epochs, txn: s.space.txn,
		chunk: s.space.chunk}, partitions: s.partitions / 2}
	low.dir.Store(dl)
	high.dir.Store(dh)
	return low, high
}

// Stats describe what a memtable holds.
type Stats struct {
	Bytes      int64 // memory taken, and so also what a flush frees
	Partitions int64
	Records    int64 // put
	Rows       int64 // different ones, static ones not counted

	MinTimestamp, MaxTimestamp int64 // microseconds, of everything put
	// MinLocalTime and MaxLocalTime bound local deletion times and expiries in
	// seconds since 1970; 0 and 0 if there are none.
	MinLocalTime, MaxLocalTime uint32
	HasTombstones              bool // deletions of any kind
	HasExpiring                bool
}

// Stats returns what the memtable holds; while records are put, parts of it
// may be of different moments.
func (m *Memtable) Stats() Stats {
	b := m.body.Load()
	if b == nil {
		return Stats{}
	}
	return b.stats.snapshot(b.arena.bytes.Load())
}

// stats are atomic so that Put adds to them outside of the shard's lock.
type stats struct {
	partitions, records, rows atomic.Int64
	minTS, maxTS              atomic.Int64
	minLocal, maxLocal        atomic.Uint32
	tombstones, expiring      atomic.Bool
}

func (s *stats) init() {
	s.minTS.Store(math.MaxInt64)
	s.maxTS.Store(math.MinInt64)
	s.minLocal.Store(math.MaxUint32)
}

func (s *stats) snapshot(bytes int64) Stats {
	o := Stats{
		Bytes: bytes, Partitions: s.partitions.Load(), Records: s.records.Load(), Rows: s.rows.Load(),
		MinTimestamp: s.minTS.Load(), MaxTimestamp: s.maxTS.Load(),
		MinLocalTime: s.minLocal.Load(), MaxLocalTime: s.maxLocal.Load(),
		HasTombstones: s.tombstones.Load(), HasExpiring: s.expiring.Load(),
	}
	if o.MinTimestamp > o.MaxTimestamp {
		o.MinTimestamp, o.MaxTimestamp = 0, 0
	}
	if o.MinLocalTime > o.MaxLocalTime {
		o.MinLocalTime, o.MaxLocalTime = 0, 0
	}
	return o
}
