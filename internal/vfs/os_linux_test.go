package vfs

import (
	"bytes"
	"testing"
)

// What was just written is in the page cache, if the file system can tell.
func TestReadCached(t *testing.T) {
	f, err := OS.Create(t.TempDir()+"/a", OpenOptions{})
	must(t, err)
	defer f.Close()
	want := bytes.Repeat([]byte("ilion"), 10000)
	_, err = f.WriteAt(want, 0)
	must(t, err)
	got := make([]byte, len(want)-3)
	refuses := func() bool { return f.(*osFile).uncached.Load() }
	ok := f.ReadCached(got, 3)
	for tries := 0; !ok && !refuses() && tries < 1000; tries++ {
		// A machine that is short of memory has dropped it.
		_, err := f.ReadAt(got, 3)
		must(t, err)
		ok = f.ReadCached(got, 3)
	}
	if ok == refuses() || ok && !bytes.Equal(got, want[3:]) {
		t.Errorf("%t of a file system that refuses: %t", ok, refuses())
	}
	if n := testing.AllocsPerRun(100, func() { f.ReadCached(got, 3) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if f.ReadCached(make([]byte, maxCached+1), 0) {
		t.Error("more than may be copied in one call")
	}
}
