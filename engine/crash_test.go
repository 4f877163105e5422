package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// crashModel knows what a recovered engine must, may and must not hold. Step c
// writes, as one group, row c of partition "p" of table 0, and of table 1 in
// partition "p" if c is even, else in "d", where rows are deleted again.
// Values are "vC".
type crashModel struct {
	mu sync.Mutex // protects what follows
	// A step is issued before its write starts and acked after it has ended.
	issued, acked int64
	// A truncate of table 0 is the same: rows up to it may, then must, be gone.
	truncateIssued, truncateAcked int64
	deleteIssued, deleteAcked     map[int64]bool // rows of "d"
	images                        int
	err                           error
}

func newCrashModel() *crashModel {
	return &crashModel{deleteIssued: map[int64]bool{}, deleteAcked: map[int64]bool{}}
}

func (m *crashModel) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// stepAck notes that a step is acknowledged where that is told, so that the
// next image knows of it, whoever gets to run first.
type stepAck struct {
	m    *crashModel
	c    int64
	told await
}

func (a *stepAck) Complete(err error) {
	if err == nil {
		a.m.set(func() { a.m.acked = a.c })
	}
	a.told <- err
}

// judge opens what a crash left and compares.
func (m *crashModel) judge(t testing.TB, fs *vfs.Mem, lanes int) error {
	o := crashOptions(t, fs, 0)
	o.Lanes = lanes
	e, err := Open(o)
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	defer e.Close()
	has := [3]map[int64]bool{{}, {}, {}}
	for i, where := range []struct {
		table int
		key   string
	}{{0, "p"}, {1, "p"}, {1, "d"}} {
		rows, err := tryDump(e, where.table, where.key)
		if err != nil {
			return err
		}
		for _, row := range rows {
			var c, at int64
			if _, err := fmt.Sscanf(row, "%d=v%d@", &c, &at); err != nil || c != at {
				return fmt.Errorf("row %q was never written", row)
			}
			if c > m.issued || i == 1 && c%2 != 0 || i == 2 && c%2 == 0 {
				return fmt.Errorf("row %d of table %d, %s was never written", c, where.table, where.key)
			}
			has[i][c] = true
		}
	}
	for c := int64(1); c <= m.issued; c++ {
		gone := c <= m.truncateIssued
		other, deleted := has[1][c], false
		if c%2 != 0 {
			other, deleted = has[2][c], m.deleteIssued[c]
		}
		switch {
		case c <= m.acked && !gone && !has[0][c]:
			return fmt.Errorf("acknowledged row %d is lost", c)
		case c <= m.acked && !deleted && !other:
			return fmt.Errorf("acknowledged row %d of table 1 is lost", c)
		case c <= m.truncateAcked && has[0][c]:
			return fmt.Errorf("truncated row %d is back", c)
		case m.deleteAcked[c] && other:
			return fmt.Errorf("deleted row %d is back", c)
		case !deleted && !gone && has[0][c] != other:
			return fmt.Errorf("group %d is half there", c)
		}
	}
	return nil
}

// crashScript is one run over an engine.
type crashScript struct {
	*crashModel
	t   testing.TB
	o   Options
	e   *Engine
	rnd *rand.Source
}

// script writes, deletes, flushes, compacts, truncates and reopens; it stops
// at the first error.
func (m *crashModel) script(t testing.TB, o Options, seed uint64, steps int64) error {
	s := &crashScript{crashModel: m, t: t, o: o, rnd: rand.NewSeeded(seed)}
	var err error
	if s.e, err = Open(o); err != nil {
		return err
	}
	defer func() {
		if s.e != nil {
			s.e.Close()
		}
	}()
	for c := int64(1); c <= steps; c++ {
		m.set(func() { m.issued = c })
		value := fmt.Sprintf("v%d", c)
		second := insert(1, "p", c, c, value)
		if c%2 != 0 {
			second = insert(1, "d", c, c, value)
		}
		ack := &stepAck{m: m, c: c, told: make(await, 1)}
		if err := s.e.Apply(context.Background(), []mutation.Record{insert(0, "p", c, c, value), second}, true, ack); err != nil {
			return err
		}
		if err := <-ack.told; err != nil {
			return err
		}
		if err := s.step(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *crashScript) step(c int64) error {
	switch s.rnd.Uint64N(16) {
	case 0, 1:
		return s.e.Flush(schema.TableID{15: 2})
	case 2:
		return s.e.Flush(table0)
	case 3:
		return s.e.FlushAll()
	case 4:
		return s.e.Compact(context.Background(), schema.TableID{15: 2})
	case 5, 6:
		return s.compactSome()
	case 7:
		return s.e.Compact(context.Background(), table0)
	case 8:
		s.set(func() { s.truncateIssued = c })
		err := s.e.Truncate(context.Background(), table0, 0, c)
		if err == nil {
			s.set(func() { s.truncateAcked = c })
		}
		return err
	case 9:
		err := s.e.Close()
		if s.e = nil; err == nil {
			s.e, err = Open(s.o)
		}
		return err
	case 10, 11, 12:
		return s.deleteOne(c)
	}
	return nil
}

// compactSome merges some of the newest files of table 1.
func (s *crashScript) compactSome() error {
	tab, err := s.e.table(schema.TableID{15: 2})
	if err != nil {
		return err
	}
	v := tab.pin()
	var ids []uint64
	for _, f := range v.files {
		ids = append(ids, f.id)
	}
	v.drop()
	slices.Sort(ids)
	if len(ids) < 2 {
		return s.e.Flush(schema.TableID{15: 2})
	}
	from := ids[1+s.rnd.Uint64N(uint64(len(ids)-1))]
	return s.e.run(context.Background(), s.e.claimFiles(tab, func(f *file) bool { return f.id >= from }))
}

// deleteOne deletes a row of "d", long ago, so that its tombstone may be
// purged at once.
func (s *crashScript) deleteOne(c int64) error {
	row := int64(s.rnd.Uint64N(uint64(c))) | 1
	if row > c || s.deleteIssued[row] {
		return nil
	}
	s.set(func() { s.deleteIssued[row] = true })
	if err := s.e.ApplySync(context.Background(), deleteRow(1, "d", row, row+1, 1)); err != nil {
		return err
	}
	s.set(func() { s.deleteAcked[row] = true })
	return nil
}

func crashOptions(t testing.TB, fs vfs.FS, seed uint64) Options {
	o := testOptions(t, fs, "/d", 2)
	o.SegmentSize, o.Budget = 64<<10, mem.NewBudget(32<<20)
	o.Lanes = 1 + 2*int(seed%2)
	return o
}

// runCrashes cuts the power at every call that changes the disk and keeps
// that percentage of what was not synced.
func runCrashes(t testing.TB, seed uint64, keep int, steps int64) (int, error) {
	fs := vfs.NewMem()
	m := newCrashModel()
	rnd := rand.NewSeeded(seed)
	o := crashOptions(t, fs, seed)
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
		if err := m.judge(t, fs.CrashClone(vfs.CrashOptions{Keep: keep, Rand: rnd}), o.Lanes); err != nil {
			m.err = fmt.Errorf("seed %d: crash at call %d (%v %s, after %v), %d %% kept, steps issued %d acked %d: %w",
				seed, m.images, c.Op, c.Name, c.After, keep, m.issued, m.acked, err)
		}
	})
	err := m.script(t, o, seed, steps)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.images, errors.Join(m.err, err)
}

// TestCrashAtEveryCall cuts the power at every call that changes the disk, the
// engine's creation included.
func TestCrashAtEveryCall(t *testing.T) {
	seeds, least, steps := uint64(7), 4000, int64(48)
	if testing.Short() || invariant.Enabled {
		seeds, least, steps = 2, 100, 12
	}
	started := clock.Real.Mono()
	var total int
	for seed := range seeds {
		n, err := runCrashes(t, seed, int(seed%3)*50, steps)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	t.Logf("%d crash images in %v", total, clock.Real.Mono()-started)
	if total < least {
		t.Errorf("only %d images: the script has become too small", total)
	}
}

// TestFaultAtEveryCall fails every call that changes the disk once, with an
// I/O error, with one that lies, and with a full disk, and opens what is left.
func TestFaultAtEveryCall(t *testing.T) {
	for seed, rule := range []vfs.Rule{
		{Err: vfs.ErrIO, DropDirty: true},
		{Err: vfs.ErrIO, After: true},
		{Err: vfs.ErrNoSpace},
	} {
		calls, stride := 1<<30, 1
		if testing.Short() || invariant.Enabled {
			stride = 17
		}
		for n := 0; n <= calls; n += stride {
			mem := vfs.NewMem()
			o := crashOptions(t, mem, uint64(seed))
			f := vfs.NewFault(mem, o.Clock)
			o.FS = f
			r := rule
			r.Ops, r.Nth = vfs.WriteSide, n
			if n == 0 {
				r = vfs.Rule{Ops: vfs.WriteSide} // count first
			}
			armed := f.Add(r)
			m := newCrashModel()
			err := m.script(t, o, uint64(seed), 20)
			if n == 0 {
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
			if err := m.judge(t, mem.CrashClone(vfs.CrashOptions{}), o.Lanes); err != nil {
				t.Fatalf("%+v at call %d of %d: %v", rule, n, calls, err)
			}
		}
		t.Logf("%v (after %t) at each of %d calls", rule.Err, rule.After, calls)
	}
}

// tryDump is every row of a partition as "clustering=value@timestamp".
func tryDump(e *Engine, table int, key string) (out []string, err error) {
	src, err := e.Read(context.Background(), &mutation.ReadCommand{
		Table: schema.TableID{15: byte(table + 1)}, Keys: []mutation.Key{keyOf(key)},
	})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	for src.NextPartition() {
		src.Seek(nil)
		for src.Next() {
			it := src.Item()
			if it.Kind != mutation.ItemRow {
				continue
			}
			var r mutation.RowReader
			if err := r.Init(it.Row); err != nil {
				return nil, err
			}
			for r.NextCell() {
				out = append(out, fmt.Sprintf("%d=%s@%d", place(it.Clustering), r.Cell.Value, r.Cell.Timestamp))
			}
		}
	}
	return out, src.Err()
}
