package manifest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var tableA, tableB = schema.TableID{1}, schema.TableID{2}

// edits are one of each kind and what they leave behind.
func edits() []*Edit {
	all := make([]*Edit, 5)
	for i := range all {
		all[i] = &Edit{}
	}
	all[0].NextFileID(7)
	all[0].AddFile(tableA, File{ID: 7, Size: 4096})
	all[0].Flushed(tableA, Mark{Low: commitlog.Position{Segment: 3, Offset: 500}})
	all[1].AddFile(tableA, File{ID: 8, Size: 8192})
	all[1].RemoveFile(tableA, 7)
	all[1].Purged(tableA, 1_700_000_000)
	all[1].LogStart(commitlog.Position{Segment: 2, Offset: 8192})
	all[2].Truncated(tableB, Mark{
		Low: commitlog.Position{Segment: 3, Offset: 600}, Next: 6,
		Heads: []commitlog.Position{{Segment: 3, Offset: 600}, {Segment: 5, Offset: 8192}},
	}, 1234567)
	all[3].AddFile(schema.TableID{3}, File{ID: 9, Size: 1})
	all[4].DropTable(schema.TableID{3})
	return all
}

func mustOpen(t testing.TB, fs vfs.FS) *Manifest {
	t.Helper()
	m, err := Open(fs, "/m")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// written is the bytes of a file with all edits, with the states after each,
// the first one empty.
func written(t testing.TB) ([]byte, []*State) {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/m"); err != nil {
		t.Fatal(err)
	}
	m := mustOpen(t, fs)
	states := []*State{m.State()}
	for _, e := range edits() {
		if err := m.Apply(e); err != nil {
			t.Fatal(err)
		}
		states = append(states, m.State())
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := vfs.ReadFile(fs, "/m/"+fileName(1), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b, states
}

func TestReopen(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/m"); err != nil {
		t.Fatal(err)
	}
	m := mustOpen(t, fs)
	for _, e := range edits() {
		if err := m.Apply(e); err != nil {
			t.Fatal(err)
		}
		want := m.State()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		m = mustOpen(t, fs)
		if got := m.State(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if names, err := fs.List("/m"); err != nil || len(names) != 1 {
			t.Fatalf("%v, %v", names, err)
		}
	}
	s := m.State()
	if s.NextFileID != 10 || s.LogStart.Segment != 2 || len(s.Tables) != 2 || s.Tables[tableA].Files[8].Size != 8192 || s.Tables[tableA].PurgedTo != 1_700_000_000 {
		t.Errorf("%+v", s)
	}
	m.Close()
}

func TestMark(t *testing.T) {
	pos := func(s uint64, o uint32) commitlog.Position { return commitlog.Position{Segment: s, Offset: o} }
	one := Mark{Low: pos(3, 100)}
	lanes := Mark{Low: pos(3, 100), Next: 8, Heads: []commitlog.Position{pos(3, 100), pos(6, 50)}}
	for _, c := range []struct {
		m    *Mark
		p    commitlog.Position
		want bool
	}{
		{&one, pos(3, 99), true}, {&one, pos(3, 100), false}, {&one, pos(2, 1000), true}, {&one, pos(4, 0), false},
		{&lanes, pos(3, 100), false}, {&lanes, pos(3, 99), true}, {&lanes, pos(5, 9999), true},
		{&lanes, pos(6, 49), true}, {&lanes, pos(6, 50), false}, {&lanes, pos(7, 1), true}, {&lanes, pos(8, 0), false},
	} {
		if got := c.m.Below(c.p); got != c.want {
			t.Errorf("%v below %+v: %t", c.p, *c.m, got)
		}
	}
	if one.Last() != 3 || lanes.Last() != 8 {
		t.Error(one.Last(), lanes.Last())
	}
}

// TestGolden pins the format.
func TestGolden(t *testing.T) {
	b, _ := written(t)
	var out strings.Builder
	for off := 0; off < len(b); off += 16 {
		if line := b[off : off+16]; len(bytes.Trim(line, "\x00")) > 0 {
			fmt.Fprintf(&out, "%08x  % x\n", off, line)
		}
	}
	fmt.Fprintf(&out, "%08x\n", len(b))
	const golden = "testdata/manifest.golden"
	if *rewrite {
		if err := vfs.WriteFileAtomic(vfs.OS, golden, []byte(out.String())); err != nil {
			t.Fatal(err)
		}
	}
	want, err := vfs.ReadFile(vfs.OS, golden, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Fatalf("the format has changed:\n%s\nwant\n%s", out.String(), want)
	}
}

// TestEveryBitFlipped reads on from the other copy.
func TestEveryBitFlipped(t *testing.T) {
	b, states := written(t)
	want := states[len(states)-1]
	for i := range b {
		if in := i % page; in >= 256 && in%64 != 0 {
			continue // padding
		}
		for bit := range 8 {
			b[i] ^= 1 << bit
			got, err := decode("m", b)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("bit %d of byte %d: %+v, %v", bit, i, got, err)
			}
			b[i] ^= 1 << bit
		}
	}
}

// TestEveryLengthCut finds what a torn write left: the edits before.
func TestEveryLengthCut(t *testing.T) {
	b, states := written(t)
	for n := range len(b) {
		if in := n % page; in > 256 && in%64 != 0 {
			continue
		}
		got, err := decode("m", b[:n])
		edit := n / (2 * page) // whole edits
		copied := n - edit*2*page
		switch {
		case copied > 0 && err == nil && reflect.DeepEqual(got, states[min(edit, len(states)-1)]):
			// The first copy is enough.
		case edit == 0:
			var c *CorruptError
			if err == nil || !errors.As(err, &c) {
				t.Fatalf("%d bytes: %+v, %v", n, got, err)
			}
		case err != nil || !reflect.DeepEqual(got, states[edit-1]):
			t.Fatalf("%d bytes: %+v, %v, want %+v", n, got, err, states[edit-1])
		}
	}
}

// TestRotIsAnError refuses a manifest of which both copies of an edit in the
// middle are damaged.
func TestRotIsAnError(t *testing.T) {
	b, states := written(t)
	for edit := range len(states) {
		d := bytes.Clone(b)
		d[edit*2*page+30] ^= 1
		d[edit*2*page+page+30] ^= 1
		got, err := decode("m", d)
		var c *CorruptError
		if edit == len(states)-1 {
			if err != nil || !reflect.DeepEqual(got, states[edit-1]) {
				t.Errorf("the last edit: %+v, %v", got, err)
			}
		} else if !errors.As(err, &c) || c.Offset != int64(edit*2*page) {
			t.Errorf("edit %d: %v", edit, err)
		}
	}
}

func TestNewerVersion(t *testing.T) {
	var e Edit
	e.add(42, nil)
	if _, err := decode("m", encodeEdit(1, e.ops)); err == nil {
		t.Error("an unknown operation was taken")
	}
	e = Edit{}
	e.add(42|opOptional, []byte("x"))
	if _, err := decode("m", encodeEdit(1, e.ops)); err != nil {
		t.Errorf("an optional operation: %v", err)
	}
}

// TestRewrite starts a new file when one has grown.
func TestRewrite(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/m"); err != nil {
		t.Fatal(err)
	}
	m := mustOpen(t, fs)
	for i := range uint64(rewriteAt/(2*page) + 5) {
		var e Edit
		e.AddFile(tableA, File{ID: i + 1, Size: 1})
		if i > 0 {
			e.RemoveFile(tableA, i)
		}
		if err := m.Apply(&e); err != nil {
			t.Fatal(err)
		}
	}
	if m.number != 2 {
		t.Errorf("file %d, want the second", m.number)
	}
	want := m.State()
	m.Close()
	m = mustOpen(t, fs)
	defer m.Close()
	if got := m.State(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/m"); err != nil {
		t.Fatal(err)
	}
	m := mustOpen(t, fs)
	defer m.Close()
	fs.SetCapacity(3 * page)
	if err := m.Apply(edits()[0]); !errors.Is(err, vfs.ErrNoSpace) || errors.Is(err, ErrFailed) {
		t.Fatalf("%v", err)
	}
	fs.SetCapacity(0)
	for _, e := range edits() {
		if err := m.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	_, states := written(t)
	if got := m.State(); !reflect.DeepEqual(got, states[len(states)-1]) {
		t.Errorf("%+v", got)
	}
}

// TestRewriteOnFullDisk grows a manifest while there is no place for a new
// file: it goes on in the old one until there is.
func TestRewriteOnFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/m"); err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewFault(mem, nil)
	m := mustOpen(t, fs)
	full := fs.Add(vfs.Rule{Ops: vfs.OpsOf(vfs.OpCreate), Times: -1, Err: vfs.ErrNoSpace})
	var last uint64
	edit := func() {
		t.Helper()
		var e Edit
		e.AddFile(tableA, File{ID: last + 1, Size: 1})
		if last++; last > 1 {
			e.RemoveFile(tableA, last-1)
		}
		if err := m.Apply(&e); err != nil {
			t.Fatal(err)
		}
	}
	for range rewriteAt/(2*page) + 5 {
		edit()
	}
	if m.number != 1 || full.Fired() == 0 {
		t.Errorf("file %d after %d tries", m.number, full.Fired())
	}
	full.Remove()
	edit()
	if m.number != 2 {
		t.Errorf("file %d, want the second", m.number)
	}
	want := m.State()
	m.Close()
	m = mustOpen(t, mem)
	defer m.Close()
	if got := m.State(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// FuzzDecode never panics, and what it reads it writes and reads again.
func FuzzDecode(f *testing.F) {
	b, _ := written(f)
	f.Add(b[:3*page])
	f.Add([]byte("ILMF"))
	for _, e := range edits() {
		f.Add(encodeEdit(1, e.ops))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode("m", b)
		if err != nil {
			return
		}
		e := s.snapshot()
		again, err := decode("m", encodeEdit(1, e.ops))
		if err != nil {
			t.Fatal(err)
		}
		if e2 := again.snapshot(); !bytes.Equal(e.ops, e2.ops) {
			t.Fatalf("%x, then %x", e.ops, e2.ops)
		}
	})
}

// FuzzOps applies operations that pass the checksum.
func FuzzOps(f *testing.F) {
	for _, e := range edits() {
		f.Add(e.ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if s := newState(); s.apply(ops) == nil {
			e := s.snapshot()
			if err := newState().apply(e.ops); err != nil {
				t.Fatal(err)
			}
		}
	})
}
