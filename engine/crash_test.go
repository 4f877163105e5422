package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// crashModel knows what a recovered engine must, may and must not hold. Row c
// of partition "p" is written once, by step c, with value "vC"; even steps
// write tables 0 and 1 as one group, odd ones table 0 alone.
type crashModel struct {
	mu sync.Mutex // protects what follows
	// A step is issued before its write starts and acked after it has ended.
	issued, acked int64
	// A truncate of table 0 is the same: rows up to it may, then must, be gone.
	truncateIssued, truncateAcked int64
	images                        int
	err                           error
}

// judge opens what a crash left and compares.
func (m *crashModel) judge(t testing.TB, fs *vfs.Mem) error {
	e, err := Open(testOptions(t, fs, "/d", 2))
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	defer e.Close()
	has := [2]map[int64]bool{{}, {}}
	for table := range has {
		for _, row := range dump(t, e, table, "p") {
			var c, at int64
			if _, err := fmt.Sscanf(row, "%d=v%d@", &c, &at); err != nil || c != at {
				return fmt.Errorf("row %q was never written", row)
			}
			if c > m.issued || table == 1 && c%2 != 0 {
				return fmt.Errorf("row %d of table %d was never written", c, table)
			}
			has[table][c] = true
		}
	}
	for c := int64(1); c <= m.issued; c++ {
		gone := c <= m.truncateIssued
		switch {
		case c <= m.acked && !gone && !has[0][c]:
			return fmt.Errorf("acknowledged row %d is lost", c)
		case c <= m.acked && c%2 == 0 && !has[1][c]:
			return fmt.Errorf("acknowledged row %d of table 1 is lost", c)
		case c <= m.truncateAcked && has[0][c]:
			return fmt.Errorf("truncated row %d is back", c)
		case c%2 == 0 && !gone && has[0][c] != has[1][c]:
			return fmt.Errorf("group %d is half there", c)
		}
	}
	return nil
}

// script writes, flushes, truncates and reopens; it stops at the first error.
func (m *crashModel) script(t testing.TB, o Options, steps int64) error {
	ctx := context.Background()
	e, err := Open(o)
	if err != nil {
		return err
	}
	defer func() {
		if e != nil {
			e.Close()
		}
	}()
	for c := int64(1); c <= steps; c++ {
		recs := []int{0}
		if c%2 == 0 {
			recs = []int{0, 1}
		}
		m.mu.Lock()
		m.issued = c
		m.mu.Unlock()
		group := insertGroup(recs, c)
		if err := e.ApplySync(ctx, group...); err != nil {
			return err
		}
		m.mu.Lock()
		m.acked = c
		m.mu.Unlock()
		switch {
		case c%7 == 3:
			err = e.Flush(schema.TableID{15: 1})
		case c%7 == 5:
			err = e.FlushAll()
		case c == steps/2:
			m.mu.Lock()
			m.truncateIssued = c
			m.mu.Unlock()
			if err = e.Truncate(ctx, schema.TableID{15: 1}, 0, c); err == nil {
				m.mu.Lock()
				m.truncateAcked = c
				m.mu.Unlock()
			}
		case c%11 == 0:
			if err = e.Close(); err == nil {
				e, err = Open(o)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestCrashAtEveryCall cuts the power at every call that changes the disk, the
// engine's creation included, with none, half and all of what was not synced
// kept.
func TestCrashAtEveryCall(t *testing.T) {
	var total int
	for seed, keep := range []int{0, 50, 100} {
		fs := vfs.NewMem()
		m := &crashModel{}
		rnd := rand.NewSeeded(uint64(seed))
		var one sync.Mutex // one image at a time
		fs.OnWriteSide(func(c vfs.Call) {
			one.Lock()
			defer one.Unlock()
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.err != nil {
				return
			}
			m.images++
			if err := m.judge(t, fs.CrashClone(vfs.CrashOptions{Keep: keep, Rand: rnd})); err != nil {
				m.err = fmt.Errorf("crash at call %d (%v %s, after %v), %d %% kept, steps issued %d acked %d: %w",
					m.images, c.Op, c.Name, c.After, keep, m.issued, m.acked, err)
			}
		})
		o := testOptions(t, fs, "/d", 2)
		o.SegmentSize = 64 << 10
		if err := m.script(t, o, 44); err != nil {
			t.Fatal(err)
		}
		if m.err != nil {
			t.Fatal(m.err)
		}
		total += m.images
	}
	t.Logf("%d crash images", total)
	if total < 1000 {
		t.Errorf("only %d images: the script has become too small", total)
	}
}

// TestFaultAtEveryCall fails every call that changes the disk once, with an
// I/O error and with a full disk, and opens what is left.
func TestFaultAtEveryCall(t *testing.T) {
	for _, fault := range []error{vfs.ErrIO, vfs.ErrNoSpace} {
		calls := 1 << 30
		for n := 1; n <= calls; n++ {
			mem := vfs.NewMem()
			o := testOptions(t, mem, "/d", 2)
			o.SegmentSize = 64 << 10
			f := vfs.NewFault(mem, o.Clock)
			o.FS = f
			r := vfs.Rule{Ops: vfs.WriteSide, Err: fault, Nth: n, DropDirty: true}
			if n == 1 {
				r.Err = nil // count first
			}
			armed := f.Add(r)
			m := &crashModel{}
			err := m.script(t, o, 24)
			if n == 1 {
				if err != nil {
					t.Fatal(err)
				}
				calls = armed.Seen()
				continue
			}
			if err != nil && errors.Is(err, ErrClosed) {
				t.Fatalf("call %d: %v", n, err)
			}
			f.Clear()
			if err := m.judge(t, mem.CrashClone(vfs.CrashOptions{})); err != nil {
				t.Fatalf("%v at call %d of %d: %v", fault, n, calls, err)
			}
		}
		t.Logf("%v at each of %d calls", fault, calls)
	}
}
