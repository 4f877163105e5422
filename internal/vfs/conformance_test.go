package vfs

import (
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// testFS is the suite that every file system passes; dir is empty and durable.
func testFS(t *testing.T, fs FS, dir string) {
	for _, one := range []struct {
		name string
		run  func(t *testing.T, fs FS, dir string)
	}{
		{"open and errors", testOpen},
		{"read and write", testReadWrite},
		{"read cached", testReadCached},
		{"truncate", testTruncate},
		{"names", testNames},
		{"directories", testDirs},
		{"lock", testLock},
		{"map", testMap},
		{"preallocate", testPreallocate},
		{"helpers", testHelpers},
		{"options", testOptions},
		{"concurrent", testConcurrent},
		{"queue", testQueue},
	} {
		t.Run(one.name, func(t *testing.T) {
			sub := path.Join(dir, strings.ReplaceAll(one.name, " ", "-"))
			must(t, MkdirAllSync(fs, sub))
			one.run(t, fs, sub)
		})
	}
}

// What ReadCached has is what ReadAt has; all of it or nothing.
func testReadCached(t *testing.T, fs FS, dir string) {
	f := create(t, fs, dir+"/a", "0123456789")
	p := make([]byte, 4)
	if f.ReadCached(p, 3) && string(p) != "3456" {
		t.Errorf("%q", p)
	}
	if f.ReadCached(p, 8) || f.ReadCached(p, 100) || f.ReadCached(p, -1) {
		t.Error("what the file does not have")
	}
	must(t, f.Close())
	if f.ReadCached(p, 0) {
		t.Error("from a closed file")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func create(t *testing.T, fs FS, name string, data string) File {
	t.Helper()
	f, err := fs.Create(name, OpenOptions{})
	must(t, err)
	if data != "" {
		writeAt(t, f, data, 0)
	}
	return f
}

func writeAt(t *testing.T, f File, data string, off int64) {
	t.Helper()
	n, err := f.WriteAt([]byte(data), off)
	if err != nil || n != len(data) {
		t.Fatalf("wrote %d of %d: %v", n, len(data), err)
	}
}

func content(t *testing.T, fs FS, name string) string {
	t.Helper()
	b, err := ReadFile(fs, name, 1<<30)
	must(t, err)
	return string(b)
}

func testOpen(t *testing.T, fs FS, dir string) {
	name := dir + "/f"
	_, err := fs.Open(name, OpenOptions{})
	wantErr(t, err, ErrNotExist)
	if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "open") {
		t.Fatalf("error names neither path nor operation: %v", err)
	}
	_, err = fs.OpenRW(name, OpenOptions{})
	wantErr(t, err, ErrNotExist)
	_, err = fs.Create(dir+"/none/f", OpenOptions{})
	wantErr(t, err, ErrNotExist)
	f := create(t, fs, name, "hello")
	if f.Name() != name {
		t.Fatalf("name is %q", f.Name())
	}
	_, err = fs.Create(name, OpenOptions{})
	wantErr(t, err, ErrExist)
	if _, err := fs.Open(dir, OpenOptions{}); err == nil {
		t.Fatal("opened a directory as a file")
	}
	must(t, f.Close())
	if f.Close() == nil {
		t.Fatal("second close is no error")
	}
	_, err = f.WriteAt([]byte("x"), 0)
	wantErr(t, err, ErrClosed)
	_, err = f.ReadAt(make([]byte, 1), 0)
	wantErr(t, err, ErrClosed)
	wantErr(t, f.Sync(), ErrClosed)

	ro, err := fs.Open(name, OpenOptions{})
	must(t, err)
	defer ro.Close()
	if _, err := ro.WriteAt([]byte("x"), 0); err == nil {
		t.Fatal("wrote a file that is open for reading")
	}
	rw, err := fs.OpenRW(name, OpenOptions{})
	must(t, err)
	defer rw.Close()
	writeAt(t, rw, "J", 0)
	b := make([]byte, 5)
	_, err = ro.ReadAt(b, 0)
	must(t, err)
	if string(b) != "Jello" {
		t.Fatalf("read %q", b)
	}
}

func testReadWrite(t *testing.T, fs FS, dir string) {
	f := create(t, fs, dir+"/f", "")
	defer f.Close()
	model := []byte{}
	for i, at := range []int64{0, 10, 511, 512, 4095, 9000, 3, 4096 * 3} {
		p := bytes.Repeat([]byte{byte(i + 1)}, 700*(i%4)+1)
		writeAt(t, f, string(p), at)
		if end := int(at) + len(p); end > len(model) {
			model = append(model, make([]byte, end-len(model))...)
		}
		copy(model[at:], p)
	}
	size, err := f.Size()
	must(t, err)
	if size != int64(len(model)) {
		t.Fatalf("size %d, want %d", size, len(model))
	}
	got := make([]byte, size)
	_, err = f.ReadAt(got, 0)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if !bytes.Equal(got, model) {
		t.Fatal("content differs")
	}
	n, err := f.ReadAt(make([]byte, 100), size-40)
	if n != 40 || err != io.EOF {
		t.Fatalf("read across the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(make([]byte, 1), size+10); n != 0 || err != io.EOF {
		t.Fatalf("read past the end: %d, %v", n, err)
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Fatalf("read at a negative offset: %v", err)
	}
	if _, err := f.WriteAt([]byte("x"), -1); err == nil {
		t.Fatal("write at a negative offset")
	}
	must(t, f.Sync())
	must(t, f.SyncData())
}

func testTruncate(t *testing.T, fs FS, dir string) {
	f := create(t, fs, dir+"/f", strings.Repeat("a", 10000))
	defer f.Close()
	must(t, f.Truncate(5000))
	must(t, f.Truncate(9000))
	want := strings.Repeat("a", 5000) + strings.Repeat("\x00", 4000)
	if got := content(t, fs, dir+"/f"); got != want {
		t.Fatal("bytes cut off came back")
	}
	must(t, f.Truncate(0))
	if got := content(t, fs, dir+"/f"); got != "" {
		t.Fatalf("%d bytes left", len(got))
	}
	if f.Truncate(-1) == nil {
		t.Fatal("truncated to a negative size")
	}
}

func testNames(t *testing.T, fs FS, dir string) {
	create(t, fs, dir+"/a", "A").Close()
	create(t, fs, dir+"/b", "B").Close()
	must(t, fs.Rename(dir+"/a", dir+"/b"))
	if got := content(t, fs, dir+"/b"); got != "A" {
		t.Fatalf("rename left %q", got)
	}
	wantErr(t, fs.Rename(dir+"/a", dir+"/c"), ErrNotExist)
	must(t, fs.Link(dir+"/b", dir+"/c"))
	wantErr(t, fs.Link(dir+"/b", dir+"/c"), ErrExist)
	wantErr(t, fs.Link(dir+"/none", dir+"/d"), ErrNotExist)
	f, err := fs.OpenRW(dir+"/c", OpenOptions{})
	must(t, err)
	writeAt(t, f, "linked", 0)
	must(t, fs.Remove(dir+"/b"))
	wantErr(t, fs.Remove(dir+"/b"), ErrNotExist)
	if got := content(t, fs, dir+"/c"); got != "linked" {
		t.Fatalf("link holds %q", got)
	}
	must(t, fs.Remove(dir+"/c"))
	b := make([]byte, 6)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF || string(b) != "linked" {
		t.Fatalf("removed but open file: %q, %v", b, err)
	}
	must(t, f.Close())
	must(t, fs.MkdirAll(dir+"/sub"))
	create(t, fs, dir+"/x", "X").Close()
	must(t, fs.Rename(dir+"/x", dir+"/sub/y"))
	must(t, fs.Rename(dir+"/sub", dir+"/sub2"))
	if got := content(t, fs, dir+"/sub2/y"); got != "X" {
		t.Fatalf("moved file holds %q", got)
	}
	names, err := fs.List(dir)
	must(t, err)
	if !slices.Equal(names, []string{"sub2"}) {
		t.Fatalf("list is %q", names)
	}
}

func testDirs(t *testing.T, fs FS, dir string) {
	must(t, fs.MkdirAll(dir+"/p/q/r"))
	must(t, fs.MkdirAll(dir+"/p/q/r"))
	for _, n := range []string{"zeta", "Alpha", "beta", "10", "9"} {
		create(t, fs, dir+"/p/"+n, n).Close()
	}
	names, err := fs.List(dir + "/p")
	must(t, err)
	if !slices.Equal(names, []string{"10", "9", "Alpha", "beta", "q", "zeta"}) {
		t.Fatalf("list is %q", names)
	}
	_, err = fs.List(dir + "/none")
	wantErr(t, err, ErrNotExist)
	info, err := fs.Stat(dir + "/p")
	must(t, err)
	if !info.Dir {
		t.Fatal("directory is not one")
	}
	info, err = fs.Stat(dir + "/p/Alpha")
	must(t, err)
	if info.Dir || info.Size != 5 {
		t.Fatalf("stat is %+v", info)
	}
	_, err = fs.Stat(dir + "/p/none")
	wantErr(t, err, ErrNotExist)
	if fs.Remove(dir+"/p") == nil {
		t.Fatal("removed a directory that is not empty")
	}
	must(t, fs.Remove(dir+"/p/q/r"))
	if fs.MkdirAll(dir+"/p/Alpha/x") == nil {
		t.Fatal("made a directory below a file")
	}
	must(t, fs.SyncDir(dir+"/p"))
	wantErr(t, fs.SyncDir(dir+"/none"), ErrNotExist)
	must(t, fs.RemoveAll(dir+"/p"))
	must(t, fs.RemoveAll(dir+"/p"))
	if ok, err := Exists(fs, dir+"/p"); ok || err != nil {
		t.Fatalf("exists %v, %v", ok, err)
	}
	u, err := fs.DiskUsage(dir)
	must(t, err)
	if u.Total == 0 || u.Free > u.Total {
		t.Fatalf("usage is %+v", u)
	}
	_, err = fs.DiskUsage(dir + "/none")
	wantErr(t, err, ErrNotExist)
}

func testLock(t *testing.T, fs FS, dir string) {
	l, err := fs.Lock(dir + "/LOCK")
	must(t, err)
	_, err = fs.Lock(dir + "/LOCK")
	wantErr(t, err, ErrLocked)
	pid, err := strconv.Atoi(strings.TrimSpace(content(t, fs, dir+"/LOCK")))
	if err != nil || pid <= 0 {
		t.Fatalf("lock file holds no process id: %v", err)
	}
	must(t, l.Close())
	l, err = fs.Lock(dir + "/LOCK")
	must(t, err)
	must(t, l.Close())
}

func testMap(t *testing.T, fs FS, dir string) {
	data := make([]byte, 20000)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	f := create(t, fs, dir+"/f", string(data))
	defer f.Close()
	for _, populate := range []bool{false, true} {
		m, err := f.Mmap(5000, 10000, populate)
		must(t, err)
		if !bytes.Equal(m.Bytes(), data[5000:15000]) {
			t.Fatal("mapped bytes differ")
		}
		got := make([]byte, 100)
		must(t, ReadMapped(m, got, 9900))
		if !bytes.Equal(got, data[14900:15000]) {
			t.Fatal("ReadMapped differs")
		}
		wantErr(t, ReadMapped(m, got, 9901), io.ErrUnexpectedEOF)
		wantErr(t, ReadMapped(m, got, -1), io.ErrUnexpectedEOF)
		sum := errors.New("from the callback")
		wantErr(t, ViewMapped(m, func(b []byte) error { return sum }), sum)
		must(t, m.Close())
		must(t, m.Close())
	}
	_, err := f.Mmap(15000, 5001, false)
	wantErr(t, err, io.ErrUnexpectedEOF)
	_, err = f.Mmap(-1, 1, false)
	wantErr(t, err, io.ErrUnexpectedEOF)
	m, err := f.Mmap(20000, 0, true)
	must(t, err)
	must(t, ReadMapped(m, nil, 0))
	must(t, m.Close())
}

func testPreallocate(t *testing.T, fs FS, dir string) {
	f := create(t, fs, dir+"/f", "data")
	defer f.Close()
	must(t, f.Preallocate(0, 1<<20))
	if got := content(t, fs, dir+"/f"); got != "data" {
		t.Fatalf("preallocate changed what is read: %d bytes", len(got))
	}
}

func testHelpers(t *testing.T, fs FS, dir string) {
	name := dir + "/current"
	for _, want := range []string{"one", "", strings.Repeat("two", 5000)} {
		must(t, WriteFileAtomic(fs, name, []byte(want)))
		if got := content(t, fs, name); got != want {
			t.Fatalf("content is %.20q", got)
		}
	}
	create(t, fs, name+".tmp", "left by a crash").Close()
	must(t, WriteFileAtomic(fs, name, []byte("three")))
	names, err := fs.List(dir)
	must(t, err)
	if !slices.Equal(names, []string{"current"}) {
		t.Fatalf("left behind: %q", names)
	}
	_, err = ReadFile(fs, name, 4)
	wantErr(t, err, ErrTooLarge)
	_, err = ReadFile(fs, dir+"/none", 4)
	wantErr(t, err, ErrNotExist)
	must(t, MkdirAllSync(fs, dir+"/m/n/o"))
	must(t, MkdirAllSync(fs, dir+"/m/n/o"))
	if ok, err := Exists(fs, dir+"/m/n/o"); !ok || err != nil {
		t.Fatalf("exists %v, %v", ok, err)
	}
	create(t, fs, dir+"/"+probeName, "left by a crash").Close()
	if err := ProbeDirect(fs, dir); err != nil {
		t.Logf("no direct I/O here: %v", err)
	}
	if ok, _ := Exists(fs, dir+"/"+probeName); ok {
		t.Fatal("probe left its file")
	}
	for _, n := range []int{0, 1, 4096, 100000} {
		b := AlignedBytes(n)
		if len(b) != n || cap(b) != n || n > 0 && !aligned(b[:n&^4095], 0) {
			t.Fatalf("%d bytes: len %d, cap %d", n, len(b), cap(b))
		}
	}
}

func testOptions(t *testing.T, fs FS, dir string) {
	direct := ProbeDirect(fs, dir) == nil
	for _, o := range []OpenOptions{{}, {DataSync: true}, {Direct: true}, {Direct: true, DataSync: true}} {
		if o.Direct && !direct {
			continue
		}
		name := dir + "/f" + strconv.FormatBool(o.Direct) + strconv.FormatBool(o.DataSync)
		f, err := fs.Create(name, o)
		must(t, err)
		out, in := AlignedBytes(3*DirectAlign), AlignedBytes(4*DirectAlign)
		for i := range out {
			out[i] = byte(i % 251)
		}
		writeAt(t, f, "", 0)
		_, err = f.WriteAt(out, DirectAlign)
		must(t, err)
		must(t, f.SyncData())
		n, err := f.ReadAt(in, 0)
		if n != len(in) || err != nil && err != io.EOF || !bytes.Equal(in[DirectAlign:], out) {
			t.Fatalf("%+v: read %d, %v", o, n, err)
		}
		// A file may end inside a block; direct reads must still tell its end.
		must(t, f.Truncate(DirectAlign+100))
		n, err = f.ReadAt(in, 0)
		if n != DirectAlign+100 || err != io.EOF {
			t.Fatalf("%+v: read %d up to an unaligned end: %v", o, n, err)
		}
		must(t, f.Close())
	}
}

func testConcurrent(t *testing.T, fs FS, dir string) {
	f := create(t, fs, dir+"/shared", "")
	defer f.Close()
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for g := range 4 {
		wg.Go(func() {
			own := dir + "/own" + strconv.Itoa(g)
			for i := range 40 {
				p := bytes.Repeat([]byte{byte('a' + g)}, 1000)
				off := int64((i*4 + g) * 1000)
				_, err := f.WriteAt(p, off)
				got := make([]byte, 1000)
				_, rerr := f.ReadAt(got, off)
				if rerr == io.EOF {
					rerr = nil
				}
				if !bytes.Equal(got, p) {
					rerr = errors.New("read other bytes than written")
				}
				errs <- errors.Join(err, rerr, WriteFileAtomic(fs, own, p))
				if i%10 == 0 {
					errs <- errors.Join(f.SyncData(), fs.SyncDir(dir))
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	if size, _ := f.Size(); size != 160000 {
		t.Fatalf("size %d", size)
	}
}

func testQueue(t *testing.T, fs FS, dir string) {
	f := create(t, fs, dir+"/f", "")
	q := NewQueue(3)
	var order []int
	for i := range 50 {
		q.Submit(&Op{File: f, Buf: []byte{byte(i)}, Off: int64(i), Sync: i%10 == 9, Done: func(err error) {
			if err != nil {
				t.Error(err)
			}
			order = append(order, i) // one writer: no two at once
		}})
	}
	must(t, q.Close())
	must(t, q.Close())
	if len(order) != 50 || !slices.IsSorted(order) {
		t.Fatalf("completed in order %v", order)
	}
	refused := false
	q.Submit(&Op{File: f, Done: func(err error) { refused = errors.Is(err, ErrClosed) }})
	if !refused {
		t.Fatal("a closed queue took an op")
	}
	must(t, f.Close())
	many := NewQueueWriters(2, 3)
	failed := make(chan error, 10)
	for range 10 {
		many.Submit(&Op{File: f, Buf: []byte("x"), Done: func(err error) { failed <- err }})
	}
	must(t, many.Close())
	for range 10 {
		wantErr(t, <-failed, ErrClosed)
	}
}
