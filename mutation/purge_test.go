package mutation_test

import (
	"math"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/schema"
)

func TestPurge(t *testing.T) {
	row := rowOf(mutation.Marker{Timestamp: 5, TTL: 1, Expiry: 50, Set: true},
		mutation.Deletion{Timestamp: 4, LocalTime: 40, Set: true},
		mutation.Cell{Column: 1, Timestamp: 6, Flags: mutation.CellTombstone, LocalTime: 60},
		mutation.Cell{Column: 2, Timestamp: 7, Flags: mutation.CellExpiring, LocalTime: 70, TTL: 3, Value: []byte("x")},
		mutation.Cell{Column: 3, Timestamp: 8, Value: []byte("y")})
	none := []schema.ColumnID(nil)
	for _, c := range []struct {
		name     string
		now, gc  uint32
		below    int64
		dropped  []schema.ColumnID
		want     string
		sameRows bool
	}{
		{"nothing yet", 10, 10, math.MaxInt64, none, "", true},
		{"expired", 70, 10, math.MaxInt64, none,
			` marker @5 ttl 1 until 50 deleted @4/40 | 1 @6 deleted/60 | 2 @7 deleted/70 | 3 @8 ="y"`, false},
		{"expired, yet a rival may lie elsewhere", 70, 10, 7, none, "", true},
		{"grace of the marker and the deletion is over", 69, 51, math.MaxInt64, none,
			` | 1 @6 deleted/60 | 2 @7 ="x" ttl 3 until 70 | 3 @8 ="y"`, false},
		{"something at 5 elsewhere", 69, 51, 5, none,
			` marker @5 ttl 1 until 50 | 1 @6 deleted/60 | 2 @7 ="x" ttl 3 until 70 | 3 @8 ="y"`, false},
		{"all", 100, 100, math.MaxInt64, none, ` | 3 @8 ="y"`, false},
		{"dropped", 10, 10, 0, []schema.ColumnID{1, 3},
			` marker @5 ttl 1 until 50 deleted @4/40 | 2 @7 ="x" ttl 3 until 70`, false},
		{"nothing left", 100, 100, math.MaxInt64, []schema.ColumnID{3}, "", false},
	} {
		p := mutation.Purger{Now: c.now, GCBefore: c.gc, MaxTimestamp: c.below, Dropped: c.dropped}
		got, err := p.Row(nil, row)
		switch {
		case err != nil:
			t.Fatal(err)
		case c.sameRows:
			if &got[0] != &row[0] {
				t.Errorf("%s: changed to%s", c.name, mutationtest.Row(got))
			}
		case c.want == "":
			if got != nil {
				t.Errorf("%s: left%s", c.name, mutationtest.Row(got))
			}
		case mutationtest.Row(got) != c.want:
			t.Errorf("%s: got%s", c.name, mutationtest.Row(got))
		}
	}
}
