//go:build clients || long

package proctest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/godriver"
)

// TestStart measures starts over an empty directory and over one with data:
// from exec to the first answered SELECT. It writes the figures down and judges
// none.
func TestStart(t *testing.T) {
	s := newServer(t, options{})
	for _, what := range []string{"without data", "with a table"} {
		var took []time.Duration
		for i := range starts {
			begin := time.Now()
			s.launch()
			var w *wire
			s.await(func() (err error) {
				w, err = dial(s.port, 4)
				return err
			})
			w.query(1, "SELECT release_version FROM system.local")
			if f := w.read(); f.opcode != opResult {
				t.Fatal(f)
			}
			took = append(took, time.Since(begin))
			w.close()
			if what == "with a table" || i < starts-1 {
				s.stop(syscall.SIGTERM)
			}
		}
		slices.Sort(took)
		t.Logf("%d starts %s, exec to the first answered SELECT: median %v, 90%% %v, least %v",
			starts, what, took[len(took)/2], took[len(took)*9/10], took[0])
		if what == "without data" {
			db := s.connect()
			must(t, db, createKS)
			must(t, db, "CREATE TABLE ks.t (k int PRIMARY KEY)")
			must(t, db, "INSERT INTO ks.t (k) VALUES (1)")
			godriver.Close(db)
			s.stop(syscall.SIGTERM)
		}
	}
}

// TestResident writes the memory of an idle process to the log and, at full
// size, also after a number of tables.
func TestResident(t *testing.T) {
	s := startServer(t, options{})
	db := s.connect()
	defer godriver.Close(db)
	must(t, db, createKS)
	if !long {
		t.Logf("resident after the start: %d MiB", s.status("VmRSS")>>20)
		return
	}
	settle := func() { <-time.After(30 * time.Second) }
	settle()
	t.Logf("resident 30 s after the start: %d MiB", s.status("VmRSS")>>20)
	for i := range manyTables {
		must(t, db, fmt.Sprintf("CREATE TABLE ks.t%d (k int PRIMARY KEY, a text, b text, c text)", i))
	}
	settle()
	t.Logf("resident 30 s after %d tables: %d MiB", manyTables, s.status("VmRSS")>>20)
	s.stop(syscall.SIGTERM)
	begin := time.Now()
	s.start()
	t.Logf("start with %d tables: %v", manyTables, time.Since(begin))
}

// TestBinary bounds what is downloaded and what a start prints.
func TestBinary(t *testing.T) {
	info, err := os.Stat(buildServer(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	const maxBinary = 40 << 20
	t.Logf("the binary has %d KiB", info.Size()>>10)
	if info.Size() > maxBinary {
		t.Errorf("the binary has %d bytes, over %d", info.Size(), maxBinary)
	}
	s := startServer(t, options{})
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	if len(lines) > 12 {
		t.Errorf("the start prints %d lines", len(lines))
	}
	if last, want := lines[len(lines)-1], fmt.Sprintf("Now type: ilion cql 127.0.0.1 %d ", s.port); !strings.HasPrefix(last, want) {
		t.Errorf("the last line is %q", last)
	}
}

// TestRefusedStart wants a process that cannot start to say why in one line and
// to leave with 1.
func TestRefusedStart(t *testing.T) {
	first := startServer(t, options{})
	for _, c := range []struct {
		name string
		o    options
		port int
		want string
	}{
		{"directory in use", options{dir: first.o.dir}, 0, "in use by another ilion"},
		{"port in use", options{}, first.port, "cannot listen on 127.0.0.1 port"},
		{"flag", options{args: []string{"--memory", "many"}}, 0, `--memory: "many" is not a size`},
		{"address", options{args: []string{"--listen-address", "0.0.0.0"}}, 0, "not a loopback address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, c.o)
			if c.port != 0 {
				s.port = c.port
			}
			s.launch()
			cmd := s.cmd
			err := s.end()
			out := strings.TrimSpace(s.log.String())
			if err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("it left with %v", err)
			}
			if strings.Contains(out, "\n") || !strings.Contains(out, c.want) {
				t.Errorf("it said %q, not %q in one line", out, c.want)
			}
		})
	}
	if os.Geteuid() == 0 {
		t.Run("read-only disk", func(t *testing.T) {
			d := newDisk(t, 64<<20)
			d.command("mount", "-o", "remount,ro", d.dir)
			s := newServer(t, options{dir: d.dir + "/data"})
			s.launch()
			if err := s.end(); err == nil {
				t.Error("it left without an error")
			}
			if out := strings.TrimSpace(s.log.String()); strings.Contains(out, "\n") || !strings.Contains(out, "read-only file system") {
				t.Errorf("it said %q", out)
			}
		})
	}
}
