package mutation_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
)

// A bounded merge passes no more items than it may of which a deletion leaves
// nothing, whether the deletion lies in the same source or in another.
func TestMergeBound(t *testing.T) {
	const shadowed = 20
	head := mutation.Partition{Token: 5, Key: []byte("k")}
	deleted := head
	deleted.Deletion = mutation.Deletion{Timestamp: 10, LocalTime: 1, Set: true}
	// rows are old rows behind each other, and a new one behind them.
	rows := func(head mutation.Partition, old int) *mutationtest.Source {
		var w mutationtest.Writer
		err := w.BeginPartition(&head)
		for i := range old + 1 {
			at := mutation.Marker{Timestamp: 1, Set: true}
			if i == old {
				at.Timestamp = 11
			}
			err = errors.Join(err, w.AddRow(mutationtest.Clustering(i), rowOf(at, mutation.Deletion{})))
		}
		if err = errors.Join(err, w.EndPartition()); err != nil {
			t.Fatal(err)
		}
		return w.Source(false)
	}
	var w mutationtest.Writer
	if err := errors.Join(w.BeginPartition(&deleted), w.EndPartition()); err != nil {
		t.Fatal(err)
	}
	for name, sources := range map[string]func() []mutation.Source{
		"of one source": func() []mutation.Source { return []mutation.Source{rows(deleted, shadowed)} },
		"of two": func() []mutation.Source {
			return []mutation.Source{rows(head, shadowed), w.Source(false)}
		},
	} {
		for _, bound := range []int{-1, 0, shadowed - 1, shadowed, shadowed + 1} {
			t.Run(fmt.Sprintf("%s, %d", name, bound), func(t *testing.T) {
				var m mutation.Merge
				m.Init(sources(), false)
				if bound >= 0 {
					m.Bound(bound)
				}
				if !m.NextPartition() {
					t.Fatal(m.Err())
				}
				m.Seek(nil)
				enough := bound < 0 || bound >= shadowed
				if got := m.Next(); got != enough {
					t.Errorf("an item: %t", got)
				}
				if err := m.Err(); enough && err != nil || !enough && !errors.Is(err, mutation.ErrWouldBlock) {
					t.Errorf("%v", err)
				}
				m.Init(sources(), false)
				if !m.NextPartition() || !m.Next() {
					t.Errorf("bounded after Init: %v", m.Err())
				}
			})
		}
	}
}
