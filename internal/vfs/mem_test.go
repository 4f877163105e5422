package vfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMem(t *testing.T) { testFS(t, NewMem(), "/data/x") }

func newTestMem(t *testing.T) *Mem {
	t.Helper()
	m := NewMem()
	must(t, MkdirAllSync(m, "/d"))
	return m
}

// after returns the content of a file in a crash image, or "none".
func after(t *testing.T, m *Mem, keep int, name string) string {
	t.Helper()
	img := m.CrashClone(CrashOptions{Keep: keep})
	if ok, err := Exists(img, name); err != nil || !ok {
		return "none"
	}
	return content(t, img, name)
}

func TestCrashNothingAndAll(t *testing.T) {
	m := newTestMem(t)
	f := create(t, m, "/d/f", "first")
	check := func(name, none, all string) {
		t.Helper()
		if got := after(t, m, 0, name); got != none {
			t.Fatalf("nothing kept: %.40q, want %.40q", got, none)
		}
		if got := after(t, m, 100, name); got != all {
			t.Fatalf("all kept: %.40q, want %.40q", got, all)
		}
	}
	check("/d/f", "none", "first")
	must(t, f.Sync())
	check("/d/f", "none", "first") // the name is not durable
	must(t, m.SyncDir("/d"))
	check("/d/f", "first", "first")
	writeAt(t, f, "FIRST and more", 0)
	check("/d/f", "first", "FIRST and more")
	must(t, f.SyncData())
	check("/d/f", "FIRST and more", "FIRST and more")
	must(t, f.Truncate(5))
	check("/d/f", "FIRST and more", "FIRST")
	writeAt(t, f, strings.Repeat("z", 9000), 3)
	check("/d/f", "FIRST and more", "FIR"+strings.Repeat("z", 9000))
	must(t, f.Sync())
	check("/d/f", "FIR"+strings.Repeat("z", 9000), "FIR"+strings.Repeat("z", 9000))
	must(t, m.Rename("/d/f", "/d/g"))
	check("/d/g", "none", "FIR"+strings.Repeat("z", 9000))
	if after(t, m, 0, "/d/f") == "none" || after(t, m, 100, "/d/f") != "none" {
		t.Fatal("old name")
	}
	must(t, m.SyncDir("/d"))
	must(t, m.Remove("/d/g"))
	check("/d/g", "FIR"+strings.Repeat("z", 9000), "none")
	must(t, m.MkdirAll("/d/new"))
	must(t, WriteFileAtomic(m, "/d/new/h", []byte("x")))
	check("/d/new/h", "none", "x") // its directory's name is not durable
	must(t, m.SyncDir("/d"))
	check("/d/new/h", "x", "x")
}

func TestDataSyncWrites(t *testing.T) {
	m := newTestMem(t)
	f, err := m.Create("/d/f", OpenOptions{DataSync: true})
	must(t, err)
	must(t, m.SyncDir("/d"))
	model := []byte{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		if i%50 == 49 {
			must(t, f.Truncate(int64(len(model)+r.IntN(9000)))) // not durable by itself
		}
		p := bytes.Repeat([]byte{byte(i + 1)}, 1+r.IntN(6000))
		off := r.IntN(30000)
		if end := off + len(p); end > len(model) {
			model = append(model, make([]byte, end-len(model))...)
		}
		copy(model[off:], p)
		writeAt(t, f, string(p), int64(off))
		got := after(t, m, 0, "/d/f")
		if len(got) < len(model) || got[:len(model)] != string(model) {
			t.Fatalf("write %d is not durable", i)
		}
		model = append(model, make([]byte, len(got)-len(model))...)
	}
}

// A synchronous write must not make an earlier plain one durable, nor be
// overwritten by it in the image.
func TestDataSyncAfterPlainWrite(t *testing.T) {
	m := newTestMem(t)
	f := create(t, m, "/d/f", strings.Repeat("a", 8192))
	must(t, f.Sync())
	must(t, m.SyncDir("/d"))
	writeAt(t, f, strings.Repeat("b", 8192), 0)
	ds, err := m.OpenRW("/d/f", OpenOptions{DataSync: true})
	must(t, err)
	writeAt(t, ds, strings.Repeat("c", 512), 0)
	want := strings.Repeat("c", 512) + strings.Repeat("a", 8192-512)
	if got := after(t, m, 0, "/d/f"); got != want {
		t.Fatal("nothing kept")
	}
	for range 20 {
		if got := after(t, m, 50, "/d/f"); !strings.HasPrefix(got, want[:512]) {
			t.Fatal("a durable write was lost to an earlier one")
		}
	}
}

// Random crash images hold, per 512 bytes, the old or one of the new contents;
// some are torn; all outcomes occur; the same seed gives the same image.
func TestCrashRandom(t *testing.T) {
	m := newTestMem(t)
	f := create(t, m, "/d/f", strings.Repeat("0", 4096))
	must(t, f.Sync())
	must(t, m.SyncDir("/d"))
	for _, c := range "123" {
		writeAt(t, f, strings.Repeat(string(c), 4096), 0)
	}
	torn, seen := 0, map[byte]bool{}
	for seed := range uint64(200) {
		o := CrashOptions{Keep: 50, Rand: rand.New(rand.NewPCG(seed, 0))}
		got := content(t, m.CrashClone(o), "/d/f")
		o.Rand = rand.New(rand.NewPCG(seed, 0))
		if content(t, m.CrashClone(o), "/d/f") != got {
			t.Fatal("same seed, other image")
		}
		for g := 0; g < 4096; g += grainSize {
			if got[g:g+grainSize] != strings.Repeat(got[g:g+1], grainSize) {
				t.Fatal("a piece is torn inside")
			}
			seen[got[g]] = true
		}
		if got != strings.Repeat(got[:1], 4096) {
			torn++
		}
	}
	if torn < 100 || len(seen) != 4 {
		t.Fatalf("%d of 200 torn, contents %v", torn, seen)
	}
}

// In prefix mode a later change is in the image only if every earlier one is.
func TestCrashPrefix(t *testing.T) {
	m := newTestMem(t)
	var files []File
	for _, name := range []string{"/d/a", "/d/b"} {
		f := create(t, m, name, strings.Repeat(".", 16*512))
		must(t, f.Sync())
		files = append(files, f)
	}
	must(t, m.SyncDir("/d"))
	for i := range 16 {
		for _, f := range files {
			writeAt(t, f, strings.Repeat("X", 512), int64(i)*512)
		}
	}
	lengths := map[int]bool{}
	for seed := range uint64(300) {
		img := m.CrashClone(CrashOptions{Prefix: true, Rand: rand.New(rand.NewPCG(seed, 1))})
		a := strings.Count(content(t, img, "/d/a"), "X") / 512
		b := strings.Count(content(t, img, "/d/b"), "X") / 512
		if a != b && a != b+1 || strings.Contains(content(t, img, "/d/a"), ".X") {
			t.Fatalf("not a prefix: %d and %d", a, b)
		}
		lengths[a+b] = true
	}
	if len(lengths) < 25 {
		t.Fatalf("only %d of 33 prefixes occur", len(lengths))
	}
}

func TestRenameIsAtomicOverCrash(t *testing.T) {
	m := newTestMem(t)
	must(t, WriteFileAtomic(m, "/d/cur", []byte("old")))
	must(t, MkdirAllSync(m, "/d/sub"))
	outcomes := map[string]int{}
	f := create(t, m, "/d/tmp", "new")
	must(t, f.Sync())
	must(t, m.SyncDir("/d"))
	must(t, m.Rename("/d/tmp", "/d/cur"))
	must(t, m.Rename("/d/cur", "/d/sub/cur"))
	for seed := range uint64(200) {
		img := m.CrashClone(CrashOptions{Keep: 50, Rand: rand.New(rand.NewPCG(seed, 0))})
		got := ""
		for _, name := range []string{"/d/cur", "/d/tmp", "/d/sub/cur"} {
			if ok, _ := Exists(img, name); ok {
				got += name + "=" + content(t, img, name) + " "
			}
		}
		outcomes[got]++
	}
	for _, want := range []string{
		"/d/cur=old /d/tmp=new ", "/d/cur=new ", "/d/sub/cur=new ", "/d/tmp=new /d/sub/cur=new ",
	} {
		if outcomes[want] == 0 {
			t.Errorf("never seen: %s", want)
		}
		delete(outcomes, want)
	}
	if len(outcomes) > 0 {
		t.Errorf("impossible: %v", outcomes)
	}
}

func TestCloneIsIndependent(t *testing.T) {
	m := newTestMem(t)
	f := create(t, m, "/d/f", strings.Repeat("a", 3<<20))
	must(t, m.Link("/d/f", "/d/g"))
	must(t, f.Sync())
	must(t, m.SyncDir("/d"))
	l, err := m.Lock("/d/LOCK")
	must(t, err)
	defer l.Close()
	must(t, m.SyncDir("/d"))
	img := m.CrashClone(CrashOptions{})
	g, err := img.OpenRW("/d/f", OpenOptions{DataSync: true})
	must(t, err)
	writeAt(t, g, "clone", 1<<20)
	writeAt(t, f, "orig!", 1<<20)
	writeAt(t, f, "orig!", 2<<20)
	must(t, f.Sync())
	if got := content(t, img, "/d/f")[2<<20:][:6]; got != "aaaaaa" {
		t.Fatalf("clone sees %q of the original", got)
	}
	if got := content(t, img, "/d/g")[1<<20:][:6]; got != "clonea" {
		t.Fatalf("clone holds %q", got)
	}
	if got := content(t, m, "/d/f")[1<<20:][:6]; got != "orig!a" {
		t.Fatalf("original holds %q", got)
	}
	if got := after(t, m, 0, "/d/f")[1<<20:][:6]; got != "orig!a" {
		t.Fatalf("original's image holds %q", got)
	}
	if got := after(t, img, 0, "/d/f")[1<<20:][:6]; got != "clonea" {
		t.Fatalf("clone's image holds %q", got)
	}
	l2, err := img.Lock("/d/LOCK")
	must(t, err)
	must(t, l2.Close())
	if l2.Close() == nil {
		t.Fatal("second close of a lock is no error")
	}
}

func TestMemNoSpace(t *testing.T) {
	m := newTestMem(t)
	m.SetCapacity(10 * 4096)
	f := create(t, m, "/d/f", strings.Repeat("x", 6*4096))
	n, err := f.WriteAt(make([]byte, 6*4096), 6*4096)
	wantErr(t, err, ErrNoSpace)
	if n != 4*4096 {
		t.Fatalf("wrote %d", n)
	}
	writeAt(t, f, "over what is there", 0)
	g := create(t, m, "/d/g", "")
	_, err = g.WriteAt([]byte("x"), 0)
	wantErr(t, err, ErrNoSpace)
	wantErr(t, g.Preallocate(0, 4096), ErrNoSpace)
	must(t, m.Remove("/d/f"))
	_, err = g.WriteAt([]byte("x"), 0)
	wantErr(t, err, ErrNoSpace) // still open
	must(t, f.Close())
	writeAt(t, g, "x", 0)
	u, err := m.DiskUsage("/d")
	must(t, err)
	if u.Total != 10*4096 || u.Free != 9*4096 {
		t.Fatalf("usage %+v", u)
	}
	must(t, g.Preallocate(0, 5*4096))
	must(t, g.Truncate(0))
	if u, _ := m.DiskUsage("/d"); u.Free != u.Total {
		t.Fatalf("usage %+v", u)
	}
}

func TestMemDirectMustBeAligned(t *testing.T) {
	m := newTestMem(t)
	f, err := m.Create("/d/f", OpenOptions{Direct: true})
	must(t, err)
	b := AlignedBytes(3 * DirectAlign)
	for _, bad := range []struct {
		p   []byte
		off int64
	}{{b[:100], 0}, {b[:DirectAlign], 512}, {b[8 : DirectAlign+8], 0}} {
		_, err := f.WriteAt(bad.p, bad.off)
		wantErr(t, err, ErrUnaligned)
		_, err = f.ReadAt(bad.p, bad.off)
		wantErr(t, err, ErrUnaligned)
	}
}

// A disk that only claims to sync is found out by the images that it leaves.
func TestLostSyncs(t *testing.T) {
	for _, lose := range []struct{ files, dirs bool }{{true, false}, {false, true}} {
		m := newTestMem(t)
		m.LoseSyncs(lose.files, lose.dirs)
		must(t, WriteFileAtomic(m, "/d/f", []byte("kept")))
		if got := after(t, m, 0, "/d/f"); got == "kept" {
			t.Fatalf("%+v: nothing lost", lose)
		}
		f, err := m.OpenRW("/d/f", OpenOptions{DataSync: true})
		must(t, err)
		writeAt(t, f, "more", 0)
		if got := after(t, m, 0, "/d/f"); got == "more" {
			t.Fatalf("%+v: synchronous write not lost", lose)
		}
		img := m.CrashClone(CrashOptions{Keep: 100})
		must(t, WriteFileAtomic(img, "/d/g", []byte("kept")))
		if got := after(t, img, 0, "/d/g"); got != "kept" {
			t.Fatalf("%+v: the clone lies, too", lose)
		}
	}
}

// sweep runs a workload on a fresh disk and checks an image at every call.
func sweep(t *testing.T, work func(m *Mem) error, check func(img *Mem) error) (bad, images int) {
	t.Helper()
	m := newTestMem(t)
	r := rand.New(rand.NewPCG(7, 7))
	m.OnWriteSide(func(c Call) {
		for _, keep := range []int{0, 30, 70, 100} {
			images++
			if check(m.CrashClone(CrashOptions{Keep: keep, Rand: r})) != nil {
				bad++
			}
		}
	})
	must(t, work(m))
	m.OnWriteSide(nil)
	return bad, images
}

// WriteFileAtomic passes a sweep of crashes at every call; the same without
// one of its syncs does not.
func TestSweepWriteFileAtomic(t *testing.T) {
	old, new := bytes.Repeat([]byte("o"), 3000), bytes.Repeat([]byte("n"), 5000)
	check := func(img *Mem) error {
		b, err := ReadFile(img, "/d/f", 1<<20)
		if errors.Is(err, ErrNotExist) || err == nil && (bytes.Equal(b, old) || bytes.Equal(b, new)) {
			return nil
		}
		return errors.New("torn")
	}
	work := func(m *Mem) error {
		if err := WriteFileAtomic(m, "/d/f", old); err != nil {
			return err
		}
		return WriteFileAtomic(m, "/d/f", new)
	}
	if bad, images := sweep(t, work, check); bad > 0 || images < 50 {
		t.Fatalf("%d of %d images are bad", bad, images)
	}
	noSync := func(m *Mem) error { m.LoseSyncs(true, false); return work(m) }
	if bad, images := sweep(t, noSync, check); bad == 0 {
		t.Fatalf("lost syncs not seen in %d images", images)
	}
}

func BenchmarkCrashClone(b *testing.B) {
	m := NewMem()
	if err := MkdirAllSync(m, "/d"); err != nil {
		b.Fatal(err)
	}
	for i := range 40 {
		f, err := m.Create("/d/f"+string(rune('0'+i)), OpenOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 1<<20), 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 10000), 5000); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		m.CrashClone(CrashOptions{Keep: 50})
	}
}

func BenchmarkMemDataSyncWrite4K(b *testing.B) {
	m := NewMem()
	f, err := m.Create("/f", OpenOptions{DataSync: true, Direct: true})
	if err != nil {
		b.Fatal(err)
	}
	p := AlignedBytes(4096)
	for i := 0; b.Loop(); i++ {
		if _, err := f.WriteAt(p, int64(i%1024)*4096); err != nil {
			b.Fatal(err)
		}
	}
}
