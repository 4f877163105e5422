package commitlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Clock: clock.Real, Rand: rand.NewSeeded(1), Dir: "/log", SegmentSize: MinSegmentSize}
}

// stillClock stands still: nothing is ever idle long enough to be covered, so
// that a log has the frames that were asked for on a slow machine, too.
type stillClock struct{ clock.Clock }

func (stillClock) Mono() time.Duration { return 0 }

// collected is what a replay handed out.
type collected struct {
	pos []Position
	rec [][]byte
}

func (c *collected) add(p Position, r []byte) error {
	c.pos = append(c.pos, p)
	c.rec = append(c.rec, bytes.Clone(r))
	return nil
}

func (c *collected) has(s string) bool {
	return slices.ContainsFunc(c.rec, func(r []byte) bool { return string(r) == s })
}

func mustOpen(t testing.TB, o Options) (*Log, *collected, Report) {
	t.Helper()
	var c collected
	l, rep, err := Open(o, c.add)
	if err != nil {
		t.Fatal(err)
	}
	return l, &c, rep
}

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustAppend(t testing.TB, l *Log, recs ...string) Position {
	t.Helper()
	pos, err := l.AppendSync(toBytes(recs))
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func toBytes(recs []string) [][]byte {
	b := make([][]byte, len(recs))
	for i := range recs {
		b[i] = []byte(recs[i])
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, lanes := range []int{1, 3} {
		for _, mode := range []Mode{Batch, Group, Periodic} {
			for _, buffered := range []bool{false, true} {
				t.Run(fmt.Sprintf("lanes=%d mode=%d buffered=%v", lanes, mode, buffered), func(t *testing.T) {
					o := testOptions(vfs.NewMem())
					o.Lanes, o.Mode, o.Buffered = lanes, mode, buffered
					roundTrip(t, o)
				})
			}
		}
	}
}

func roundTrip(t *testing.T, o Options) {
	l, _, _ := mustOpen(t, o)
	want := map[Position]string{}
	for i := range 300 {
		rec := fmt.Sprintf("record %d %s", i, bytes.Repeat([]byte{'x'}, i*7))
		pos := mustAppend(t, l, rec)
		if old, dup := want[pos]; dup {
			t.Fatalf("position %v given twice, before to %.20q", pos, old)
		}
		want[pos] = rec
	}
	mustClose(t, l)
	for range 2 {
		l, got, rep := mustOpen(t, o)
		if len(got.rec) != len(want) || rep.Records != len(want) || len(rep.Torn) != 0 {
			t.Fatalf("%d records, report %+v, want %d", len(got.rec), rep, len(want))
		}
		for i, p := range got.pos {
			if want[p] != string(got.rec[i]) {
				t.Fatalf("at %v %.30q, want %.30q", p, got.rec[i], want[p])
			}
		}
		pos := mustAppend(t, l, "more")
		if !rep.Last.Less(pos) {
			t.Fatalf("appended at %v, not above %v", pos, rep.Last)
		}
		want[pos] = "more"
		mustClose(t, l)
	}
}

// TestReplayAnnounced tells the size of what may be replayed before any of it.
func TestReplayAnnounced(t *testing.T) {
	o := testOptions(vfs.NewMem())
	var told []int64
	o.OnReplay = func(bytes int64) { told = append(told, bytes) }
	l, _, _ := mustOpen(t, o)
	pos := mustAppend(t, l, "one", "two")
	mustClose(t, l)
	records := 0
	if _, err := Replay(o, func(Position, []byte) error {
		if records++; len(told) != 2 || told[0] != 0 || told[1] < 6 {
			t.Errorf("told %v before record %d", told, records)
		}
		return nil
	}); err != nil || records != 2 {
		t.Fatalf("%d records, %v", records, err)
	}
	o.Start = Position{Segment: pos.Segment + 1}
	if _, err := Replay(o, nil); err != nil || told[2] != 0 {
		t.Errorf("told %v, the last with nothing to replay; %v", told, err)
	}
}

func TestConcurrentAppends(t *testing.T) {
	for _, lanes := range []int{1, 3} {
		o := testOptions(vfs.NewMem())
		o.Lanes, o.SegmentSize = lanes, 256<<10
		l, _, _ := mustOpen(t, o)
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 100 {
					if _, err := l.AppendSync(toBytes([]string{fmt.Sprintf("%d/%d/a", w, i), fmt.Sprintf("%d/%d/b", w, i)})); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		mustClose(t, l)
		l, got, _ := mustOpen(t, o)
		if len(got.rec) != 3200 {
			t.Fatalf("%d records, want 3200", len(got.rec))
		}
		mustClose(t, l)
	}
}

// note collects one completion.
type note struct {
	Waiter
	done chan error
}

func (n *note) Synced(err error) { n.done <- err }

func newNote() *note {
	n := &note{done: make(chan error, 1)}
	n.Init(n)
	return n
}

func TestWaiter(t *testing.T) {
	l, _, _ := mustOpen(t, testOptions(vfs.NewMem()))
	for range 3 {
		n := newNote()
		if _, err := l.Append(toBytes([]string{"a"}), &n.Waiter); err != nil {
			t.Fatal(err)
		}
		if err := <-n.done; err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	mustClose(t, l)
	if _, err := l.Append(toBytes([]string{"a"}), nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}
}

func TestLargeRecords(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.SegmentSize = 8 << 20
	l, _, _ := mustOpen(t, o)
	big := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	if _, err := l.AppendSync([][]byte{big, []byte("small")}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "after")
	_, err := l.AppendSync([][]byte{make([]byte, 4<<20+1)})
	var tooLarge *TooLargeError
	if !errors.Is(err, ErrTooLarge) || !errors.As(err, &tooLarge) || tooLarge.Limit != 4<<20 {
		t.Fatalf("too large a record: %v", err)
	}
	if _, err := l.AppendSync([][]byte{big, big}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("too large a group: %v", err)
	}
	if _, err := l.AppendSync(nil); err == nil {
		t.Fatal("an append of nothing succeeded")
	}
	mustClose(t, l)
	l, got, _ := mustOpen(t, o)
	if len(got.rec) != 3 || !bytes.Equal(got.rec[0], big) || !got.has("small") || !got.has("after") {
		t.Fatalf("%d records", len(got.rec))
	}
	mustClose(t, l)
}

func TestDiscardRecycles(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	l, _, _ := mustOpen(t, o)
	for i := range 40 {
		pos := mustAppend(t, l, fmt.Sprintf("%d %s", i, make([]byte, 20<<10)))
		l.Discard(pos)
	}
	if n := len(l.ActiveSegments()); n > 3 {
		t.Fatalf("%d segments active after discarding all but one record", n)
	}
	head := l.Head()
	last := mustAppend(t, l, "last")
	if last.Less(head) {
		t.Fatalf("appended at %v, below head %v", last, head)
	}
	mustClose(t, l)
	if s := l.Stats(); s.SegmentsRecycled == 0 || s.SegmentsCreated > 10 {
		t.Fatalf("%+v", s)
	}
	names, err := fs.List("/log")
	if err != nil || len(names) > 10 {
		t.Fatalf("files %q, %v", names, err)
	}
	o.Start = last
	l, got, _ := mustOpen(t, o)
	if len(got.rec) != 1 || string(got.rec[0]) != "last" {
		t.Fatalf("replayed %d records from %v", len(got.rec), last)
	}
	mustClose(t, l)
}

// sleeper stands for a clock: what sleeps waits until the channel is closed.
type sleeper chan struct{}

func (s sleeper) Sleep(time.Duration) { <-s }

// TestCloseClears closes a log whose goroutine has not come to what was
// discarded yet, since it prepares a segment: that is cleared away all the same.
func TestCloseClears(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			mem := vfs.NewMem()
			o, _ := manySegments(t, mem)
			o.SetAside = map[string]bool{segmentName(2): true}
			held := make(sleeper)
			fs := vfs.NewFault(mem, held)
			o.FS = fs
			l, _, _ := mustOpen(t, o)
			synctest.Wait()
			fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate), Glob: "*.new", Delay: 1})
			mustAppend(t, l, "the first of the reserve")
			synctest.Wait()
			l.Discard(l.Head())
			done := make(chan error)
			go func() { done <- l.Close() }()
			synctest.Wait()
			close(held)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			for file, want := range map[string]bool{segmentName(2): false, segmentName(2) + setAsideSuffix: true} {
				if there, err := vfs.Exists(mem, "/log/"+file); there != want || err != nil {
					t.Fatalf("%s there: %v, %v", file, there, err)
				}
			}
		})
	}
}

func TestLastSegmentIsNotUsedAgain(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.LastSegment = 41
	l, _, _ := mustOpen(t, o)
	if pos := mustAppend(t, l, "a"); pos.Segment != 42 {
		t.Fatalf("first segment is %v, want 42", pos)
	}
	mustClose(t, l)
}

func TestPressure(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MaxSize = 200 << 10
	told := make(chan uint64, 100)
	o.OnPressure = func(oldest uint64, size int64) { told <- oldest }
	l, _, _ := mustOpen(t, o)
	first := mustAppend(t, l, "first")
	for range 12 {
		mustAppend(t, l, string(make([]byte, 30<<10)))
	}
	if oldest := <-told; oldest != first.Segment {
		t.Fatalf("oldest segment %d, want %d", oldest, first.Segment)
	}
	mustClose(t, l)
}

func TestIdleCover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, _ := mustOpen(t, testOptions(vfs.NewMem()))
		mustAppend(t, l, "a")
		synctest.Wait()
		if n := l.Stats().Frames; n != 1 {
			t.Fatalf("%d frames at once", n)
		}
		clock.Real.Sleep(3 * idleCover)
		synctest.Wait()
		if n := l.Stats().Frames; n != 2 {
			t.Fatalf("%d frames, want one of records and one empty", n)
		}
		mustClose(t, l)
		if n := l.Stats().Frames; n != 2 {
			t.Fatalf("%d frames after close, want no second empty one", n)
		}
	})
}

// lateClock began to count long ago, as that of a machine does.
type lateClock struct{ clock.Clock }

func (c lateClock) Mono() time.Duration { return c.Clock.Mono() + 1000*time.Hour }

// TestCoverAfterCrash opens a log whose last records are not vouched for: they
// are after idleCover, not at once, whatever the clock counts from.
func TestCoverAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l, _, _ := mustOpen(t, testOptions(fs))
		mustAppend(t, l, "a")
		o := testOptions(fs.CrashClone(vfs.CrashOptions{Keep: 100}))
		mustClose(t, l)
		o.Clock = lateClock{clock.Real}
		l, got, _ := mustOpen(t, o)
		if len(got.rec) != 1 {
			t.Fatalf("%d records", len(got.rec))
		}
		synctest.Wait()
		if n := l.Stats().Frames; n != 0 {
			t.Fatalf("%d frames at once", n)
		}
		clock.Real.Sleep(3 * idleCover)
		synctest.Wait()
		if n := l.Stats().Frames; n != 1 {
			t.Fatalf("%d frames, want an empty one", n)
		}
		mustClose(t, l)
	})
}

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(vfs.NewMem())
		o.Mode, o.GroupWindow = Group, 5*time.Millisecond
		l, _, _ := mustOpen(t, o)
		start := clock.Real.Mono()
		mustAppend(t, l, "a")
		if took := clock.Real.Mono() - start; took != o.GroupWindow {
			t.Fatalf("mode Group answered after %v", took)
		}
		mustClose(t, l)

		o = testOptions(vfs.NewMem())
		o.Mode = Periodic
		l, _, _ = mustOpen(t, o)
		start = clock.Real.Mono()
		mustAppend(t, l, "a")
		synctest.Wait()
		if took, n := clock.Real.Mono()-start, l.Stats().Frames; took != 0 || n != 0 {
			t.Fatalf("mode Periodic answered after %v with %d frames written", took, n)
		}
		clock.Real.Sleep(DefaultSyncPeriod)
		synctest.Wait()
		if n := l.Stats().Records; n != 1 {
			t.Fatalf("%d records durable after the period", n)
		}
		mustAppend(t, l, "b")
		if err := l.Sync(context.Background()); err != nil || l.Stats().Records != 2 {
			t.Fatalf("Sync: %v, %d records durable", err, l.Stats().Records)
		}
		mustClose(t, l)
	})
}

func TestNoSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		o := testOptions(fs)
		fs.SetCapacity(5 * MinSegmentSize)
		l, _, _ := mustOpen(t, o)
		rec := [][]byte{make([]byte, 30<<10)}
		var pos Position
		var err error
		acked := 0
		for ; err == nil && acked < 100; acked++ {
			var p Position
			if p, err = l.AppendSync(rec); err == nil {
				pos = p
			}
		}
		if !errors.Is(err, ErrNoSpace) || acked < 5 {
			t.Fatalf("after %d records on a full disk: %v", acked, err)
		}
		if _, err := l.TryAppend(rec, nil); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("TryAppend on a full disk: %v", err)
		}
		l.Discard(pos)
		synctest.Wait()
		if _, err := l.AppendSync(rec); err != nil {
			t.Fatalf("after Discard: %v", err)
		}
		// Space that others free is found by the clock.
		for err = nil; err == nil; {
			_, err = l.AppendSync(rec)
		}
		fs.SetCapacity(50 * MinSegmentSize)
		if _, err := l.AppendSync(rec); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("before the next try: %v", err)
		}
		clock.Real.Sleep(2 * spaceRetry)
		synctest.Wait()
		if _, err := l.AppendSync(rec); err != nil || l.Err() != nil {
			t.Fatalf("after space was freed: %v, %v", err, l.Err())
		}
		mustClose(t, l)
	})
}

// TestIdleLaneLetsGo checks that a lane without work does not hold the
// low-water mark back for ever.
func TestIdleLaneLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(vfs.NewMem())
		o.Lanes = 2
		l, _, _ := mustOpen(t, o)
		mustAppend(t, l, "a")
		mustAppend(t, l, "b")
		big := string(make([]byte, 30<<10))
		for range 20 {
			l.next.Store(1) // always the same lane
			mustAppend(t, l, big)
			synctest.Wait()
		}
		l.Discard(l.Head())
		synctest.Wait()
		if segs := l.ActiveSegments(); len(segs) > 2 {
			t.Fatalf("segments %v are held", segs)
		}
		mustClose(t, l)
	})
}

func TestTryAppendWouldBlock(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.SegmentSize = 1 << 20
	l, _, _ := mustOpen(t, o)
	mustAppend(t, l, "first")
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	fs.OnWriteSide(func(c vfs.Call) {
		if c.Op == vfs.OpWrite && !c.After && strings.HasSuffix(c.Name, segmentSuffix) {
			signal(held)
			<-hold
		}
	})
	rec := [][]byte{make([]byte, 100<<10)}
	var notes []*note
	var err error
	for len(notes) < 100 {
		n := newNote()
		if _, err = l.TryAppend(rec, &n.Waiter); err != nil {
			break
		}
		notes = append(notes, n)
		if len(notes) == 1 {
			<-held
		}
	}
	if !errors.Is(err, ErrWouldBlock) || len(notes) < 5 {
		t.Fatalf("after %d records while the disk is stuck: %v", len(notes), err)
	}
	fs.OnWriteSide(nil)
	close(hold)
	for _, n := range notes {
		if err := <-n.done; err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
}

func TestOptionsValidate(t *testing.T) {
	good := testOptions(vfs.NewMem())
	for what, change := range map[string]func(*Options){
		"no file system": func(o *Options) { o.FS = nil },
		"no directory":   func(o *Options) { o.Dir = "" },
		"mode":           func(o *Options) { o.Mode = 9 },
		"small segment":  func(o *Options) { o.SegmentSize = 4096 },
		"odd segment":    func(o *Options) { o.SegmentSize = MinSegmentSize + 1 },
		"lanes":          func(o *Options) { o.Lanes = 17 },
		"negative":       func(o *Options) { o.MaxSize = -1 },
	} {
		o := good
		change(&o)
		if _, _, err := Open(o, nil); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	l, _, _ := mustOpen(t, o)
	mustClose(t, l)
	name := path.Join(o.Dir, segmentName(77)+newSuffix)
	f, err := fs.Create(name, vfs.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	l, _, _ = mustOpen(t, o)
	defer mustClose(t, l)
	if there, err := vfs.Exists(fs, name); there || err != nil {
		t.Fatalf("half-made segment is still there: %v %v", there, err)
	}
}

// TestCloseDuringAppends checks that what was acknowledged before Close took
// effect is there, and that nobody is left waiting.
func TestCloseDuringAppends(t *testing.T) {
	for range 20 {
		o := testOptions(vfs.NewMem())
		o.Lanes = 2
		l, _, _ := mustOpen(t, o)
		var mu sync.Mutex
		acked := map[string]bool{}
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					rec := fmt.Sprintf("%d/%d %s", w, i, make([]byte, 500*w))
					_, err := l.AppendSync(toBytes([]string{rec}))
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acked[rec] = true
					mu.Unlock()
				}
			})
		}
		for l.Stats().Records < 50 {
			if err := l.Sync(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, l)
		wg.Wait()
		var got collected
		if _, err := Replay(o, got.add); err != nil {
			t.Fatal(err)
		}
		if len(got.rec) != len(acked) {
			t.Fatalf("%d records, %d were acknowledged", len(got.rec), len(acked))
		}
	}
}

// TestHeadIsBelowLaterAppends checks what low-water marks rest on.
func TestHeadIsBelowLaterAppends(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.Lanes = 3
	l, _, _ := mustOpen(t, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				head := l.Head()
				pos, err := l.Append([][]byte{make([]byte, 100*(i%40))}, nil)
				if err != nil || pos.Less(head) {
					t.Errorf("appended at %v, below head %v, %v", pos, head, err)
					return
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
}
