package memtable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

func newTest(t testing.TB) *Memtable {
	m := New(schema.TableID{1}, &HeapAllocator{})
	t.Cleanup(m.Free)
	return m
}

func dump(m *Memtable, reverse bool) string {
	var it Iter
	it.Init(m, mutation.PartitionRange{}, reverse)
	defer it.Close()
	return mutationtest.Dump(&it)
}

// merged is what a Merge makes of the source: canonical, so that a source that
// still holds what its deletions shadow can be compared.
func merged(s mutation.Source, reverse bool) string {
	var m mutation.Merge
	m.Init([]mutation.Source{s}, reverse)
	return mutationtest.Dump(&m)
}

func mergedIter(m *Memtable, reverse bool) string {
	var it Iter
	it.Init(m, mutation.PartitionRange{}, reverse)
	defer it.Close()
	return merged(&it, reverse)
}

// seeds is the number of random histories to try; the race detector makes each
// many times as slow.
func seeds() uint64 {
	if invariant.Enabled {
		return 150
	}
	return 1500
}

func TestAgainstModel(t *testing.T) {
	for seed := range seeds() {
		g := mutationtest.NewGen(seed)
		if seed%4 == 0 {
			g.Rows = 100
		}
		if seed%8 == 0 {
			for i := range 100 {
				g.Keys = append(g.Keys, mutation.Key{
					Token: ring.Token(g.R.Int64()), Key: []byte{byte(i)}})
			}
		}
		records := g.Records(1 + g.R.IntN(200))
		m := newTest(t)
		for i, r := range records {
			if err := m.Put(r, nil); err != nil {
				t.Fatal(err)
			}
			if i%50 != 0 && i != len(records)-1 {
				continue
			}
			model := mutationtest.NewModel(records[:i+1]...)
			for _, reverse := range []bool{false, true} {
				want := merged(model.Source(reverse), reverse)
				if got := mergedIter(m, reverse); got != want {
					t.Fatalf("seed %d reverse %v: got\n%swant\n%s", seed, reverse, got, want)
				}
			}
		}
		checkGets(t, m, mutationtest.NewModel(records...))
	}
}

func checkGets(t *testing.T, m *Memtable, model *mutationtest.Model) {
	t.Helper()
	var it Iter
	if it.InitKey(m, 12345, []byte("nobody"), false) || it.NextPartition() {
		t.Fatal("found what was never put")
	}
	all := model.Source(false)
	for all.NextPartition() {
		p := all.Partition()
		if !it.Get(p.Token, p.Key) || !it.NextPartition() {
			t.Fatalf("%q is missing", p.Key)
		}
		if q := it.Partition(); q.Token != p.Token || !bytes.Equal(q.Key, p.Key) || q.Deletion != p.Deletion {
			t.Fatalf("got %+v, want %+v", q, p)
		}
		if it.NextPartition() {
			t.Fatal("a partition too many")
		}
	}
	it.Close()
}

func TestSeekAgainstModel(t *testing.T) {
	for seed := range seeds() {
		g := mutationtest.NewGen(seed)
		g.Rows = 8 + int(seed%3)*20
		records := g.Records(1 + g.R.IntN(60))
		m := newTest(t)
		for _, r := range records {
			if err := m.Put(r, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, reverse := range []bool{false, true} {
			var it Iter
			it.Init(m, mutation.PartitionRange{}, reverse)
			var got, want mutation.Merge
			got.Init([]mutation.Source{&it}, reverse)
			want.Init([]mutation.Source{mutationtest.NewModel(records...).Source(reverse)}, reverse)
			for want.NextPartition() {
				if !got.NextPartition() {
					t.Fatal("a partition is missing")
				}
				at := 0
				for range g.R.IntN(4) {
					at += g.R.IntN(g.Rows/2 + 1)
					row := at
					if reverse {
						row = max(g.Rows-at, 0)
					}
					bound := mutationtest.BoundOf(row, g.R.IntN(2) == 0)
					want.Seek(bound)
					got.Seek(bound)
					if got.Open() != want.Open() {
						t.Fatalf("seed %d reverse %v: open %v, want %v", seed, reverse, got.Open(), want.Open())
					}
					if g.R.IntN(2) == 0 && want.Next() != got.Next() {
						t.Fatalf("seed %d: items", seed)
					}
				}
				if got, want := mutationtest.DumpItems(&got), mutationtest.DumpItems(&want); got != want {
					t.Fatalf("seed %d reverse %v: got\n%swant\n%s", seed, reverse, got, want)
				}
			}
			it.Close()
		}
	}
}

// put builds a record of one row with one cell.
type putter struct {
	b   mutation.Builder
	buf []byte
}

func (p *putter) record(token ring.Token, key, clustering, value []byte, ts int64) mutation.Record {
	p.b.Begin(p.buf, mutation.Header{Timestamp: ts, Token: token, Key: key})
	p.b.BeginRow(clustering)
	p.b.Marker(mutation.Marker{Timestamp: ts, Set: true})
	p.b.Cell(mutation.Cell{Column: 3, Timestamp: ts, Value: value})
	p.b.EndRow()
	r := p.b.Finish()
	p.buf = r
	return r
}

func be(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }

func TestRanges(t *testing.T) {
	m := newTest(t)
	r := rand.New(rand.NewPCG(1, 2))
	var p putter
	model := mutationtest.NewModel()
	for i := range 3000 {
		token := ring.Token(r.Uint64())
		if i%3 == 0 {
			token = ring.Token(int64(i%7) << 61)
		}
		rec := p.record(token, be(uint64(i)), nil, []byte("v"), 1)
		p.buf = nil
		if err := m.Put(rec, nil); err != nil {
			t.Fatal(err)
		}
		model.Apply(rec)
	}
	var keys []mutation.Key
	for s := model.Source(false); s.NextPartition(); {
		keys = append(keys, mutation.Key{Token: s.Partition().Token, Key: s.Partition().Key})
	}
	bound := func() *mutation.PartitionBound {
		if r.IntN(5) == 0 {
			return nil
		}
		k := keys[r.IntN(len(keys))]
		b := &mutation.PartitionBound{Token: k.Token, Key: k.Key, After: r.IntN(2) == 0}
		switch r.IntN(3) {
		case 0:
			b.Key = nil
		case 1:
			b.Token += ring.Token(r.IntN(3) - 1)
		}
		return b
	}
	for range 300 {
		limits := mutation.PartitionRange{Start: bound(), End: bound()}
		var it Iter
		it.Init(m, limits, false)
		n := 0
		for it.NextPartition() {
			for n < len(keys) && !limits.Contains(keys[n].Token, keys[n].Key) {
				n++
			}
			if n == len(keys) || !bytes.Equal(keys[n].Key, it.Partition().Key) {
				t.Fatalf("range %+v yields %v", limits, it.Partition())
			}
			n++
		}
		for ; n < len(keys); n++ {
			if limits.Contains(keys[n].Token, keys[n].Key) {
				t.Fatalf("range %+v misses %v", limits, keys[n])
			}
		}
		if it.NextPartition() {
			t.Fatal("goes on after its end")
		}
		it.Close()
	}
}

func TestCrowdedTokens(t *testing.T) {
	m := newTest(t)
	var p putter
	const n = 20000
	for i := range n {
		// Equal tokens, tokens next to each other, and a few others.
		token := ring.Token(7)
		switch i % 4 {
		case 1:
			token = ring.Token(1000 + i)
		case 2:
			token = ring.Token(-uint64(i) * 0x9e3779b97f4a7c15)
		}
		if err := m.Put(p.record(token, be(uint64(i*7919%n)), nil, be(uint64(i)), 1), nil); err != nil {
			t.Fatal(err)
		}
	}
	var it Iter
	it.Init(m, mutation.PartitionRange{}, false)
	count := 0
	var last mutation.Partition
	for it.NextPartition() {
		q := *it.Partition()
		if count > 0 && (q.Token < last.Token || q.Token == last.Token && bytes.Compare(q.Key, last.Key) <= 0) {
			t.Fatalf("%v after %v", q, last)
		}
		last = q
		count++
	}
	it.Close()
	if count != n || m.Stats().Partitions != n {
		t.Fatalf("%d partitions, %d counted", count, m.Stats().Partitions)
	}
	if !it.InitKey(m, 7, be(0), false) {
		t.Fatal("the first key is missing")
	}
	it.Close()
}

func TestWidePartition(t *testing.T) {
	for _, order := range []string{"ascending", "descending", "random"} {
		t.Run(order, func(t *testing.T) {
			m := newTest(t)
			var p putter
			n := 200_000
			if invariant.Enabled {
				n = 20_000
			}
			perm := rand.New(rand.NewPCG(3, 4)).Perm(n)
			for i := range n {
				k := i
				switch order {
				case "descending":
					k = n - 1 - i
				case "random":
					k = perm[i]
				}
				if err := m.Put(p.record(5, []byte("wide"), be(uint64(k)), be(uint64(k)), 1), nil); err != nil {
					t.Fatal(err)
				}
			}
			const row = offKey + 8 + 10 + 1 + 1 + 11 // as it lies in the arena
			t.Logf("%d bytes a row, %d more than the row", m.Bytes()/int64(n), m.Bytes()/int64(n)-row)
			if limit := int64(row + 96); m.Bytes()/int64(n) > limit {
				t.Errorf("%d bytes a row, want at most %d", m.Bytes()/int64(n), limit)
			}
			for _, reverse := range []bool{false, true} {
				var it Iter
				if !it.InitKey(m, 5, []byte("wide"), reverse) || !it.NextPartition() {
					t.Fatal("partition is missing")
				}
				for i := range n {
					k := i
					if reverse {
						k = n - 1 - i
					}
					if !it.Next() || !bytes.Equal(it.Item().Clustering, be(uint64(k))) {
						t.Fatalf("row %d is %x", k, it.Item().Clustering)
					}
				}
				if it.Next() {
					t.Fatal("a row too many")
				}
				it.Close()
			}
		})
	}
}

func TestOverwritesReuseMemory(t *testing.T) {
	m := newTest(t)
	var p putter
	const keys = 1000
	value := make([]byte, 100)
	live := int64(0)
	for i := range 100_000 {
		k := uint64(i % keys)
		token := ring.Token(k * 0x9e3779b97f4a7c15)
		if err := m.Put(p.record(token, be(k), be(k%3), value, int64(i)), nil); err != nil {
			t.Fatal(err)
		}
		if i == keys {
			live = m.Bytes()
		}
	}
	if m.Bytes() > 3*live {
		t.Errorf("%d bytes after overwriting, %d before", m.Bytes(), live)
	}
}

func TestLargeCollectionIsLinear(t *testing.T) {
	m := newTest(t)
	var b mutation.Builder
	var buf []byte
	const n = 20_000
	for i := range n {
		b.Begin(buf, mutation.Header{Token: 1, Key: []byte("k")})
		b.BeginRow([]byte("c"))
		b.Cell(mutation.Cell{Column: 4, Timestamp: 1, Flags: mutation.CellPath, Path: be(uint64(i * 7919 % n)), Value: be(1)})
		b.EndRow()
		r := b.Finish()
		buf = r
		if err := m.Put(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	var it Iter
	if !it.InitKey(m, 1, []byte("k"), false) || !it.NextPartition() || !it.Next() {
		t.Fatal("row is missing")
	}
	defer it.Close()
	var row mutation.RowReader
	if err := row.Init(it.Item().Row); err != nil || row.Cells != n {
		t.Fatalf("%d cells, %v", row.Cells, err)
	}
	if m.Bytes() > 40*n*4 {
		t.Errorf("%d bytes for %d elements", m.Bytes(), n)
	}
}

func TestHugeRow(t *testing.T) {
	m := newTest(t)
	var p putter
	value := bytes.Repeat([]byte("huge"), 1<<20)
	for i := range 5 {
		if err := m.Put(p.record(1, []byte("k"), []byte("c"), value, int64(i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	var it Iter
	if !it.InitKey(m, 1, []byte("k"), false) || !it.NextPartition() || !it.Next() {
		t.Fatal("row is missing")
	}
	var row mutation.RowReader
	if err := row.Init(it.Item().Row); err != nil || !row.NextCell() || !bytes.Equal(row.Cell.Value, value) {
		t.Fatal("row differs")
	}
	it.Close()
}

func TestManyRangeDeletions(t *testing.T) {
	m := newTest(t)
	var b mutation.Builder
	var buf []byte
	const n = 50_000
	for i := range n {
		k := uint64(i*7919%n) * 4
		b.Begin(buf, mutation.Header{Token: 1, Key: []byte("k")})
		b.DeleteRange(be(k+1), be(k+3), mutation.Deletion{Timestamp: int64(i), LocalTime: 1, Set: true})
		r := b.Finish()
		buf = r
		if err := m.Put(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	var it Iter
	it.InitKey(m, 1, []byte("k"), false)
	it.NextPartition()
	it.Seek(be(4 * 10))
	boundaries := 0
	for it.Next() {
		boundaries++
	}
	it.Close()
	if boundaries != 2*(n-10) {
		t.Errorf("%d boundaries, want %d", boundaries, 2*(n-10))
	}
	// A wide one takes the place of all.
	b.Begin(buf, mutation.Header{Token: 1, Key: []byte("k")})
	b.DeleteRange(nil, be(4*n), mutation.Deletion{Timestamp: n, LocalTime: 1, Set: true})
	if err := m.Put(b.Finish(), nil); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("partition 1 \"k\"\n  boundary \"\" after @%d/1\n  boundary %q before @%d/1\n", n, be(4*n), n)
	if got := dump(m, false); got != want {
		t.Errorf("got %s", got)
	}
}

func TestEmpty(t *testing.T) {
	m := newTest(t)
	if !m.Empty() || m.Bytes() != 0 || m.Stats() != (Stats{}) || unsafe.Sizeof(*m) > 1024 {
		t.Error("an empty memtable is not empty")
	}
	var it Iter
	it.Init(m, mutation.PartitionRange{}, false)
	if it.NextPartition() || it.Next() || it.Get(1, nil) {
		t.Error("something came of nothing")
	}
	it.Seek([]byte("x"))
	it.Close()
	bad := mutation.Record(strings.Repeat("x", 60))
	if m.Put(bad, nil) == nil || !m.Empty() {
		t.Error("a malformed record was taken")
	}
}

func TestStats(t *testing.T) {
	m := newTest(t)
	var b mutation.Builder
	b.Begin(nil, mutation.Header{Token: 1, Key: []byte("k")})
	b.BeginRow([]byte("a"))
	b.Marker(mutation.Marker{Timestamp: 50, TTL: 5, Expiry: 300, Set: true})
	b.Cell(mutation.Cell{Column: 1, Timestamp: 40, Flags: mutation.CellTombstone, LocalTime: 200})
	b.EndRow()
	b.BeginRow([]byte("b"))
	b.Cell(mutation.Cell{Column: 1, Timestamp: 45})
	b.EndRow()
	b.DeleteRange(nil, nil, mutation.Deletion{Timestamp: 60, LocalTime: 100, Set: true})
	r := b.Finish()
	for range 2 {
		if err := m.Put(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := Stats{Bytes: m.Bytes(), Partitions: 1, Records: 2, Rows: 2, MinTimestamp: 40, MaxTimestamp: 60,
		MinLocalTime: 100, MaxLocalTime: 300, HasTombstones: true, HasExpiring: true}
	if got := m.Stats(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

type watcher struct{ seen []string }

func (w *watcher) Row(r mutation.Record, clustering, before, after []byte) {
	text := func(row []byte) string {
		if row == nil {
			return "nothing"
		}
		return mutationtest.Row(row)
	}
	w.seen = append(w.seen, fmt.Sprintf("%s/%s:%s ->%s", r.Key(), clustering, text(before), text(after)))
}

func TestObserver(t *testing.T) {
	m := newTest(t)
	var w watcher
	var p putter
	for i := range 2 {
		if err := m.Put(p.record(1, []byte("k"), []byte("c"), []byte{'a' + byte(i)}, int64(i)), &w); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{`k/c:nothing -> marker @0 | 3 @0 ="a"`,
		`k/c: marker @0 | 3 @0 ="a" -> marker @1 | 3 @1 ="b"`}
	if fmt.Sprint(w.seen) != fmt.Sprint(want) {
		t.Errorf("saw %q", w.seen)
	}
}
