package replicaread

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
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

// TestRowLongerThanAnAnswer: a row that many writes have made longer than a message
// can be is read where it lies. Others are told that it is too long, and the node
// that has it goes on.
func TestRowLongerThanAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		n.apply(0, n.row(0, 1, strings.Repeat("x", wire.MaxBody)), n.row(1, 1, "small"))
		if got, err := n.read(1, n.command(), ring.All); !errors.Is(err, &native.Error{Code: native.CodeReadFailure}) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if got, err := n.read(0, n.command(), ring.One); err != nil || len(got) < wire.MaxBody {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		other := n.command()
		other.Slices = []mutation.Slice{{Lo: mutationtest.Clustering(1)}}
		if got, err := n.read(1, other, ring.All); err != nil || !strings.Contains(got, `="small"`) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}
