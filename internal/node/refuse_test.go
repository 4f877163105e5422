package node_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/vfs"
)

// contents returns every file under dir and what is in it. The lock, which
// holds the process that has it, is no content.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == filepath.Join(dir, "lock") {
			return err
		}
		all[path] = ""
		if d.Type().IsRegular() {
			p, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[path] = string(p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameContents(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, p := range before {
		if q, ok := after[name]; !ok || p != q {
			t.Errorf("%s has changed, or is gone (%v)", name, !ok)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
}

// patchIdentity changes the identity file and makes its checksum right.
func patchIdentity(t *testing.T, dir string, f func(p []byte)) {
	t.Helper()
	name := filepath.Join(dir, "identity")
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f(p)
	binary.LittleEndian.PutUint32(p[len(p)-4:], encoding.CRC32C(p[:len(p)-4]))
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRefusals wants of every start that cannot be: one line that names the
// cause, and the directory as it was.
func TestRefusals(t *testing.T) {
	denied := func(op vfs.Ops) func(t *testing.T, o *node.Options) {
		return func(t *testing.T, o *node.Options) {
			f := vfs.NewFault(o.FS, nil)
			f.Add(vfs.Rule{Ops: op, Times: -1, Err: fs.ErrPermission})
			o.FS = f
		}
	}
	listening := func(t *testing.T) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().(*net.TCPAddr).Port
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, o *node.Options)
		want  []string
	}{
		{"native port", func(t *testing.T, o *node.Options) { o.Config.NativePort = listening(t) },
			[]string{"cannot listen on 127.0.0.1 port", "--native-port", "address already in use"}},
		{"http port", func(t *testing.T, o *node.Options) { o.Config.HTTPPort = listening(t) },
			[]string{"cannot listen on 127.0.0.1 port", "--http-port", "address already in use"}},
		{"address", func(t *testing.T, o *node.Options) { o.Config.ListenAddress = "0.0.0.0" }, []string{"not a loopback address", "--insecure"}},
		{"memory", func(t *testing.T, o *node.Options) { o.Config.Memory = 1 << 20 }, []string{"memory: 1MiB", "256MiB"}},
		{"cluster", func(t *testing.T, o *node.Options) { o.Config.ClusterName = "Other" }, []string{`belongs to cluster "Test Cluster", not to "Other"`}},
		{"dc", func(t *testing.T, o *node.Options) { o.Config.DC = "dc2" }, []string{`belongs to data centre "datacenter1"`, `"dc2"`}},
		{"rack", func(t *testing.T, o *node.Options) { o.Config.Rack = "r2" }, []string{`rack "rack1"`, `"r2"`}},
		{"version", func(t *testing.T, o *node.Options) {
			patchIdentity(t, o.Config.DataDir, func(p []byte) { p[8] = 99 })
		}, []string{"newer version", "identity has version 99"}},
		{"features", func(t *testing.T, o *node.Options) {
			patchIdentity(t, o.Config.DataDir, func(p []byte) { p[10] = 1 })
		}, []string{"newer version", "needs features 0x1"}},
		{"level", func(t *testing.T, o *node.Options) {
			patchIdentity(t, o.Config.DataDir, func(p []byte) { p[12] = 9 })
		}, []string{"newer version", "format level 9", "reads 1 to "}},
		{"no identity", func(t *testing.T, o *node.Options) {
			if err := os.Remove(filepath.Join(o.Config.DataDir, "identity")); err != nil {
				t.Fatal(err)
			}
		}, []string{"has data but no identity"}},
		{"rotten identity", func(t *testing.T, o *node.Options) {
			name := filepath.Join(o.Config.DataDir, "identity")
			p, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p[20] ^= 1
			if err := os.WriteFile(name, p, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"identity", "checksum"}},
		{"file in its place", func(t *testing.T, o *node.Options) { o.Config.DataDir += "/identity" }, []string{"not a directory"}},
		{"lock denied", denied(vfs.OpsOf(vfs.OpLock)), []string{"permission denied"}},
		{"create denied", denied(vfs.OpsOf(vfs.OpCreate)), []string{"permission denied"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(vfs.OS, filepath.Join(t.TempDir(), "data"))
			r := start(t, o)
			fill(t, r, 5)
			r.stop()
			dir := o.Config.DataDir
			c.spoil(t, &o)
			before := contents(t, dir)
			n, err := node.New(t.Context(), o)
			if err == nil {
				n.Close(context.Background())
				t.Fatal("it started")
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
			}
			sameContents(t, before, contents(t, dir))
		})
	}
}

// TestLocked starts a second node over the directory of the first, in which it
// changes nothing: the first one may do so at any time.
func TestLocked(t *testing.T) {
	o := options(vfs.OS, filepath.Join(t.TempDir(), "data"))
	r := start(t, o)
	fill(t, r, 5)
	second := vfs.NewFault(o.FS, nil)
	changes := second.Add(vfs.Rule{Ops: vfs.WriteSide &^ vfs.OpsOf(vfs.OpMkdir, vfs.OpSyncDir)}) // of the directory that is there
	o.FS = second
	_, err := node.New(t.Context(), o)
	if !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Fatal(err)
	}
	if n := changes.Seen(); n > 0 {
		t.Errorf("the second node has made %d calls that change something", n)
	}
	verify(t, r, 5)
}

// TestRottenLog damages the log in its middle: the start must not lose what
// nobody allowed it to lose.
func TestRottenLog(t *testing.T) {
	mem := vfs.NewMem()
	r := start(t, options(mem, "/data"))
	fill(t, r, 200)
	image := mem.CrashClone(vfs.CrashOptions{}) // the table is in the log only
	names, err := image.List("/data/commitlog")
	if err != nil {
		t.Fatal(err)
	}
	name := "/data/commitlog/" + names[0]
	log, err := vfs.ReadFile(image, name, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(log, []byte("value 20")) // long before the end; frames without records lie where they may
	if at < 0 {
		t.Fatal("the row is not in the log")
	}
	f, err := image.OpenRW(name, vfs.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{log[at] ^ 0x10}, int64(at)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	o := options(image, "/data")
	_, err = node.New(t.Context(), o)
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{names[0], "offset", "ks.t", "--set-aside " + names[0]} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	if _, again := node.New(t.Context(), options(image, "/data")); again == nil {
		t.Fatal("it started at the second try")
	}
	o.Config.SetAside = []string{names[0]}
	after := start(t, o)
	s := after.connect()
	defer godriver.Close(s)
	var count int
	if err := s.Query("SELECT count(*) FROM ks.t").Scan(&count); err != nil || count < 1 || count >= 200 {
		t.Errorf("%d rows of 200 are left: %v", count, err)
	}
	must(t, s, "INSERT INTO ks.t (k, v) VALUES (1000, 'after')")
}
