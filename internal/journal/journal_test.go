package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

var (
	testMagic = [8]byte([]byte("ILIONTST"))
	streamA   = [16]byte{1}
	streamB   = [16]byte{2, 0xff}
)

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "/j", Magic: testMagic, Clock: clock.Real, MaxBytes: 1 << 30, SegmentBytes: 16 << 10}
}

// stillClock stands still: nothing is ever idle long enough to be covered, so
// that a journal has the frames that were asked for on a slow machine, too.
type stillClock struct{ clock.Clock }

func (stillClock) Mono() time.Duration { return 0 }

// stillOptions are testOptions with a clock that stands still.
func stillOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.Clock = stillClock{o.Clock}
	return o
}

// entryOf is an entry that tells by itself which it is and whether it is whole.
func entryOf(stream [16]byte, n, size int) []byte {
	b := make([]byte, max(size, 9))
	for i := range b {
		b[i] = byte(n*7 + i)
	}
	b[4] = stream[0]
	binary.LittleEndian.PutUint32(b[5:], uint32(n))
	binary.LittleEndian.PutUint32(b, encoding.CRC32C(b[4:]))
	return b
}

func numberOf(stream [16]byte, b []byte) (int, error) {
	if len(b) < 9 || binary.LittleEndian.Uint32(b) != encoding.CRC32C(b[4:]) || b[4] != stream[0] {
		return 0, fmt.Errorf("an entry that nobody wrote: %.40q", b)
	}
	return int(binary.LittleEndian.Uint32(b[5:])), nil
}

// seen is a Visitor that checks what it is shown.
type seen struct {
	entries map[[16]byte][]int
	damage  []*Damage
	err     error
}

func (s *seen) Entry(stream [16]byte, at Position, entry []byte) {
	if s.entries == nil {
		s.entries = map[[16]byte][]int{}
	}
	n, err := numberOf(stream, entry)
	if err != nil && s.err == nil {
		s.err = err
	}
	s.entries[stream] = append(s.entries[stream], n)
}

func (s *seen) Damage(d *Damage) { s.damage = append(s.damage, d) }

// ordered checks that no stream goes back.
func (s *seen) ordered() error {
	for id, ns := range s.entries {
		for i := 1; i < len(ns); i++ {
			if ns[i] <= ns[i-1] {
				return fmt.Errorf("stream %x has %d after %d", id[:1], ns[i], ns[i-1])
			}
		}
	}
	return s.err
}

func (s *seen) has(stream [16]byte, n int) bool {
	for _, m := range s.entries[stream] {
		if m == n {
			return true
		}
	}
	return false
}

// result is a Waiter that a test waits for.
type result struct {
	at  Position
	err error
	ch  chan struct{}
}

func newResult() *result { return &result{ch: make(chan struct{})} }

func (r *result) Appended(at Position, err error) {
	r.at, r.err = at, err
	close(r.ch)
}

func appendSync(j *Journal, stream [16]byte, entry []byte) (Position, error) {
	r := newResult()
	if err := j.Append(stream, Normal, r, entry[:3], entry[3:]); err != nil {
		return Position{}, err
	}
	<-r.ch
	return r.at, r.err
}

func mustAppend(t testing.TB, j *Journal, stream [16]byte, n, size int) Position {
	t.Helper()
	at, err := appendSync(j, stream, entryOf(stream, n, size))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func mustOpen(t testing.TB, o Options) (*Journal, *seen) {
	t.Helper()
	s := &seen{}
	j, err := Open(o, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	if err := s.ordered(); err != nil {
		t.Fatal(err)
	}
	return j, s
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// readAll reads a stream from a position until there is no more.
func readAll(t testing.TB, j *Journal, stream [16]byte, from Position) (ns []int) {
	t.Helper()
	c := j.Cursor(stream, from)
	defer c.Close()
	for {
		entry, _, err := c.Next()
		if err == io.EOF {
			return ns
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := numberOf(stream, entry)
		if err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
}

func TestAppendReadReopenRelease(t *testing.T) {
	fs := vfs.NewMem()
	j, _ := mustOpen(t, testOptions(fs))
	var at []Position
	for n := range 200 {
		at = append(at, mustAppend(t, j, streamA, n, 500))
		mustAppend(t, j, streamB, n, 20)
	}
	for i := range at {
		if got := readAll(t, j, streamA, at[i]); len(got) != 200-i || got[0] != i {
			t.Fatalf("from %d: %v", i, got)
		}
	}
	if at[199].Segment < 5 {
		t.Fatalf("only %d segments", at[199].Segment)
	}
	mustClose(t, j)
	if _, err := appendSync(j, streamA, make([]byte, 10)); !errors.Is(err, ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}

	o := testOptions(fs)
	j, s := mustOpen(t, o)
	if len(s.entries[streamA]) != 200 || len(s.entries[streamB]) != 200 || len(s.damage) != 0 {
		t.Fatalf("%d, %d, %v", len(s.entries[streamA]), len(s.entries[streamB]), s.damage)
	}
	left, err := j.Release(streamA, at[150])
	if err != nil || !left {
		t.Fatalf("%v, %v", left, err)
	}
	if got := readAll(t, j, streamA, Position{}); got[0] > 150 || got[0] < 100 {
		t.Fatalf("from the start after a release: %v", got)
	}
	if n := mustAppend(t, j, streamA, 200, 10); n.Segment <= at[199].Segment {
		t.Fatalf("a file of another process is appended to: %v", n)
	}
	mustClose(t, j)
	o.Start = map[[16]byte]Position{streamA: {Segment: at[199].Segment + 9}}
	j, s = mustOpen(t, o)
	if len(s.entries[streamA]) != 0 {
		t.Fatalf("below the start: %v", s.entries[streamA])
	}
	if n := mustAppend(t, j, streamA, 201, 10); n.Segment <= at[199].Segment+9 {
		t.Fatalf("a number below the start's is used again: %v", n)
	}
	mustClose(t, j)
}

// TestReleaseOfTheOpenFile releases everything again and again.
func TestReleaseOfTheOpenFile(t *testing.T) {
	fs := vfs.NewMem()
	j, _ := mustOpen(t, testOptions(fs))
	c := j.Cursor(streamA, Position{})
	for n := range 20 {
		mustAppend(t, j, streamA, n, 10)
		if _, _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Next(); err != io.EOF {
			t.Fatalf("after the last: %v", err)
		}
		for {
			left, err := j.Release(streamA, c.Position())
			if err != nil {
				t.Fatal(err)
			}
			if !left {
				break
			}
		}
	}
	if names, err := fs.List("/j"); err != nil || len(names) != 0 || j.Bytes() != 0 {
		t.Fatalf("%v, %v, %d bytes", names, err, j.Bytes())
	}
	mustClose(t, j)
}

func TestBounds(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem(), nil)
	o := testOptions(fs)
	o.MaxBytes, o.PendingBytes = 64<<10, 16<<10
	j, _ := mustOpen(t, o)
	if err := j.Append(streamA, Normal, nil, make([]byte, MaxEntry+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("too large: %v", err)
	}
	var err error
	var at Position
	n := 0
	for ; err == nil; n++ {
		at, err = appendSync(j, streamA, entryOf(streamA, n, 1000))
	}
	if !errors.Is(err, ErrFull) || n < 20 {
		t.Fatalf("%d entries, %v", n, err)
	}
	if err := j.Append(streamA, Urgent, nil, entryOf(streamA, n, 1000)); err != nil {
		t.Fatalf("an urgent one: %v", err)
	}
	at.Segment = 1 << 40
	if _, err := j.Release(streamA, at); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, streamB, 1, 1000)
	mustClose(t, j)
}

// TestBacklog holds the disk and fills the buffer.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewFault(vfs.NewMem(), clock.Real)
		o := testOptions(fs)
		o.PendingBytes = 16 << 10
		j, _ := mustOpen(t, o)
		fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpSync), Times: -1, Delay: time.Hour})
		var wg sync.WaitGroup
		n := 0
		for ; ; n++ {
			r := newResult()
			err := j.Append(streamA, Normal, r, entryOf(streamA, n, 1000))
			if errors.Is(err, ErrBacklog) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if <-r.ch; r.err != nil {
					t.Error(r.err)
				}
			})
		}
		if n < 10 || n > 17 {
			t.Fatalf("%d entries before the backlog was full", n)
		}
		wg.Wait()
		mustClose(t, j)
	})
}

// TestGroup shows that a sync carries all that came during the one before.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewFault(vfs.NewMem(), clock.Real)
		j, _ := mustOpen(t, testOptions(fs))
		mustAppend(t, j, streamA, 0, 10)
		fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpSync), Times: -1, Delay: time.Second})
		start := time.Now()
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() { mustAppend(t, j, streamA, n+1, 10) })
		}
		wg.Wait()
		if took := time.Since(start); took > 2*time.Second {
			t.Fatalf("100 entries took %v", took)
		}
		fs.Clear()
		mustClose(t, j)
	})
}

func TestNewerFormatIsRefusedByName(t *testing.T) {
	for _, change := range []func(h *header){
		func(h *header) { h.version = formatVersion + 1 },
		func(h *header) { h.required = 1 },
	} {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("/j"); err != nil {
			t.Fatal(err)
		}
		h := header{magic: testMagic, version: formatVersion, segment: 1, first: 1, stream: streamA}
		change(&h)
		name := "/j/" + segmentName(streamA, 1)
		if err := vfs.WriteFileAtomic(fs, name, append(h.encode(), h.encode()...)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(testOptions(fs), &seen{}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Fatalf("%v", err)
		}
	}
}

// TestCoveredWhenIdle shows that rot of the last entry is told from a torn tail
// soon after it was written.
func TestCoveredWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		j, _ := mustOpen(t, testOptions(fs))
		at := mustAppend(t, j, streamA, 1, 100)
		time.Sleep(2 * idleCover)
		image := fs.CrashClone(vfs.CrashOptions{})
		mustClose(t, j)
		f, err := image.OpenRW("/j/"+segmentName(streamA, at.Segment), vfs.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xee}, at.Offset+60); err != nil {
			t.Fatal(err)
		}
		j, s := mustOpen(t, testOptions(image))
		if len(s.damage) != 1 || s.damage[0].Offset != at.Offset || !errors.Is(s.damage[0], ErrCorrupt) {
			t.Fatalf("%v", s.damage)
		}
		mustClose(t, j)
	})
}
