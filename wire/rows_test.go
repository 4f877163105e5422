package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/wire"
)

// pages is a source over streams that fetch makes, one after the other.
type pages struct {
	wire.RowStream
	fetch func(resume *wire.Position) (rows []byte, more bool, last wire.Position)
	last  wire.Position
	rows  []byte
	count int
}

func (p *pages) page() (rows []byte, more bool) {
	for i := range p.rows {
		p.rows[i] = 0xdb // what the stream still needs, it has copied
	}
	resume := p.last
	p.rows, more, p.last = p.fetch(&resume)
	p.count++
	return p.rows, more
}

func (p *pages) NextPartition() bool {
	for !p.RowStream.NextPartition() {
		if !p.Cut() {
			return false
		}
		p.Continue(p.page())
	}
	return true
}

func (p *pages) Next() bool {
	for !p.RowStream.Next() {
		if !p.Cut() || !p.Inside() {
			return false
		}
		p.Continue(p.page())
	}
	return true
}

// encode is a server that encodes what open returns.
func encode(t *testing.T, limits wire.Limits, open func() mutation.Source) func(*wire.Position) ([]byte, bool, wire.Position) {
	var w wire.RowWriter
	return func(resume *wire.Position) ([]byte, bool, wire.Position) {
		rows, more, err := w.Append([]byte("head"), open(), resume, limits)
		if err != nil {
			t.Fatal(err)
		}
		last := *w.Last()
		last.Key, last.Clustering = bytes.Clone(last.Key), bytes.Clone(last.Clustering)
		return rows[4:], more, last
	}
}

func newPages(fetch func(*wire.Position) ([]byte, bool, wire.Position), reverse bool) *pages {
	p := &pages{fetch: fetch}
	rows, more := p.page()
	p.Init(rows, more, reverse)
	return p
}

// TestRows wants a decoded source to yield what was encoded, in one piece and
// cut anywhere.
func TestRows(t *testing.T) {
	for seed := range uint64(25) {
		g := mutationtest.NewGen(seed)
		m := mutationtest.NewModel(g.Records(1 + g.R.IntN(30))...)
		for _, reverse := range []bool{false, true} {
			open := func() mutation.Source { return m.Source(reverse) }
			want := mutationtest.Dump(open())
			for _, limits := range []wire.Limits{
				{}, {Bytes: 1}, {Bytes: 60}, {Bytes: 200}, {Bytes: 1 << 20}, {Rows: 1, Now: 15}, {Rows: 3, Now: 15},
			} {
				limits.Reverse = reverse
				p := newPages(encode(t, limits, open), reverse)
				if got := mutationtest.Dump(p); got != want {
					t.Fatalf("seed %d, %+v, %d pages: got\n%swant\n%s", seed, limits, p.count, got, want)
				}
				if limits.Bytes == 1 && p.count < 2 && len(want) > 400 {
					t.Fatalf("seed %d: one page", seed)
				}
			}
		}
	}
}

// TestRowsSkip reads heads only.
func TestRowsSkip(t *testing.T) {
	for seed := range uint64(20) {
		m := mutationtest.NewModel(mutationtest.NewGen(seed).Records(30)...)
		heads := func(s mutation.Source) (out string) {
			for s.NextPartition() {
				out += fmt.Sprintf("%d %s\n", s.Partition().Token, s.Partition().Key)
			}
			return out
		}
		p := newPages(encode(t, wire.Limits{}, func() mutation.Source { return m.Source(false) }), false)
		if got, want := heads(p), heads(m.Source(false)); got != want || p.Err() != nil {
			t.Fatalf("%v: got\n%swant\n%s", p.Err(), got, want)
		}
	}
}

// TestRowsSeek compares seeks in a stream with those in the model.
func TestRowsSeek(t *testing.T) {
	for seed := range uint64(10) {
		g := mutationtest.NewGen(seed)
		m := mutationtest.NewModel(g.Records(25)...)
		for _, reverse := range []bool{false, true} {
			for row := range 9 {
				for _, bound := range [][]byte{nil, mutationtest.Clustering(row), mutationtest.BoundOf(row, true)} {
					seek := func(s mutation.Source) (out string) {
						for s.NextPartition() {
							s.Seek(bound)
							out += mutationtest.DumpItems(s)
						}
						return out
					}
					p := newPages(encode(t, wire.Limits{Reverse: reverse}, func() mutation.Source { return m.Source(reverse) }), reverse)
					if got, want := seek(p), seek(m.Source(reverse)); got != want {
						t.Fatalf("seed %d reverse %v bound %x: got\n%swant\n%s", seed, reverse, bound, got, want)
					}
				}
			}
		}
	}
}

// TestRowsChange writes between one page and the next: boundaries must still
// tell what is open, and nothing may be yielded twice or out of order.
func TestRowsChange(t *testing.T) {
	for seed := range uint64(100) {
		g := mutationtest.NewGen(seed)
		m := mutationtest.NewModel(g.Records(20)...)
		reverse := seed%2 == 1
		server := encode(t, wire.Limits{Bytes: 1 + g.R.IntN(80), Reverse: reverse}, func() mutation.Source { return m.Source(reverse) })
		p := newPages(func(resume *wire.Position) ([]byte, bool, wire.Position) {
			m.Apply(g.Record())
			return server(resume)
		}, reverse)
		for p.NextPartition() {
			checkItems(t, p, reverse, seed)
		}
		if p.Err() != nil {
			t.Fatal(seed, p.Err())
		}
	}
}

func checkItems(t *testing.T, s mutation.Source, reverse bool, seed uint64) {
	t.Helper()
	open := s.Open()
	var last *mutation.Item
	for s.Next() {
		it := *s.Item()
		it.Clustering = bytes.Clone(it.Clustering)
		if last != nil {
			c := bytes.Compare(last.Clustering, it.Clustering)
			if c == 0 {
				c = int(it.Kind-mutation.ItemRow)*-1 + int(last.Kind-mutation.ItemRow)
				c = -c
			}
			if (c < 0) == reverse && c != 0 {
				t.Fatalf("seed %d: %q %d after %q %d", seed, it.Clustering, it.Kind, last.Clustering, last.Kind)
			}
		}
		if it.Kind == mutation.ItemBoundary {
			before, after := it.Before, it.After
			if reverse {
				before, after = after, before
			}
			if before != open {
				t.Fatalf("seed %d: at %q %v is open, the boundary says %v", seed, it.Clustering, open, before)
			}
			open = after
		}
		if s.Open() != open {
			t.Fatalf("seed %d: Open %v, not %v", seed, s.Open(), open)
		}
		last = &it
	}
}

// TestRowsPerPartition ends partitions at their limit.
func TestRowsPerPartition(t *testing.T) {
	g := mutationtest.NewGen(3)
	g.NoDeletions = true
	m := mutationtest.NewModel(g.Records(60)...)
	rows, more, err := new(wire.RowWriter).Append(nil, m.Source(false), &wire.Position{}, wire.Limits{PerPartition: 2})
	if more || err != nil {
		t.Fatal(more, err)
	}
	var s wire.RowStream
	s.Init(rows, false, false)
	limited := 0
	for s.NextPartition() {
		n := 0
		for s.Next() {
			n++
		}
		if n < 2 {
			t.Errorf("%d rows", n)
		}
		if s.Limited() {
			limited++
		}
	}
	if limited != 3 || s.Err() != nil {
		t.Error(limited, s.Err())
	}
}

// TestRowsCut wants every proper prefix of a stream to be an error, or a cut if
// it was said to be one.
func TestRowsCut(t *testing.T) {
	m := mutationtest.NewModel(mutationtest.NewGen(5).Records(30)...)
	rows, _, err := new(wire.RowWriter).Append(nil, m.Source(false), &wire.Position{}, wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for n := range rows {
		var s wire.RowStream
		s.Init(rows[:n:n], false, false)
		mutationtest.Dump(&s)
		switch {
		case s.Err() == nil:
			good++ // between two partitions
		case !errors.Is(s.Err(), wire.ErrCorrupt) && !errors.Is(s.Err(), wire.ErrUnknownFeature):
			t.Fatal(s.Err())
		}
	}
	if good != 3 {
		t.Errorf("%d prefixes of a stream of 3 partitions are streams", good)
	}
}

func TestRowsFail(t *testing.T) {
	s := mutationtest.NewModel(mutationtest.NewGen(5).Records(30)...).Source(false)
	s.Fail, s.Steps = errors.New("bad block"), 5
	if _, more, err := new(wire.RowWriter).Append(nil, s, &wire.Position{}, wire.Limits{}); err != s.Fail || more {
		t.Error(err, more)
	}
}

func BenchmarkRows(b *testing.B) {
	g := mutationtest.NewGen(1)
	g.NoDeletions, g.Rows = true, 200
	src := mutationtest.NewModel(g.Records(400)...).Source(false)
	var w wire.RowWriter
	var s wire.RowStream
	var rows []byte
	b.ReportAllocs()
	for b.Loop() {
		src.Rewind()
		rows, _, _ = w.Append(rows[:0], src, &wire.Position{}, wire.Limits{})
		s.Init(rows, false, false)
		for s.NextPartition() {
			for s.Next() {
			}
		}
	}
	b.SetBytes(int64(len(rows)))
}
