package commitlog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// BenchmarkCommit measures durable commits of 240-byte records on a real disk.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := benchLog(b, Batch)
			rec := [][]byte{make([]byte, 240)}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.SetBytes(240)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						pos, err := l.AppendSync(rec)
						if err != nil {
							b.Error(err)
							return
						}
						l.Discard(pos)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			mustClose(b, l)
		})
	}
}

// BenchmarkAppendPeriodic measures the cost of an append that waits for nothing.
func BenchmarkAppendPeriodic(b *testing.B) {
	l := benchLog(b, Periodic)
	rec := [][]byte{make([]byte, 240)}
	b.SetBytes(240)
	b.ReportAllocs()
	for b.Loop() {
		pos, err := l.Append(rec, nil)
		if err != nil {
			b.Fatal(err)
		}
		l.Discard(pos)
	}
	mustClose(b, l)
}

func benchLog(b *testing.B, mode Mode) *Log {
	l, _, err := Open(Options{
		FS: vfs.OS, Clock: clock.Real, Rand: rand.NewSeeded(1), Dir: b.TempDir(), Mode: mode,
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkReplay measures a replay of 64 MiB.
func BenchmarkReplay(b *testing.B) {
	o := Options{FS: vfs.OS, Clock: clock.Real, Rand: rand.NewSeeded(1), Dir: b.TempDir(), Mode: Periodic}
	l, _, err := Open(o, nil)
	if err != nil {
		b.Fatal(err)
	}
	rec := [][]byte{make([]byte, 240)}
	const total = 64 << 20
	for range total / 240 {
		if _, err := l.Append(rec, nil); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, l)
	b.SetBytes(total)
	for b.Loop() {
		n := 0
		if _, err := Replay(o, func(Position, []byte) error { n++; return nil }); err != nil || n != total/240 {
			b.Fatal(n, err)
		}
	}
}

// nothingFS is a file system whose writes cost nothing, for counting what the
// log itself allocates.
type nothingFS struct{ vfs.FS }

type nothingFile struct{ vfs.File }

func (nothingFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nothingFile) SyncData() error                        { return nil }

func (fs nothingFS) OpenRW(name string, o vfs.OpenOptions) (vfs.File, error) {
	f, err := fs.FS.OpenRW(name, o)
	return nothingFile{f}, err
}

func TestAppendDoesNotAllocate(t *testing.T) {
	o := testOptions(nothingFS{vfs.NewMem()})
	o.SegmentSize, o.Buffered = 16<<20, true
	l, _, err := Open(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, l)
	// From here on the segment lasts, and no other is being prepared.
	mustAppend(t, l, string(make([]byte, 2<<20)))
	for l.Stats().SegmentsCreated < 3 {
		clock.Real.Sleep(time.Millisecond)
	}
	n := newNote()
	rec := [][]byte{make([]byte, 240)}
	if allocs := testing.AllocsPerRun(1000, func() {
		if _, err := l.TryAppend(rec, &n.Waiter); err != nil {
			t.Fatal(err)
		}
		<-n.done
	}); allocs != 0 {
		t.Fatalf("TryAppend allocates %v times", allocs)
	}
	if allocs := testing.AllocsPerRun(1000, func() {
		if _, err := l.AppendSync(rec); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Fatalf("AppendSync allocates %v times", allocs)
	}
}
