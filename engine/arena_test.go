package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/vfs"
)

// TestArenaSizes: a large value asks for pages that no chunk of the pool has.
func TestArenaSizes(t *testing.T) {
	share := mem.NewBudget(1 << 30).Share(mem.Memtable)
	a := newArena(share, func(err error) { t.Error(err) })
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

var errRefused = errors.New("refused")

// TestArenaRefused: what the system does not map is of the heap, and what it does
// not unmap stays counted.
func TestArenaRefused(t *testing.T) {
	share := mem.NewBudget(1 << 30).Share(mem.Memtable)
	told := make(chan error)
	a := newArena(share, func(err error) { told <- err })
	defer a.close()
	const n = 3 * mem.MinChunk
	mapped := a.Alloc(n)
	a.mapping = func(int) ([]byte, error) { return nil, errRefused }
	a.unmap = func([]byte) error { return errRefused }
	b := a.Alloc(n)
	if err := <-told; !errors.Is(err, errRefused) || len(b) != n || share.Used() != 2*n {
		t.Errorf("%d bytes, %d are used, %v", len(b), share.Used(), err)
	}
	b[n-1] = 1
	a.Free(b)
	if share.Used() != n {
		t.Errorf("%d bytes are used without those of the heap", share.Used())
	}
	a.Free(mapped)
	if err := <-told; !errors.Is(err, errRefused) || share.Used() != n || !a.idle() {
		t.Errorf("%d bytes are used with those that stay mapped, %v", share.Used(), err)
	}
}

// A write for which the system refuses memory is in the log: it is linked all the
// same, and the engine ends.
func TestRefusedMemoryEndsTheEngine(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	o.Sync, o.SegmentSize = commitlog.Periodic, 16<<20
	e := mustOpen(t, o)
	apply(t, e, insert(0, "p", 1, 1, "v"))
	e.arena.mapping = func(int) ([]byte, error) { return nil, errRefused }
	large := strings.Repeat("v", 1<<20+1)
	if err := e.ApplySync(context.Background(), insert(0, "p", 2, 1, large)); err != nil && !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
	<-e.Failed()
	if err := e.Err(); !errors.Is(err, errRefused) {
		t.Errorf("the engine ends with %v", err)
	}
	if err := e.ApplySync(context.Background(), insert(0, "p", 3, 1, "v")); !errors.Is(err, ErrFailed) {
		t.Errorf("a later write is answered with %v", err)
	}
	want := []string{"1=v@1", "2=" + large + "@1"}
	if got := dump(t, e, 0, "p"); !slices.Equal(got, want) {
		t.Errorf("%d rows are there", len(got))
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	e = mustOpen(t, o)
	defer e.Close()
	if got := dump(t, e, 0, "p"); !slices.Equal(got, want) {
		t.Errorf("%d rows are there after a restart", len(got))
	}
}
