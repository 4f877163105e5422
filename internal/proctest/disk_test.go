//go:build clients || long

package proctest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ilion-db/ilion/internal/godriver"
)

// disk is an ext4 file system of its own on a loop device.
type disk struct {
	t       testing.TB
	image   string
	dir     string // where it is mounted
	mounted bool
}

// newDisk makes and mounts one. Without root it says so and returns nil, which
// is a failure where all tests must run.
func newDisk(t testing.TB, bytes int64) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		const reason = "not tested: mounting a loop disk needs root"
		if os.Getenv("CI") != "" {
			t.Fatal(reason)
		}
		t.Log(reason)
		return nil
	}
	base := t.TempDir()
	d := &disk{t: t, image: filepath.Join(base, "image"), dir: filepath.Join(base, "disk")}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, bytes); err != nil {
		t.Fatal(err)
	}
	d.command("mkfs.ext4", "-q", "-F", "-m", "0", d.image)
	d.mount()
	t.Cleanup(func() {
		if d.mounted {
			d.unmount()
		}
	})
	return d
}

func (d *disk) command(name string, args ...string) {
	d.t.Helper()
	if _, err := output(name, args...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) mount() {
	d.t.Helper()
	// The loop device of the last mount may be on its way out, or somebody else
	// may have taken the one that was found free.
	if err := poll(func() error {
		_, err := output("mount", "-o", "loop", d.image, d.dir)
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	d.mounted = true
}

func (d *disk) unmount() {
	d.t.Helper()
	// What was killed a moment ago may hold the disk a little longer.
	if err := poll(func() error { return unix.Unmount(d.dir, 0) }); err != nil {
		d.t.Fatalf("unmount: %v", err)
	}
	d.mounted = false
}

// EXT4_IOC_SHUTDOWN and its flag that keeps the journal in memory off the disk.
const (
	ext4Shutdown = 0x8004587d
	noLogFlush   = 2
)

// cutPower makes the disk forget everything that is not on it, and mounts it
// again. Nothing may write meanwhile.
func (d *disk) cutPower() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	err = unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, noLogFlush)
	f.Close()
	if err != nil {
		d.t.Fatalf("shutdown of the file system: %v", err)
	}
	d.unmount()
	d.mount()
}

func TestPowerCut(t *testing.T) {
	for _, mode := range []string{"batch", "group"} {
		t.Run(mode, func(t *testing.T) {
			d := newDisk(t, diskImage)
			if d == nil {
				return
			}
			s := startServer(t, options{dir: d.dir + "/data", args: append([]string{"--commitlog-sync", mode}, smallLog...)})
			l := newLoad(s)
			rounds := powerCuts
			if mode == "group" {
				rounds = max(powerCuts/5, 2)
			}
			for i := range rounds {
				l.run(acksPerRound+37*(i%11), s.kill)
				d.cutPower()
				s.start()
				if n := l.lost(t); n > 0 {
					t.Fatalf("power cut %d: %d acknowledged writes of %d are lost", i+1, n, l.total())
				}
			}
			t.Logf("%d power cuts, %d writes acknowledged, 0 lost", rounds, l.total())
			s.kill()
			s.start()
			s.stop(syscall.SIGTERM)
		})
	}
}

// TestPowerCutLoses is the negative control: with a sync that does not come, a
// power cut must lose what a kill alone would not.
func TestPowerCutLoses(t *testing.T) {
	d := newDisk(t, diskImage)
	if d == nil {
		return
	}
	s := startServer(t, options{dir: d.dir + "/data", args: []string{"--memory", "256MiB", "--commitlog-sync", "periodic", "--commitlog-sync-period", "1h"}})
	l := newLoad(s)
	l.run(acksPerRound, s.kill)
	d.cutPower()
	s.start()
	n := l.lost(t)
	if n == 0 {
		t.Fatalf("none of %d writes is lost: the power was not cut", l.total())
	}
	t.Logf("%d writes of %d are lost", n, l.total())
	s.stop(syscall.SIGTERM)
}

// TestPowerCutFindsBug is the other control: a server with the deliberate bug
// of answering before the sync, which is slow, must be found out.
func TestPowerCutFindsBug(t *testing.T) {
	d := newDisk(t, diskImage)
	if d == nil {
		return
	}
	s := startServer(t, options{
		dir: d.dir + "/data", tags: "mutants,failpoints", args: smallLog,
		env: []string{"ILION_MUTANT=ack-before-sync", "ILION_FAILPOINTS=commitlog/write=delay:20ms"},
	})
	l := newLoad(s)
	for i := range 20 {
		l.run(50+i, s.kill)
		d.cutPower()
		s.start()
		if n := l.lost(t); n > 0 {
			t.Logf("power cut %d: %d writes of %d are lost", i+1, n, l.total())
			return
		}
	}
	t.Error("a server that answers before the sync has lost nothing in 20 power cuts")
}

// TestFullDisk fills the disk, finds writes refused in words, makes room and
// finds them taken again, without a restart, and nothing lost.
func TestFullDisk(t *testing.T) {
	d := newDisk(t, 128<<20)
	if d == nil {
		return
	}
	ballast := d.dir + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, options{dir: d.dir + "/data", args: []string{
		"--memory", "256MiB", "--commitlog-segment-size", "1MiB", "--commitlog-total-space", "8MiB",
	}})
	db := s.connect()
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.t (k int PRIMARY KEY, v blob)")
	row := make([]byte, 16<<10)
	noise(row)
	insert := func(k int) error { return db.Query("INSERT INTO ks.t (k, v) VALUES (?, ?)", k, row).Exec() }
	acked, refused := 0, error(nil)
	for refused == nil && acked < 20_000 {
		if refused = insert(acked); refused == nil {
			acked++
		}
	}
	if refused == nil {
		t.Fatal("the disk does not fill")
	}
	t.Logf("after %d rows: %v", acked, refused)
	if !strings.Contains(refused.Error(), "disk is full") {
		t.Errorf("a full disk is told as %v", refused)
	}
	read := func() (n int) {
		if err := db.Query("SELECT count(*) FROM ks.t").Scan(&n); err != nil {
			t.Errorf("read: %v", err)
		}
		return n
	}
	if n := read(); n < acked {
		t.Errorf("on the full disk %d rows of %d are read", n, acked)
	}
	if err := db.Query("DELETE FROM ks.t WHERE k = 0").Exec(); err != nil && !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("delete: %v", err)
	} else {
		t.Logf("delete on the full disk: %v", err)
		if err == nil {
			acked--
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.await(func() error { return insert(1_000_000) })
	if n := read(); n < acked {
		t.Errorf("with room again %d rows of %d are read", n, acked)
	}
	godriver.Close(db)
	s.stop(syscall.SIGTERM)
	s.start()
	db = s.connect()
	defer godriver.Close(db)
	if n := read(); n < acked {
		t.Errorf("after a restart %d rows of %d are read", n, acked)
	}
	for k := 1; k < acked; k += 97 {
		var v []byte
		if err := db.Query("SELECT v FROM ks.t WHERE k = ?", k).Scan(&v); err != nil || string(v) != string(row) {
			t.Fatal(fmt.Errorf("row %d: %d bytes: %w", k, len(v), err))
		}
	}
}

// TestFullDiskTruncate makes room with what CQL has for it.
func TestFullDiskTruncate(t *testing.T) {
	d := newDisk(t, 96<<20)
	if d == nil {
		return
	}
	s := startServer(t, options{dir: d.dir + "/data", args: []string{
		"--memory", "256MiB", "--commitlog-segment-size", "1MiB", "--commitlog-total-space", "8MiB",
	}})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	must(t, db, "CREATE TABLE ks.big (k int PRIMARY KEY, v blob)")
	must(t, db, "CREATE TABLE ks.other (k int PRIMARY KEY)")
	row := make([]byte, 64<<10)
	noise(row)
	var err error
	for k := 0; err == nil && k < 5_000; k++ {
		err = db.Query("INSERT INTO ks.big (k, v) VALUES (?, ?)", k, row).Exec()
	}
	if err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("a full disk is told as %v", err)
	}
	must(t, db, "TRUNCATE ks.big")
	s.await(func() error { return db.Query("INSERT INTO ks.other (k) VALUES (1)").Exec() })
	var n int
	if err := db.Query("SELECT count(*) FROM ks.big").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows are left: %v", n, err)
	}
	s.stop(syscall.SIGTERM)
	s.start()
}

// noise fills p with bytes that do not compress.
func noise(p []byte) {
	x := uint64(88172645463325252)
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x)
	}
}
