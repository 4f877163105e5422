package replicaread

import (
	"context"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// TestRowsNearTheBoundOfAnAnswer: small rows before a huge one do not keep it
// from being read or repaired.
func TestRowsNearTheBoundOfAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		huge := strings.Repeat("x", maxPage-64<<10)
		for row := range 10 {
			n.apply(0, n.row(row, 1, strings.Repeat("y", 30<<10)))
		}
		n.apply(0, n.row(10, 1, huge))
		cmd := &mutation.ReadCommand{Table: n.table, Keys: []mutation.Key{oneKey}, Now: 100}
		src, err := n.nodes[1].rd.Read(context.Background(), cmd, ring.All)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		rows, longest := 0, 0
		for src.NextPartition() {
			for src.Next() {
				rows++
				longest = max(longest, len(src.Item().Row))
			}
		}
		if src.Err() != nil || rows != 11 || longest < len(huge) {
			t.Fatalf("%d rows of up to %d bytes, %v", rows, longest, src.Err())
		}
		for _, r := range n.repair {
			if len(r.record) > wire.MaxBody {
				t.Errorf("a record of %d bytes", len(r.record))
			}
		}
		if n.nodes[1].store.Applied() == 0 {
			t.Error("nothing was repaired")
		}
	})
}
