package memtable

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/mutation"
)

// TestRuns puts rows in records of many, in order, against it and at random,
// some twice in a record and with deletions between, and compares with rows put
// one by one.
func TestRuns(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.NewSeeded(seed)
		many, single := newTest(t), newTest(t)
		ts := int64(0)
		for range 1 + rnd.Uint64N(12) {
			rows := make([]uint64, 1+rnd.Uint64N(80))
			space := uint64(10) << rnd.Uint64N(10)
			for i := range rows {
				rows[i] = rnd.Uint64N(space) << (rnd.Uint64N(2) * 40)
			}
			switch rnd.Uint64N(4) {
			case 0:
				slices.SortFunc(rows, func(a, b uint64) int { return -int(int64(a) - int64(b)) })
			case 1:
			default:
				slices.Sort(rows)
			}
			var whole mutation.Builder
			header := mutation.Header{Timestamp: 1, Token: 5, Key: []byte("k")}
			whole.Begin(nil, header)
			for i, c := range rows {
				var one mutation.Builder
				one.Begin(nil, header)
				ts++
				for _, b := range []*mutation.Builder{&whole, &one} {
					if i%37 == 36 {
						b.DeleteRange(be(c), be(c+5), mutation.Deletion{Timestamp: ts - 20, LocalTime: 1, Set: true})
					}
					// Long keys, which differ behind their first 8 bytes.
					b.BeginRow(append(be(c>>3), byte(c&7)))
					b.Cell(mutation.Cell{Column: 3, Timestamp: ts, Value: fmt.Append(nil, ts)})
					b.EndRow()
				}
				if err := single.Put(one.Finish(), nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := many.Put(whole.Finish(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, reverse := range []bool{false, true} {
			if got, want := dump(many, reverse), dump(single, reverse); got != want {
				t.Fatalf("seed %d: %.3000s\nwant\n%.3000s", seed, got, want)
			}
		}
		if got, want := many.Stats().Rows, single.Stats().Rows; got != want {
			t.Fatalf("seed %d: %d rows, want %d", seed, got, want)
		}
	}
}
