package vfs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOS(t *testing.T) { testFS(t, OS, t.TempDir()) }

func TestOSModes(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	dir := t.TempDir() + "/a/b"
	must(t, OS.MkdirAll(dir))
	create(t, OS, dir+"/f", "x").Close()
	l, err := OS.Lock(dir + "/LOCK")
	must(t, err)
	defer l.Close()
	for name, want := range map[string]fs.FileMode{
		dir: fs.ModeDir | 0o700, filepath.Dir(dir): fs.ModeDir | 0o700, dir + "/f": 0o600, dir + "/LOCK": 0o600,
	} {
		st, err := os.Stat(name)
		must(t, err)
		if st.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, st.Mode(), want)
		}
	}
}

func TestErrnoKinds(t *testing.T) {
	for no, want := range map[syscall.Errno]error{
		syscall.ENOSPC: ErrNoSpace, syscall.EDQUOT: ErrNoSpace, syscall.EROFS: ErrReadOnly,
		syscall.EACCES: ErrReadOnly, syscall.EEXIST: ErrExist, syscall.ENOENT: ErrNotExist,
	} {
		err := wrap("write", "/data/f", &fs.PathError{Op: "pwrite", Path: "f", Err: no})
		if !errors.Is(err, want) || !errors.Is(err, no) {
			t.Errorf("%v is %v", no, err)
		}
		if got := err.Error(); got != "write /data/f: "+no.Error() {
			t.Errorf("message is %q", got)
		}
	}
	if wrap("write", "f", nil) != nil {
		t.Error("no error was wrapped")
	}
}

// A page that goes away under a mapping must be an error that names the place.
func TestMapFault(t *testing.T) {
	name := t.TempDir() + "/f"
	f := create(t, OS, name, "")
	defer f.Close()
	page := int64(os.Getpagesize())
	must(t, f.Truncate(8*page))
	m, err := f.Mmap(page+10, 6*page, false)
	must(t, err)
	defer m.Close()
	must(t, f.Truncate(4*page))
	dst := make([]byte, 100)
	must(t, ReadMapped(m, dst, 2*page))
	var fault *MapFaultError
	err = ReadMapped(m, dst, 4*page)
	if !errors.As(err, &fault) || !errors.Is(err, ErrMapFault) {
		t.Fatalf("read of a missing page: %v", err)
	}
	if fault.File != name || fault.Off != 5*page+10 {
		t.Fatalf("fault is at %s, %d", fault.File, fault.Off)
	}
	sum := 0
	err = ViewMapped(m, func(b []byte) error {
		for _, x := range b {
			sum += int(x)
		}
		return nil
	})
	if !errors.As(err, &fault) || fault.Off != 4*page {
		t.Fatalf("view over a missing page: %v", err)
	}
	defer func() {
		if r := recover(); r != "other" {
			t.Fatalf("another panic became %v", r)
		}
	}()
	_ = ViewMapped(m, func([]byte) error { panic("other") })
}

func TestReadMappedAllocs(t *testing.T) {
	f := create(t, OS, t.TempDir()+"/f", "0123456789")
	defer f.Close()
	m, err := f.Mmap(0, 10, true)
	must(t, err)
	defer m.Close()
	dst := make([]byte, 10)
	if n := testing.AllocsPerRun(100, func() {
		if ReadMapped(m, dst, 0) != nil {
			t.Error("failed")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// lockHelper names the lock that a child process of TestLockOfDeadProcess
// takes; the child then waits to be killed.
const lockHelper = "ILION_TEST_LOCK"

func TestMain(m *testing.M) {
	if name := os.Getenv(lockHelper); name != "" {
		if _, err := OS.Lock(name); err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("locked\n")
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A lock of another process holds while it lives, names it, and ends with it.
func TestLockOfDeadProcess(t *testing.T) {
	name := t.TempDir() + "/LOCK"
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), lockHelper+"="+name)
	in, err := child.StdinPipe()
	must(t, err)
	defer in.Close()
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatalf("child got no lock: %v", err)
	}
	_, err = OS.Lock(name)
	wantErr(t, err, ErrLocked)
	if !strings.Contains(err.Error(), "process "+strconv.Itoa(child.Process.Pid)+")") {
		t.Fatalf("error does not name process %d: %v", child.Process.Pid, err)
	}
	must(t, child.Process.Kill())
	_ = child.Wait() // it was killed
	l, err := OS.Lock(name)
	must(t, err)
	must(t, l.Close())
}

// shortWrites is a device that takes so many bytes more and, like one opened
// for direct I/O, refuses what is not aligned.
type shortWrites struct {
	room, taken int
}

func (d *shortWrites) WriteAt(p []byte, off int64) (n int, err error) {
	for len(p) > 0 {
		if off%DirectAlign != 0 {
			return n, syscall.EINVAL
		}
		m := min(len(p), d.room)
		if m == 0 {
			return n, syscall.ENOSPC
		}
		d.room -= m
		d.taken += m
		n, off, p = n+m, off+int64(m), p[m:]
	}
	return n, nil
}

// TestShortDirectWrite tells that the disk is full, not that an offset is odd.
func TestShortDirectWrite(t *testing.T) {
	p := make([]byte, 8*DirectAlign)
	for room, want := range map[int]int{0: 0, 100: 0, DirectAlign: DirectAlign, 3*DirectAlign + 512: 3 * DirectAlign} {
		d := &shortWrites{room: room}
		n, err := writeBlocks(d, p, 0, true)
		if n != want || !errors.Is(wrap("write", "f", err), ErrNoSpace) {
			t.Errorf("room for %d: %d bytes, %v", room, n, err)
		}
	}
	if n, err := writeBlocks(&shortWrites{room: len(p)}, p, 0, true); n != len(p) || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
