package netbuf

import "testing"

// A chunk is charged as long as it is held, whatever its size.
func TestChunkIsCharged(t *testing.T) {
	for _, want := range []int{1, size, size + 1, 100_000, 1 << maxBits, 1<<maxBits + 1} {
		p := newPurse()
		k := Get(want, p)
		if len(k.B) < want || len(k.B) > max(size, 2*want) {
			t.Errorf("a chunk for %d bytes has %d", want, len(k.B))
		}
		k.Retain()
		k.Release()
		if used := p.used.Load(); used != int64(len(k.B)) {
			t.Errorf("%d bytes are charged for %d", used, len(k.B))
		}
		k.Release()
		if used := p.used.Load(); used != 0 {
			t.Errorf("%d bytes are charged for none", used)
		}
	}
}

// Bytes of a request that panicked are nobody else's ever.
func TestTaint(t *testing.T) {
	p := newPurse()
	k := Get(size, p)
	k.Taint()
	k.Release()
	if used := p.used.Load(); used != 0 {
		t.Errorf("%d bytes are charged for none", used)
	}
	for range 100 {
		if Get(size, p) == k {
			t.Fatal("a tainted chunk is used again")
		}
	}
}
