package engine

import (
	"cmp"
	"slices"

	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/mutation"
)

// replayRun is a number of records, copied, since the log reuses its buffer.
// Its memory is of the memtables' share.
type replayRun struct {
	chunks  [][]byte
	used    int // of the last chunk
	bytes   int // of all records
	records []replayRecord
	tables  []*table
}

// replayRecord is the place of a record in a run.
type replayRecord struct {
	token uint64 // ordered
	table uint32 // in tables
	chunk uint32
	off   uint32
	size  uint32
}

// add copies a record into the run.
func (r *replayRun) add(w *replayWorkers, t *table, token uint64, rec mutation.Record) {
	n := len(r.chunks)
	if n == 0 || r.used+len(rec) > len(r.chunks[n-1]) {
		size := min(w.size, mem.MaxChunk)
		if size&(size-1) != 0 || size < len(rec) {
			size = (max(size, len(rec)) + mem.MinChunk - 1) &^ (mem.MinChunk - 1)
		}
		r.chunks = append(r.chunks, w.engine.arena.Alloc(size))
		w.held.Add(int64(size))
		r.used = 0
		n++
	}
	off := r.used
	r.used += copy(r.chunks[n-1][off:], rec)
	r.bytes += len(rec)
	r.records = append(r.records, replayRecord{
		token: token, table: r.indexOf(t), chunk: uint32(n - 1), off: uint32(off), size: uint32(len(rec)),
	})
}

// indexOf is the place of t in tables. Records of one table mostly come
// together.
func (r *replayRun) indexOf(t *table) uint32 {
	if n := len(r.records); n > 0 {
		if i := r.records[n-1].table; r.tables[i] == t {
			return i
		}
	}
	i := slices.Index(r.tables, t)
	if i < 0 {
		i = len(r.tables)
		r.tables = append(r.tables, t)
	}
	return uint32(i)
}

func (r *replayRun) record(p *replayRecord) mutation.Record {
	end := p.off + p.size
	return r.chunks[p.chunk][p.off:end:end]
}

// Of a token 33 bits are sorted by counting, in digits of 11; hardly any two
// tokens of a run agree in them, unless somebody has chosen them.
const (
	digitBits  = 11
	firstDigit = 64 - 3*digitBits
)

// sort brings the records of one table together, in the order of tokens. spare
// is memory that it uses; what it no longer needs is returned.
func (r *replayRun) sort(spare []replayRecord) []replayRecord {
	if cap(spare) < len(r.records) {
		spare = make([]replayRecord, cap(r.records))
	}
	from, to := r.records, spare[:len(r.records)]
	counts := make([]int, max(1<<digitBits, len(r.tables)))
	for shift := firstDigit; shift < 64; shift += digitBits {
		countingSort(to, from, counts, func(p *replayRecord) int { return int(p.token >> shift & (1<<digitBits - 1)) })
		from, to = to, from
	}
	if len(r.tables) > 1 {
		countingSort(to, from, counts, func(p *replayRecord) int { return int(p.table) })
		from, to = to, from
	}
	r.records = from
	for i := 0; i < len(from); {
		n, mixed := 1, false
		for i+n < len(from) && from[i+n].table == from[i].table && from[i+n].token>>firstDigit == from[i].token>>firstDigit {
			mixed = mixed || from[i+n].token != from[i].token
			n++
		}
		if mixed { // else they stay in the order of the log
			slices.SortFunc(from[i:i+n], func(a, b replayRecord) int { return cmp.Compare(a.token, b.token) })
		}
		i += n
	}
	return to
}

// countingSort copies from to to in the order of digit, which is below
// len(counts), and leaves equals as they are.
func countingSort(to, from []replayRecord, counts []int, digit func(*replayRecord) int) {
	clear(counts)
	for i := range from {
		counts[digit(&from[i])]++
	}
	sum := 0
	for d, n := range counts {
		counts[d] = sum
		sum += n
	}
	for i := range from {
		d := digit(&from[i])
		to[counts[d]] = from[i]
		counts[d]++
	}
}

// reset empties the run. It keeps one chunk that the next records fit into.
func (r *replayRun) reset(w *replayWorkers) {
	keep := 0
	if len(r.chunks) > 0 && len(r.chunks[0]) <= mem.MaxChunk {
		keep = 1
	}
	r.freeFrom(w, keep)
	clear(r.tables)
	r.used, r.bytes, r.records, r.tables = 0, 0, r.records[:0], r.tables[:0]
}

// release gives back all memory of a run that was reset.
func (r *replayRun) release(w *replayWorkers) { r.freeFrom(w, 0) }

func (r *replayRun) freeFrom(w *replayWorkers, keep int) {
	for i := keep; i < len(r.chunks); i++ {
		w.held.Add(-int64(len(r.chunks[i])))
		w.engine.arena.Free(r.chunks[i])
	}
	clear(r.chunks[min(keep, len(r.chunks)):])
	r.chunks = r.chunks[:min(keep, len(r.chunks))]
}
