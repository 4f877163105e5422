package engine

import (
	"testing"

	"github.com/ilion-db/ilion/internal/mem"
)

// TestArenaSizes: a large value asks for pages that no chunk of the pool has.
func TestArenaSizes(t *testing.T) {
	share := mem.NewBudget(1 << 30).Share(mem.Memtable)
	a := newArena(share)
	for _, n := range []int{mem.MinChunk, 3 * mem.MinChunk, 1<<20 + mem.MinChunk, mem.MaxChunk, mem.MaxChunk + mem.MinChunk} {
		b := a.Alloc(n)
		if len(b) != n {
			t.Fatalf("%d bytes of %d", len(b), n)
		}
		b[n-1] = 1
		a.Free(b)
	}
	if used := share.Used(); used != 0 {
		t.Errorf("%d bytes are left", used)
	}
	a.close()
}
