package commitlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// crashRecord returns record i of group g of n: it tells by itself whether it
// is whole.
func crashRecord(g, i, n, size int) []byte {
	b := make([]byte, max(size, 16))
	for j := range b {
		b[j] = byte(g*31 + i*7 + j)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(g))
	binary.LittleEndian.PutUint16(b[8:], uint16(i))
	binary.LittleEndian.PutUint16(b[10:], uint16(n))
	binary.LittleEndian.PutUint32(b, encoding.CRC32C(b[4:]))
	return b
}

func parseCrashRecord(b []byte) (g, i, n int, ok bool) {
	if len(b) < 16 || binary.LittleEndian.Uint32(b) != encoding.CRC32C(b[4:]) {
		return 0, 0, 0, false
	}
	return int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint16(b[8:])), int(binary.LittleEndian.Uint16(b[10:])), true
}

// crashRun is a workload under which a crash is tried at every call that
// changes the disk.
type crashRun struct {
	opts Options
	rnd  *rand.Source
	keep []int

	imaging sync.Mutex // held while an image is judged and while start moves
	start   Position   // as the engine's manifest has it

	mu     sync.Mutex // protects what follows
	acked  map[int]bool
	groups map[int]Position
	err    error // the first violation
	images int
}

type crashWaiter struct {
	Waiter
	run   *crashRun
	group int
	done  *sync.WaitGroup
}

func (w *crashWaiter) Synced(err error) {
	if err == nil {
		w.run.mu.Lock()
		w.run.acked[w.group] = true
		w.run.mu.Unlock()
	}
	w.done.Done()
}

// runCrashes runs the workload and returns the first broken promise.
func runCrashes(seed uint64, buffered bool, lanes, groups int, keep ...int) (*crashRun, error) {
	fs := vfs.NewMem()
	r := &crashRun{opts: testOptions(fs), rnd: rand.NewSeeded(seed), keep: keep, acked: map[int]bool{}, groups: map[int]Position{}}
	r.opts.Rand, r.opts.Buffered, r.opts.Lanes = rand.NewSeeded(seed+1000), buffered, lanes
	l, _, err := Open(r.opts, nil)
	if err != nil {
		return r, err
	}
	fs.OnWriteSide(func(vfs.Call) { r.image(fs) })
	err = r.work(l, groups)
	fs.OnWriteSide(nil)
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, errors.Join(r.err, err)
}

func (r *crashRun) work(l *Log, groups int) error {
	var pending sync.WaitGroup
	for g := range groups {
		n := 1 + int(r.rnd.Uint64N(3))
		size := int(r.rnd.Uint64N(600))
		if r.rnd.Uint64N(6) == 0 {
			n, size = 1, 8<<10+int(r.rnd.Uint64N(20<<10))
		}
		recs := make([][]byte, n)
		for i := range recs {
			recs[i] = crashRecord(g, i, n, size)
		}
		pending.Add(1)
		pos, err := l.Append(recs, &(&crashWaiter{run: r, group: g, done: &pending}).initialized().Waiter)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.groups[g] = pos
		r.mu.Unlock()
		if r.rnd.Uint64N(3) == 0 {
			pending.Wait()
		}
		if r.rnd.Uint64N(8) == 0 {
			r.imaging.Lock()
			r.start = l.Head()
			start := r.start
			r.imaging.Unlock()
			l.Discard(start)
		}
	}
	pending.Wait()
	return l.Sync(context.Background())
}

func (w *crashWaiter) initialized() *crashWaiter { w.Init(w); return w }

// image judges what a crash now would leave.
func (r *crashRun) image(fs *vfs.Mem) {
	r.imaging.Lock()
	defer r.imaging.Unlock()
	r.mu.Lock()
	if r.err != nil {
		r.mu.Unlock()
		return
	}
	acked := make(map[int]bool, len(r.acked))
	for g := range r.acked {
		acked[g] = true
	}
	r.images++
	r.mu.Unlock()
	for _, keep := range r.keep {
		clone := fs.CrashClone(vfs.CrashOptions{Keep: max(keep, 0), Prefix: keep < 0, Rand: r.rnd})
		if err := r.judge(clone, acked); err != nil {
			r.mu.Lock()
			r.err = fmt.Errorf("image %d, %d %% kept, start %v: %w", r.images, keep, r.start, err)
			r.mu.Unlock()
			return
		}
	}
}

// judge recovers an image twice and checks every promise.
func (r *crashRun) judge(fs *vfs.Mem, acked map[int]bool) error {
	o := r.opts
	o.FS, o.Start, o.LastSegment = fs, r.start, r.start.Segment
	o.Rand = r.rnd
	var first, second collected
	l, _, err := Open(o, first.add)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := r.check(&first, acked); err != nil {
		return err
	}
	_, err = l.AppendSync([][]byte{[]byte("new")})
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	if err := uniqueIncarnations(fs); err != nil {
		return err
	}
	if _, err := Replay(o, second.add); err != nil {
		return fmt.Errorf("replay after recovery: %w", err)
	}
	if !second.has("new") || len(second.rec) != len(first.rec)+1 {
		return fmt.Errorf("recovery found %d records, after one more was added there are %d", len(first.rec), len(second.rec))
	}
	return nil
}

func (r *crashRun) check(c *collected, acked map[int]bool) error {
	seen := map[int]map[int]bool{}
	sizes := map[int]int{}
	for k, rec := range c.rec {
		g, i, n, ok := parseCrashRecord(rec)
		if !ok {
			return fmt.Errorf("a record that nobody wrote at %v: %.40q", c.pos[k], rec)
		}
		if c.pos[k].Less(r.start) {
			return fmt.Errorf("record of group %d at %v is below the start", g, c.pos[k])
		}
		if seen[g] == nil {
			seen[g] = map[int]bool{}
		}
		if seen[g][i] {
			return fmt.Errorf("record %d of group %d found twice", i, g)
		}
		seen[g][i], sizes[g] = true, n
	}
	for g, found := range seen {
		if len(found) != sizes[g] {
			return fmt.Errorf("%d of %d records of group %d found", len(found), sizes[g], g)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for g := range acked {
		pos, known := r.groups[g]
		if known && !pos.Less(r.start) && seen[g] == nil {
			return fmt.Errorf("acknowledged group %d at %v is lost", g, pos)
		}
	}
	return nil
}

// uniqueIncarnations checks that no two uses of files share an incarnation,
// which alone tells live frames from dead ones.
func uniqueIncarnations(fs vfs.FS) error {
	names, err := fs.List("/log")
	if err != nil {
		return err
	}
	segmentOf := map[uint64]uint64{}
	for _, name := range names {
		if !strings.HasSuffix(name, segmentSuffix) {
			continue
		}
		b, err := vfs.ReadFile(fs, "/log/"+name, maxSegment)
		if err != nil {
			return err
		}
		for off := dataStart; off+pageSize <= len(b); off += pageSize {
			fr, ok := decodeFrame(b[off:])
			if !ok || off+int(fr.length) > len(b) || !frameIntact(b[off:]) {
				continue
			}
			if seq, ok := segmentOf[fr.incarnation]; ok && seq != fr.segment {
				return fmt.Errorf("segments %d and %d have the same incarnation", seq, fr.segment)
			}
			segmentOf[fr.incarnation] = fr.segment
		}
	}
	return nil
}

func TestCrashAtEveryWrite(t *testing.T) {
	groups := 60
	if testing.Short() {
		groups = 25
	}
	for _, c := range []struct {
		buffered bool
		lanes    int
	}{{false, 1}, {true, 1}, {false, 3}, {true, 3}} {
		t.Run(fmt.Sprintf("buffered=%v lanes=%d", c.buffered, c.lanes), func(t *testing.T) {
			r, err := runCrashes(7, c.buffered, c.lanes, groups, 0, 50, 100, -1)
			if err != nil {
				t.Fatal(err)
			}
			if r.images < groups || len(r.acked) != groups {
				t.Fatalf("%d images, %d groups acknowledged of %d: nothing was tried", r.images, len(r.acked), groups)
			}
		})
	}
}

// TestCrashInRecovery crashes again at every write of the recovery of a torn log.
func TestCrashInRecovery(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	l, _, _ := mustOpen(t, o)
	mustAppend(t, l, "first")
	var mu sync.Mutex // protects torn and images
	var torn *vfs.Mem
	fs.OnWriteSide(func(c vfs.Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Op == vfs.OpWrite && !c.After && torn == nil && strings.HasSuffix(c.Name, segmentSuffix) {
			torn = fs.CrashClone(vfs.CrashOptions{})
		}
	})
	pos := mustAppend(t, l, string(bytes.Repeat([]byte("second"), 3000)))
	fs.OnWriteSide(nil)
	mustClose(t, l)
	// The write was torn: its first page landed, the rest did not.
	whole, err := vfs.ReadFile(fs, "/log/"+segmentName(1), maxSegment)
	if err != nil {
		t.Fatal(err)
	}
	page := int64(pos.Offset) &^ (pageSize - 1)
	overwrite(t, torn, segmentName(1), page, whole[page:page+pageSize])

	o.FS = torn
	crashes := 0
	var images []*vfs.Mem
	torn.OnWriteSide(func(vfs.Call) {
		mu.Lock()
		defer mu.Unlock()
		for _, keep := range []int{0, 50, 100} {
			images = append(images, torn.CrashClone(vfs.CrashOptions{Keep: keep}))
		}
	})
	l, got, rep := mustOpen(t, o)
	torn.OnWriteSide(nil)
	mustClose(t, l)
	if len(got.rec) != 1 || !got.has("first") || len(rep.Torn) != 1 || rep.Torn[0].Offset != page {
		t.Fatalf("%d records, %+v", len(got.rec), rep)
	}
	for _, image := range images {
		o.FS = image
		l, got, _ := mustOpen(t, o)
		mustClose(t, l)
		if len(got.rec) != 1 || !got.has("first") {
			t.Fatalf("crash %d in recovery: %d records", crashes, len(got.rec))
		}
		crashes++
	}
	if crashes < 10 {
		t.Fatalf("only %d crashes tried", crashes)
	}
	o.FS = torn
	l, got, rep = mustOpen(t, o)
	mustClose(t, l)
	if len(got.rec) != 1 || len(rep.Torn) != 0 {
		t.Fatalf("after the cut: %d records, %+v", len(got.rec), rep)
	}
}

// overwrite changes bytes of a segment behind the log's back.
func overwrite(t testing.TB, fs vfs.FS, name string, off int64, p []byte) {
	t.Helper()
	f, err := fs.OpenRW("/log/"+name, vfs.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(p, off)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
