package cache

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
)

func fill(b []byte, file, offset uint64) {
	for i := range b {
		b[i] = byte(file*31 + offset*7 + uint64(i))
	}
}

func check(t testing.TB, b []byte, file, offset uint64) {
	t.Helper()
	for i := range b {
		if b[i] != byte(file*31+offset*7+uint64(i)) {
			t.Errorf("block %d/%d differs at %d of %d", file, offset, i, len(b))
			return
		}
	}
}

func sizeOf(file, offset uint64) int {
	return int(hash(file, offset)%5000) + 1 + int(hash(file, offset)>>32%20)/19*40000
}

// use gets the block or puts it in; it tells whether it was there.
func use(t testing.TB, c *Cache, file, offset uint64) bool {
	t.Helper()
	size := sizeOf(file, offset)
	h, ok := c.Get(file, offset)
	if !ok {
		if h, ok = c.Reserve(file, offset, size); !ok {
			return false
		}
		fill(h.Bytes(), file, offset)
		h.Publish(file, offset)
		ok = false
	}
	if len(h.Bytes()) != size {
		t.Errorf("block of %d bytes, want %d", len(h.Bytes()), size)
	}
	check(t, h.Bytes(), file, offset)
	h.Release()
	return ok
}

func TestGetWhatWasPut(t *testing.T) {
	c := New(8 << 20)
	defer c.Close()
	for i := range uint64(500) {
		use(t, c, 1, i)
	}
	hits := 0
	for i := range uint64(500) {
		if use(t, c, 1, i) {
			hits++
		}
	}
	st := c.Stats()
	if hits != 500 || st.Hits != 500 || st.Misses != 500 || st.Inserts != 500 || st.Blocks != 500 {
		t.Errorf("%d hits, %+v", hits, st)
	}
}

func TestLimit(t *testing.T) {
	c := New(2 << 20)
	defer c.Close()
	r := rand.New(rand.NewPCG(1, 1))
	for step := range 60000 {
		use(t, c, r.Uint64N(5), r.Uint64N(2000))
		if step == 30000 {
			c.SetLimit(1 << 20)
			if st := c.Stats(); st.Bytes > 1<<20 {
				t.Fatalf("%+v", st)
			}
		}
		if step == 45000 {
			c.SetLimit(4 << 20)
		}
	}
	st := c.Stats()
	if st.Bytes > 4<<20 || st.Bytes < 3<<20 || st.Evictions == 0 || st.Refused > st.Inserts/10 {
		t.Errorf("%+v", st)
	}
	c.SetLimit(0)
	if st = c.Stats(); st.Bytes != 0 || st.Blocks != 0 {
		t.Errorf("%+v", st)
	}
}

func TestPinnedStay(t *testing.T) {
	c := New(1 << 20)
	defer c.Close()
	var pinned []Handle
	for i := range uint64(100) {
		h, ok := c.Reserve(9, i, 3000)
		if !ok {
			t.Fatal("no room")
		}
		fill(h.Bytes(), 9, i)
		h.Publish(9, i)
		pinned = append(pinned, h)
	}
	for i := range uint64(5000) {
		use(t, c, 1, i)
	}
	c.SetLimit(0)
	for i, h := range pinned {
		check(t, h.Bytes(), 9, uint64(i))
		h.Release()
	}
	c.SetLimit(0)
	if st := c.Stats(); st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAllPinnedRefuses(t *testing.T) {
	c := New(256 << 10)
	defer c.Close()
	var held []Handle
	for i := range uint64(1000) {
		if h, ok := c.Reserve(1, i, 4096); ok {
			held = append(held, h)
		}
	}
	if len(held) == 0 || len(held) == 1000 || c.Stats().Refused == 0 {
		t.Fatalf("%d reserved", len(held))
	}
	for _, h := range held {
		h.Discard()
	}
	use(t, c, 2, 2)
	if !use(t, c, 2, 2) {
		t.Error("no room after everything was discarded")
	}
}

func TestSizes(t *testing.T) {
	c := New(4 << 20)
	defer c.Close()
	for _, n := range []int{0, -1, MaxBlock + 1} {
		if _, ok := c.Reserve(1, 1, n); ok {
			t.Errorf("size %d accepted", n)
		}
	}
	for _, n := range []int{1, 255, 256, 257, 4096, 4097, MaxBlock} {
		h, ok := c.Reserve(1, uint64(n), n)
		if !ok || len(h.Bytes()) != n {
			t.Fatalf("size %d", n)
		}
		h.Publish(1, uint64(n))
		h.Release()
	}
}

// TestScanResistance: a scan must not wash out what is hot.
func TestScanResistance(t *testing.T) {
	c := New(4 << 20)
	defer c.Close()
	get := func(file, off uint64) bool {
		h, ok := c.Get(file, off)
		if !ok {
			if h, ok = c.Reserve(file, off, 4096); !ok {
				return false
			}
			h.Publish(file, off)
			ok = false
		}
		h.Release()
		return ok
	}
	for range 4 {
		for i := range uint64(400) {
			get(1, i)
		}
	}
	for i := range uint64(20000) {
		get(2, i)
	}
	hits := 0
	for i := range uint64(400) {
		if get(1, i) {
			hits++
		}
	}
	if hits < 350 {
		t.Errorf("%d of 400 hot blocks outlived a scan", hits)
	}
}

// TestClassesFollow: memory moves to the size that is asked for.
func TestClassesFollow(t *testing.T) {
	c := New(4 << 20)
	defer c.Close()
	for _, size := range []int{512, 4096, 16384, 1024} {
		n := uint64(2 << 20 / size)
		hits := 0
		for round := range 12 {
			hits = 0
			for i := range n {
				h, ok := c.Get(uint64(size), i)
				if !ok {
					if h, ok = c.Reserve(uint64(size), i, size); !ok {
						continue
					}
					h.Publish(uint64(size), i)
				} else {
					hits++
				}
				h.Release()
			}
			_ = round
		}
		if hits < int(n)*6/10 {
			t.Errorf("size %d: %d of %d", size, hits, n)
		}
	}
}

func TestConcurrent(t *testing.T) {
	c := New(1 << 20)
	defer c.Close()
	var wg sync.WaitGroup
	for g := range uint64(6) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 3))
			for step := range 6000 {
				use(t, c, r.Uint64N(2), r.Uint64N(400))
				if g == 0 && step%500 == 0 {
					c.SetLimit(int64(r.IntN(2<<20)) + 512<<10)
				}
				if r.IntN(20) == 0 {
					if h, ok := c.Reserve(3, r.Uint64N(400), 2000); ok {
						binary.LittleEndian.PutUint64(h.Bytes(), step64(step))
						h.Discard()
					}
				}
			}
		})
	}
	wg.Wait()
}

func step64(n int) uint64 { return uint64(n) }

func TestAllocs(t *testing.T) {
	c := New(1 << 20)
	defer c.Close()
	use(t, c, 1, 1)
	if n := testing.AllocsPerRun(100, func() {
		h, _ := c.Get(1, 1)
		h.Release()
	}); n != 0 {
		t.Errorf("%v allocations a hit", n)
	}
}

func BenchmarkHit(b *testing.B) {
	c := New(64 << 20)
	defer c.Close()
	for i := range uint64(8192) {
		h, _ := c.Reserve(1, i*4100, 4096)
		h.Publish(1, i*4100)
		h.Release()
	}
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 4057) & 8191
		h, ok := c.Get(1, i*4100)
		if ok {
			h.Release()
		}
	}
}
