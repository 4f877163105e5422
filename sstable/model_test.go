package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/bloom"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/sstable/cache"
)

// modelPart is a partition as it is handed to the writer.
type modelPart struct {
	head  mutation.Partition
	items []mutation.Item
}

// row encodes a row of one cell.
func row(ts int64, value []byte) []byte {
	var b mutation.Builder
	b.Begin(nil, mutation.Header{})
	b.BeginRow(nil)
	b.Marker(mutation.Marker{Timestamp: ts, Set: true})
	b.Cell(mutation.Cell{Column: 3, Timestamp: ts, Value: value})
	if ts%5 == 0 {
		b.Cell(mutation.Cell{Column: 4, Timestamp: ts - 1, Flags: mutation.CellExpiring, TTL: 60, LocalTime: uint32(ts) + 60, Value: []byte("x")})
	}
	if ts%7 == 0 {
		b.Cell(mutation.Cell{Column: 5, Timestamp: ts - 1, Flags: mutation.CellTombstone, LocalTime: uint32(ts)})
	}
	b.EndRow()
	rec := b.Finish()
	e := rec.Entries()
	if !e.Next() || e.Kind != mutation.EntryRow {
		panic("no row")
	}
	return e.Row
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32N(4)) * 37
	}
	return b
}

// generate makes partitions of all shapes: with equal tokens, wide, empty but
// for a deletion or a static row, with open range deletions.
func generate(r *rand.Rand, n, maxRows int) []modelPart {
	var parts []modelPart
	token := ring.MinToken + 1
	for i := range n {
		if r.IntN(8) != 0 {
			token += ring.Token(r.Uint64N(1 << 54))
		}
		p := modelPart{head: mutation.Partition{Token: token, Key: fmt.Appendf(nil, "key-%06d", i)}}
		if r.IntN(40) == 0 {
			p.head.Key = append(p.head.Key, randomBytes(r, 300)...)
		}
		if r.IntN(5) == 0 {
			p.head.Deletion = mutation.Deletion{Timestamp: r.Int64N(1e6), LocalTime: r.Uint32N(1e6), Set: true}
		}
		if r.IntN(5) == 0 {
			p.head.Static = row(r.Int64N(1e6), randomBytes(r, r.IntN(40)))
		}
		p.items = generateItems(r, maxRows)
		if len(p.items) == 0 && !p.head.Deletion.Set && p.head.Static == nil {
			continue
		}
		parts = append(parts, p)
	}
	return parts
}

func generateItems(r *rand.Rand, maxRows int) (items []mutation.Item) {
	rows := 1
	if r.IntN(3) == 0 {
		rows = r.IntN(maxRows + 1)
	}
	var open mutation.Deletion
	at := 0
	for range rows {
		at += 1 + r.IntN(3)
		item := mutation.Item{Kind: mutation.ItemRow, Clustering: fmt.Appendf(nil, "c%08d", at)}
		if rows == 1 && r.IntN(2) == 0 {
			item.Clustering = []byte{}
		}
		size := r.IntN(60)
		if r.IntN(60) == 0 {
			size = r.IntN(9000)
		}
		if r.IntN(6) == 0 && len(item.Clustering) > 0 {
			item.Kind, item.Before = mutation.ItemBoundary, open
			if r.IntN(2) == 0 || !open.Set {
				item.After = mutation.Deletion{Timestamp: r.Int64N(1e6), LocalTime: r.Uint32N(1e6), Set: true}
			}
			open = item.After
		} else {
			item.Row = row(r.Int64N(1e6), randomBytes(r, size))
		}
		items = append(items, item)
	}
	return items
}

func write(t testing.TB, fs vfs.FS, name string, o Options, parts []modelPart) Meta {
	t.Helper()
	w, err := NewWriter(fs, name, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		p := &parts[i]
		err := w.BeginPartition(&p.head)
		for j := range p.items {
			it := &p.items[j]
			if it.Kind == mutation.ItemRow {
				err = errors.Join(err, w.AddRow(it.Clustering, it.Row))
			} else {
				err = errors.Join(err, w.AddBoundary(it.Clustering, it.Before, it.After))
			}
		}
		if err = errors.Join(err, w.EndPartition()); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, fs vfs.FS, name string, o OpenOptions) *Reader {
	t.Helper()
	r, err := Open(fs, name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func sameItem(got *mutation.Item, want *mutation.Item) error {
	if got.Kind != want.Kind || !bytes.Equal(got.Clustering, want.Clustering) {
		return fmt.Errorf("item %d %q, want %d %q", got.Kind, got.Clustering, want.Kind, want.Clustering)
	}
	if want.Kind == mutation.ItemRow && !bytes.Equal(got.Row, want.Row) {
		return fmt.Errorf("row at %q differs", got.Clustering)
	}
	if want.Kind == mutation.ItemBoundary && (got.Before != want.Before || got.After != want.After) {
		return fmt.Errorf("boundary at %q differs", got.Clustering)
	}
	return nil
}

// openAt is the deletion in force between items i-1 and i.
func (p *modelPart) openAt(i int) mutation.Deletion {
	for i--; i >= 0; i-- {
		if p.items[i].Kind == mutation.ItemBoundary {
			return p.items[i].After
		}
	}
	return mutation.Deletion{}
}

func (p *modelPart) lower(bound []byte) int {
	i, _ := slices.BinarySearchFunc(p.items, bound, func(it mutation.Item, b []byte) int {
		return bytes.Compare(it.Clustering, b)
	})
	return i
}

func checkHead(it *Iter, p *modelPart) error {
	got := it.Partition()
	if got.Token != p.head.Token || !bytes.Equal(got.Key, p.head.Key) || got.Deletion != p.head.Deletion ||
		!bytes.Equal(got.Static, p.head.Static) {
		return fmt.Errorf("head %q at %d, want %q at %d", got.Key, got.Token, p.head.Key, p.head.Token)
	}
	return nil
}

// checkItems reads the partition, seeking now and then.
func checkItems(r *rand.Rand, it *Iter, p *modelPart, reverse, seek bool) error {
	pos, end, step := 0, len(p.items), 1
	if reverse {
		pos, end, step = len(p.items), 0, -1
	}
	for {
		if r.IntN(4) == 0 && it.Open() != p.openAt(pos) {
			return fmt.Errorf("open at %d of %d is %v, want %v", pos, len(p.items), it.Open(), p.openAt(pos))
		}
		if seek && r.IntN(5) == 0 {
			bound := fmt.Appendf(nil, "c%08d", r.IntN(2*len(p.items)+3))
			switch r.IntN(6) {
			case 0:
				bound = nil
			case 1:
				bound = bound[:r.IntN(len(bound)+1)]
			case 2:
				bound = append(bound, 'x')
			}
			it.Seek(bound)
			if i := p.lower(bound); len(bound) > 0 && (i > pos) != reverse && i != pos {
				pos = i
			}
			if it.Open() != p.openAt(pos) {
				return fmt.Errorf("open after seek to %q is %v, want %v", bound, it.Open(), p.openAt(pos))
			}
		}
		if pos == end {
			if it.Next() {
				return fmt.Errorf("item %q behind the last", it.Item().Clustering)
			}
			return it.Err()
		}
		if seek && r.IntN(50) == 0 {
			return nil // the rest is skipped
		}
		if !it.Next() {
			return fmt.Errorf("items end at %d of %d: %w", pos, len(p.items), it.Err())
		}
		i := pos
		if reverse {
			i--
		}
		if err := sameItem(it.Item(), &p.items[i]); err != nil {
			return err
		}
		pos += step
	}
}

func checkScan(r *rand.Rand, it *Iter, parts []modelPart, reverse, seek bool) error {
	for i := range parts {
		if !it.NextPartition() {
			return fmt.Errorf("partitions end at %d of %d: %w", i, len(parts), errors.Join(it.Err(), errors.New("early")))
		}
		if err := checkHead(it, &parts[i]); err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
		if seek && r.IntN(4) == 0 {
			continue
		}
		if err := checkItems(r, it, &parts[i], reverse, seek); err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
	}
	if it.NextPartition() {
		return fmt.Errorf("partition %q behind the last", it.Partition().Key)
	}
	return it.Err()
}

func randomBound(r *rand.Rand, parts []modelPart) *mutation.PartitionBound {
	if r.IntN(6) == 0 {
		return nil
	}
	p := &parts[r.IntN(len(parts))]
	b := &mutation.PartitionBound{Token: p.head.Token, After: r.IntN(2) == 0}
	switch r.IntN(4) {
	case 0:
		b.Token += ring.Token(r.IntN(3)) - 1
	case 1:
	case 2:
		b.Key = p.head.Key
	case 3:
		b.Key = append(bytes.Clone(p.head.Key), 'a')
	}
	return b
}

func checkTable(t *testing.T, r *rand.Rand, rd *Reader, parts []modelPart) {
	t.Helper()
	var it *Iter
	for _, reverse := range []bool{false, true} {
		for round := range 4 {
			o := IterOptions{Reverse: reverse, FillCache: round%2 == 1, ReadAhead: round == 2}
			it = rd.NewIter(it, o)
			if err := checkScan(r, it, parts, reverse, round > 0); err != nil {
				t.Fatalf("reverse %v round %d: %v", reverse, round, err)
			}
		}
	}
	if len(parts) == 0 {
		return
	}
	for range 60 {
		o := IterOptions{Range: mutation.PartitionRange{Start: randomBound(r, parts), End: randomBound(r, parts)}}
		var want []modelPart
		for _, p := range parts {
			if o.Range.Contains(p.head.Token, p.head.Key) {
				want = append(want, p)
			}
		}
		it = rd.NewIter(it, o)
		if err := checkScan(r, it, want, false, true); err != nil {
			t.Fatalf("range %+v %+v: %v", o.Range.Start, o.Range.End, err)
		}
	}
	for _, reverse := range []bool{false, true} {
		it = rd.NewIter(it, IterOptions{Reverse: reverse, FillCache: true})
		for range 200 {
			checkLookup(t, r, rd, it, parts, reverse)
		}
	}
	it.Close()
}

func checkLookup(t *testing.T, r *rand.Rand, rd *Reader, it *Iter, parts []modelPart, reverse bool) {
	t.Helper()
	i := r.IntN(len(parts))
	p := &parts[i]
	if !rd.MayContain(bloom.HashKey(p.head.Token.Ordered(), p.head.Key)) {
		t.Fatalf("filter lost %q", p.head.Key)
	}
	if !it.SeekPartition(p.head.Token, p.head.Key) {
		t.Fatalf("lookup of %q at %d failed: %v", p.head.Key, p.head.Token, it.Err())
	}
	if err := checkHead(it, p); err != nil {
		t.Fatal(err)
	}
	if err := checkItems(r, it, p, reverse, true); err != nil {
		t.Fatalf("lookup of %q: %v", p.head.Key, err)
	}
	if it.SeekPartition(p.head.Token, append(bytes.Clone(p.head.Key), 0)) ||
		it.SeekPartition(p.head.Token, []byte("key")) ||
		it.SeekPartition(p.head.Token+1, []byte("zzz")) || it.Err() != nil {
		t.Fatalf("lookup found what is not there: %v", it.Err())
	}
	// The iterator goes on behind a hit.
	if it.SeekPartition(p.head.Token, p.head.Key) && i+1 < len(parts) {
		if !it.NextPartition() {
			t.Fatalf("nothing behind %q: %v", p.head.Key, it.Err())
		}
		if err := checkHead(it, &parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestModel(t *testing.T) {
	seeds := uint64(40)
	if invariant.Enabled {
		seeds = 12
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			fs := vfs.NewMem()
			parts := generate(r, []int{0, 1, 5, 60, 400}[r.IntN(5)], []int{3, 40, 700}[r.IntN(3)])
			o := Options{
				BlockSize:    []int{256, 512, 1024, 4096, 16384, 65536}[r.IntN(6)],
				Codec:        Codec(r.IntN(4)),
				FilterLayout: bloom.Layout(r.IntN(3)),
				FilterFP:     []float64{0, 0.1, 0.5, 1}[r.IntN(4)],
				Direct:       r.IntN(2) == 0,
			}
			m := write(t, fs, "/t", o, parts)
			if int(m.Properties.Counts.Partitions) != len(parts) {
				t.Fatalf("%d partitions of %d", m.Properties.Counts.Partitions, len(parts))
			}
			blocks := cache.New([]int64{0, 256 << 10, 16 << 20}[r.IntN(3)])
			defer blocks.Close()
			for mode := AccessBuffered; mode <= AccessMmap; mode++ {
				rd := open(t, fs, "/t", OpenOptions{Cache: blocks, FileID: uint64(mode) + 1, Access: mode})
				checkTable(t, r, rd, parts)
			}
			rd := open(t, fs, "/t", OpenOptions{})
			checkTable(t, r, rd, parts)
		})
	}
}
