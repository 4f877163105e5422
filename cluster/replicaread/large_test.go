package replicaread

import (
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
		got, err := n.read(1, cmd, ring.All)
		if err != nil || strings.Count(got, "marker") != 11 || !strings.Contains(got, huge) {
			t.Fatalf("%d bytes, %v", len(got), err)
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
