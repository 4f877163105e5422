package compaction

import (
	"math"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// TableInfo is what is known of a table file without reading its rows.
type TableInfo struct {
	ID   uint64
	Size int64 // bytes

	First, Last                ring.Token // of its partitions, both inclusive
	MinTimestamp, MaxTimestamp int64      // of everything in it, deletions included

	// AllExpire says that nothing live is without a TTL, and MaxDrop is the
	// largest expiry and local deletion time in seconds since 1970.
	AllExpire      bool
	MaxDrop        uint32
	MinTTL, MaxTTL uint32 // seconds; of cells with one
	Tombstones     bool   // there are some, of any kind
	// Droppable is the part, 0 to 1, of cells that State.GCBefore would let go
	// if nothing else were there.
	Droppable float64
	CreatedAt uint32 // seconds since 1970

	Repaired      bool
	PendingRepair schema.UUID // zero: none
	FormatLevel   uint32
	// Busy files take part in no task: a task has them already.
	Busy bool
}

// State is all that Pick knows.
type State struct {
	Tables []TableInfo
	Now    uint32 // seconds since 1970
	// GCBefore is the bound of purging: tombstones of a local time below it
	// have reached every replica. GraceBefore is now less the grace period; it
	// is at or above GCBefore.
	GCBefore, GraceBefore uint32
	// DefaultTTL is the table's default_time_to_live in seconds.
	DefaultTTL uint32
	// OthersMinTimestamp is the smallest timestamp that is not in Tables: of
	// memtables, unreplayed segments and incoming streams. math.MaxInt64 if
	// there is nothing.
	OthersMinTimestamp int64
	// FlushSize is the usual size in bytes of a flushed file.
	FlushSize int64
	// Owned is the part, 0 to 1, of the token space that the node owns; 0 is
	// all of it.
	Owned float64
}

// TaskKind is what a task is for.
type TaskKind uint8

// Kinds of tasks.
const (
	// Merge merges the files.
	Merge TaskKind = iota
	// DropExpired drops the files, unread.
	DropExpired
	// PurgeTombstones rewrites one file.
	PurgeTombstones
)

// String is the kind's name for logs.
func (k TaskKind) String() string {
	return [...]string{"merge", "drop expired", "purge tombstones"}[k]
}

// Task is something to do. Its tables are in the order of State.Tables.
type Task struct {
	Kind   TaskKind
	Tables []uint64
	Level  int // of the inputs: UCS only
	// Shards is the number of equal parts of the token space at whose bounds
	// outputs are cut; see Cuts.
	Shards int
}

// group is what files of one task have in common.
type group struct {
	repaired bool
	pending  schema.UUID
	format   uint32
}

func (t *TableInfo) group() group { return group{t.Repaired, t.PendingRepair, t.FormatLevel} }

// overlaps tells whether the tables may share partitions.
func (t *TableInfo) overlaps(o *TableInfo) bool { return t.First <= o.Last && o.First <= t.Last }

// groups splits the idle tables; groups come in the order of their first
// table.
func groups(tables []*TableInfo) [][]*TableInfo {
	var order []group
	by := make(map[group][]*TableInfo)
	for _, t := range tables {
		g := t.group()
		if by[g] == nil {
			order = append(order, g)
		}
		by[g] = append(by[g], t)
	}
	all := make([][]*TableInfo, 0, len(order))
	for _, g := range order {
		all = append(all, by[g])
	}
	return all
}

// span is the part of the owned token space that tables cover, over 0.
func (s *State) span(tables ...*TableInfo) float64 {
	first, last := tables[0].First, tables[0].Last
	for _, t := range tables[1:] {
		first, last = min(first, t.First), max(last, t.Last)
	}
	span := float64(last.Ordered()-first.Ordered()) / math.Exp2(64)
	// A file of one or a few partitions says nothing of how densely data
	// lies; its size must do.
	if span < math.Exp2(-48) {
		return 1
	}
	if s.Owned > 0 {
		span /= s.Owned
	}
	return min(span, 1)
}

// density is bytes per token space: what a table of all tokens would have.
func (s *State) density(tables ...*TableInfo) float64 {
	size := int64(0)
	for _, t := range tables {
		size += t.Size
	}
	return float64(size) / s.span(tables...)
}

// Cuts returns the first tokens of the parts, but for the first part, into
// which Shards equal parts divide the token space, as far as they lie in
// (first, last].
func Cuts(shards int, first, last ring.Token) []ring.Token {
	var cuts []ring.Token
	for i := 1; i < shards; i++ {
		t := ring.TokenFromOrdered(cutAt(i, shards))
		if t > first && t <= last {
			cuts = append(cuts, t)
		}
	}
	return cuts
}

// cutAt is i * 2^64 / shards.
func cutAt(i, shards int) uint64 {
	hi, lo := uint64(i), uint64(0)
	// Long division by a small number, 32 bits at a time.
	n := uint64(shards)
	hi %= n
	q1 := hi << 32 / n
	r1 := hi << 32 % n
	q0 := (r1<<32 | lo) / n
	return q1<<32 | q0
}

// ids returns the ids of tables in the order of the state.
func (s *State) ids(tables []*TableInfo) []uint64 {
	in := make(map[*TableInfo]bool, len(tables))
	for _, t := range tables {
		in[t] = true
	}
	ids := make([]uint64, 0, len(tables))
	for i := range s.Tables {
		if in[&s.Tables[i]] {
			ids = append(ids, s.Tables[i].ID)
		}
	}
	return ids
}
