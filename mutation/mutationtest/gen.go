package mutationtest

import (
	"math/rand/v2"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// Gen makes random records that collide: few keys (two of them with one
// token), few rows, few timestamps, all kinds of deletions.
type Gen struct {
	R *rand.Rand
	// Rows is the number of different clusterings, 8 if 0.
	Rows int
	// Keys are the partitions, three if nil.
	Keys []mutation.Key
	// Stamps is the number of different timestamps, 8 if 0; they start at
	// MinStamp.
	Stamps   int
	MinStamp int64
	// NoDeletions leaves all deletions and expiry out.
	NoDeletions bool

	b mutation.Builder
}

// NewGen returns a generator that always makes the same records from a seed.
func NewGen(seed uint64) *Gen { return &Gen{R: rand.New(rand.NewPCG(seed, 1))} }

var defaultKeys = []mutation.Key{
	{Token: ring.Token(-5), Key: []byte("a")},
	{Token: ring.Token(7), Key: []byte("b")},
	{Token: ring.Token(7), Key: []byte("c")},
}

// Clustering returns the clustering of a row; bounds lie just below (BoundOf)
// or above it.
func Clustering(i int) []byte { return []byte{byte('a' + i/200), byte(i%200 + 8), 0x80} }

// BoundOf returns the bound just below row i or, if above, just above it.
func BoundOf(i int, above bool) []byte {
	b := Clustering(i)
	if b[2] = 0x7f; above {
		b[2] = 0x81
	}
	return b
}

func (g *Gen) ts() int64 {
	n := g.Stamps
	if n == 0 {
		n = 8
	}
	return g.MinStamp + g.R.Int64N(int64(n))
}

func (g *Gen) deletion() mutation.Deletion {
	return mutation.Deletion{Timestamp: g.ts(), LocalTime: 10 + g.R.Uint32N(4)*10, Set: true}
}

// Record makes one record of up to 5 entries.
func (g *Gen) Record() mutation.Record {
	keys := g.Keys
	if keys == nil {
		keys = defaultKeys
	}
	rows := g.Rows
	if rows == 0 {
		rows = 8
	}
	k := keys[g.R.IntN(len(keys))]
	g.b.Begin(nil, mutation.Header{Timestamp: g.ts(), Token: k.Token, Key: k.Key})
	for range 1 + g.R.IntN(5) {
		switch n := g.R.IntN(20); {
		case n == 0 && !g.NoDeletions:
			g.b.DeletePartition(g.deletion())
		case n <= 3 && !g.NoDeletions:
			g.rangeDeletion(rows)
		case n == 4:
			g.b.BeginStatic()
			g.row()
		default:
			g.b.BeginRow(Clustering(g.R.IntN(rows)))
			g.row()
		}
	}
	return g.b.Finish()
}

// Records makes n records.
func (g *Gen) Records(n int) []mutation.Record {
	all := make([]mutation.Record, n)
	for i := range all {
		all[i] = g.Record()
	}
	return all
}

func (g *Gen) rangeDeletion(rows int) {
	lo, hi := g.R.IntN(rows), g.R.IntN(rows)
	if lo > hi {
		lo, hi = hi, lo
	}
	start, end := BoundOf(lo, g.R.IntN(2) == 0), BoundOf(hi, g.R.IntN(2) == 0)
	if g.R.IntN(6) == 0 {
		start = nil
	}
	if g.R.IntN(6) == 0 {
		end = nil
	}
	g.b.DeleteRange(start, end, g.deletion())
}

func (g *Gen) row() {
	if g.R.IntN(2) == 0 {
		m := mutation.Marker{Timestamp: g.ts(), Set: true}
		if g.R.IntN(3) == 0 && !g.NoDeletions {
			m.TTL, m.Expiry = 1+g.R.Uint32N(2), 10+g.R.Uint32N(4)*10
		}
		g.b.Marker(m)
	}
	if g.R.IntN(6) == 0 && !g.NoDeletions {
		g.b.DeleteRow(g.deletion())
	}
	for range g.R.IntN(4) {
		g.b.Cell(g.Cell())
	}
	g.b.EndRow()
}

// Cell makes a random cell. Columns 1 to 3 are plain, 4 and 5 collections.
func (g *Gen) Cell() mutation.Cell {
	c := mutation.Cell{
		Column:    schema.ColumnID(1 + g.R.IntN(5)),
		Timestamp: g.ts(),
		Value:     []byte{byte('p' + g.R.IntN(3))},
	}
	if c.Column >= 4 {
		c.Flags |= mutation.CellPath
		c.Path = []byte{byte('x' + g.R.IntN(3))}
	}
	if c.Column == 3 && g.R.IntN(8) == 0 {
		c.Flags |= mutation.CellKey
	}
	if g.NoDeletions {
		return c
	}
	switch n := g.R.IntN(8); {
	case n <= 1:
		c.Flags |= mutation.CellTombstone
		c.LocalTime = 10 + g.R.Uint32N(4)*10
		if c.Column >= 4 && n == 0 {
			c.Flags |= mutation.CellCollection
		}
	case n <= 3:
		c.Flags |= mutation.CellExpiring
		c.TTL, c.LocalTime = 1+g.R.Uint32N(2), 10+g.R.Uint32N(4)*10
	}
	return c
}
