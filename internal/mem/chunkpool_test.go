package mem

import (
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"
)

func TestMap(t *testing.T) {
	if _, err := Map(0); err == nil {
		t.Fatal("mapped nothing")
	}
	b, err := Map(3 * MinChunk)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 3*MinChunk || uintptr(unsafe.Pointer(&b[0]))%MinChunk != 0 {
		t.Fatalf("%d bytes at %p", len(b), b)
	}
	for i, x := range b {
		if x != 0 {
			t.Fatalf("byte %d is %d", i, x)
		}
		b[i] = 1
	}
	if err := Unmap(b); err != nil {
		t.Fatal(err)
	}
	if heapBacked && b[0] != 0xDB {
		t.Fatal("freed memory is not overwritten")
	}
}

func newPool(t *testing.T, limit int64) *ChunkPool {
	t.Helper()
	p := NewChunkPool(NewShare("test", limit))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// chunkSize is the i-th size.
func chunkSize(i int) int { return MinChunk << i }

// mappedBytes is the pool's address space, without what aligning it took.
func mappedBytes(p *ChunkPool) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.slabs)) * MaxChunk
}

// Chunks never overlap, the share is exact, and all of it can be had again in
// the largest pieces after any history.
func TestChunkPoolRandom(t *testing.T) {
	const limit = 16 << 20
	p := newPool(t, limit)
	r := rand.New(rand.NewPCG(3, 4))
	type held struct {
		b   []byte
		tag byte
	}
	var all []held
	var sum int64
	check := func(h held) {
		if h.b[0] != h.tag || h.b[len(h.b)-1] != h.tag || h.b[len(h.b)/2] != h.tag {
			t.Fatal("chunk was overwritten")
		}
	}
	rounds := 20000
	if heapBacked {
		rounds = 1500 // every chunk is overwritten twice
	}
	for i := range rounds {
		if len(all) > 0 && r.IntN(100) < 49 {
			k := r.IntN(len(all))
			check(all[k])
			sum -= int64(len(all[k].b))
			p.Put(all[k].b)
			all[k] = all[len(all)-1]
			all = all[:len(all)-1]
			continue
		}
		size := chunkSize(r.IntN(8))
		b, ok := p.TryGet(size)
		if !ok {
			if sum+int64(size) <= limit {
				t.Fatalf("refused %d bytes at %d", size, sum)
			}
			continue
		}
		if len(b) != size || cap(b) != size || uintptr(unsafe.Pointer(&b[0]))%MinChunk != 0 {
			t.Fatalf("asked %d, got %d of %d", size, len(b), cap(b))
		}
		sum += int64(size)
		h := held{b, byte(i)}
		b[0], b[size/2], b[size-1] = h.tag, h.tag, h.tag
		all = append(all, h)
	}
	if p.InUse() != sum || p.share.Used() != sum {
		t.Fatalf("in use %d, reserved %d, want %d", p.InUse(), p.share.Used(), sum)
	}
	for _, h := range all {
		check(h)
		p.Put(h.b)
	}
	mapped := mappedBytes(p)
	var whole [][]byte
	for range limit / MaxChunk {
		b, ok := p.TryGet(MaxChunk)
		if !ok {
			t.Fatal("pieces were not joined")
		}
		whole = append(whole, b)
	}
	if got := mappedBytes(p); got > max(mapped, limit+MaxChunk) {
		t.Fatalf("mapped %d, then %d", mapped, got)
	}
	for _, b := range whole {
		p.Put(b)
	}
	for c, stack := range p.free {
		if len(stack) > slabBlocks*len(p.slabs) {
			t.Fatalf("class %d has %d entries", c, len(stack))
		}
	}
}

func TestChunkPoolMisuse(t *testing.T) {
	p := newPool(t, MaxChunk)
	panics := func(what string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s is no panic", what)
			}
		}()
		f()
	}
	panics("odd size", func() { p.TryGet(5000) })
	panics("small size", func() { p.TryGet(MinChunk / 2) })
	panics("large size", func() { p.TryGet(MaxChunk * 2) })
	if p.share.Used() != 0 {
		t.Fatalf("%d bytes lost", p.share.Used())
	}
}

// The goroutine prepares a slab once enough is in use.
func TestChunkPoolTouchesAhead(t *testing.T) {
	p := newPool(t, 8*MaxChunk)
	b, _ := p.TryGet(MaxChunk)
	for ready := false; !ready; {
		p.mu.Lock()
		ready = p.whole == 1
		p.signal()
		p.mu.Unlock()
	}
	c, ok := p.TryGet(MaxChunk)
	if !ok {
		t.Fatal("no chunk")
	}
	p.Put(b)
	p.Put(c)
}

func TestChunkPoolConcurrent(t *testing.T) {
	p := newPool(t, 64<<20)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 9))
			var own [][]byte
			for range 500 {
				if b, ok := p.TryGet(chunkSize(r.IntN(9))); ok {
					b[0] = byte(g)
					own = append(own, b)
				}
				if len(own) > 8 {
					if own[0][0] != byte(g) {
						t.Error("shared chunk")
					}
					p.Put(own[0])
					own = own[1:]
				}
			}
			for _, b := range own {
				p.Put(b)
			}
		})
	}
	wg.Wait()
	if p.InUse() != 0 || p.share.Used() != 0 {
		t.Fatalf("in use %d, reserved %d", p.InUse(), p.share.Used())
	}
}

func TestPoisonedChunks(t *testing.T) {
	p := newPool(t, MaxChunk)
	b, _ := p.TryGet(MinChunk)
	if heapBacked && b[7] != 0xDB {
		t.Fatal("a new chunk looks zeroed")
	}
	b[7] = 1
	p.Put(b)
	if heapBacked && b[7] != 0xDB {
		t.Fatal("a chunk put back is not overwritten")
	}
}

func BenchmarkChunkPool(b *testing.B) {
	p := NewChunkPool(NewShare("bench", 1<<30))
	defer p.Close()
	for i := 0; b.Loop(); i++ {
		c, _ := p.TryGet(chunkSize(i % 10))
		p.Put(c)
	}
}
