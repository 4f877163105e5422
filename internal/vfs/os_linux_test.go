package vfs

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
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
	refuses := func() bool {
		of := f.(*osFile)
		var present unix.Cachestat_t
		_ = of.control(func(fd int) error { // what fails has counted nothing
			return unix.Cachestat(uint(fd), &unix.CachestatRange{Len: uint64(len(want))}, &present, 0)
		})
		// One that lies over another (overlayfs) counts nothing as its own.
		return of.uncached.Load() || present.Cache == 0
	}
	ok := f.ReadCached(got, 3)
	for tries := 0; !ok && !refuses() && tries < 1000; tries++ {
		// A machine that is short of memory has dropped it.
		_, err := f.ReadAt(got, 3)
		must(t, err)
		ok = f.ReadCached(got, 3)
	}
	switch {
	case ok && !bytes.Equal(got, want[3:]):
		t.Error("other bytes than were written")
	case !ok && !refuses():
		t.Error("what was just read is not in the page cache")
	}
	if n := testing.AllocsPerRun(100, func() { f.ReadCached(got, 3) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if f.ReadCached(make([]byte, maxCached+1), 0) {
		t.Error("more than may be copied in one call")
	}
}
