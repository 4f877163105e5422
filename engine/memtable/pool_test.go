package memtable

import (
	"errors"
	"testing"

	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

func TestPoolAllocator(t *testing.T) {
	share := mem.NewShare("memtable", 8<<20)
	pool := mem.NewChunkPool(share)
	alloc := NewPoolAllocator(pool, share)
	for range 3 {
		m := New(schema.TableID{}, alloc)
		var p putter
		value := make([]byte, 1000)
		n := 0
		for m.TryPut(p.record(mix(uint64(n)), be(uint64(n)), nil, value, 1), nil) == nil {
			n++
		}
		if n < 4000 {
			t.Fatalf("%d records in %d bytes", n, share.Limit())
		}
		huge := p.record(1, []byte("huge"), nil, make([]byte, 5<<20), 1)
		if err := m.TryPut(huge, nil); !errors.Is(err, ErrWouldBlock) {
			t.Fatal(err)
		}
		if err := m.Put(huge, nil); err != nil {
			t.Fatal(err)
		}
		for i := range 4000 {
			if err := m.Put(p.record(ring.Token(i), be(uint64(i)), nil, value, 1), nil); err != nil {
				t.Fatal(err)
			}
		}
		if share.Used() <= share.Limit() {
			t.Fatal("forced memory is not accounted for")
		}
		m.Free()
		if share.Used() != 0 || pool.InUse() != 0 {
			t.Fatalf("%d bytes of the share, %d of the pool are left", share.Used(), pool.InUse())
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
}
