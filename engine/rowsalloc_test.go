//go:build !race && !invariants

package engine

import (
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// Rows from memory and from a cached file cost no allocation.
func TestRowsAllocateNothing(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	var keys []mutation.RowKey
	for i := range 40 {
		key := fmt.Sprint("k", i)
		apply(t, e, insert(0, key, 1, 10, "v"))
		if i == 20 {
			flush(t, e)
		}
		keys = append(keys, mutation.RowKey{Key: keyOf(key), Clustering: ck(1)})
	}
	var got counter
	e.TryRows(table0, keys, 1000, &got)
	if got != 40 {
		t.Fatalf("%d rows", got)
	}
	if n := testing.AllocsPerRun(100, func() { e.TryRows(table0, keys, 1000, &got) }); n > 0 {
		t.Errorf("%v allocations for 40 rows", n)
	}
}

// counter counts the rows that there are.
type counter int

func (c *counter) Row(_ int, row []byte) {
	if row != nil {
		*c++
	}
}
