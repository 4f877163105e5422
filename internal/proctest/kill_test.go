//go:build clients || long

package proctest

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// smallLog makes segments change and memtables flush within a short test.
var smallLog = []string{"--memory", "256MiB", "--commitlog-segment-size", "256KiB", "--commitlog-total-space", "2MiB"}

func TestKill(t *testing.T) {
	for _, mode := range []string{"batch", "group", "periodic"} {
		t.Run(mode, func(t *testing.T) {
			// A process that dies takes nothing with it that it has written to
			// the kernel, so what a killed server may lose in periodic mode is
			// what it had not written yet.
			s := startServer(t, options{args: append([]string{"--commitlog-sync", mode}, smallLog...)})
			l := newLoad(s)
			rounds := kills
			if mode != "batch" {
				rounds = max(kills/5, 2)
			}
			for i := range rounds {
				l.run(acksPerRound+37*(i%11), s.kill)
				s.start()
				if n := l.lost(t); n > 0 && mode != "periodic" {
					t.Fatalf("kill %d: %d acknowledged writes of %d are lost", i+1, n, l.total())
				}
			}
			t.Logf("%d kills, %d writes acknowledged", rounds, l.total())
		})
	}
}

// TestSignals drains: what was acknowledged is there, and the process leaves
// with 0.
func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			s := startServer(t, options{args: smallLog})
			l := newLoad(s)
			l.run(acksPerRound, func() { s.stop(sig) })
			if out := s.log.String(); strings.Contains(out, "panic") || strings.Contains(out, "level=ERROR") {
				t.Errorf("output:\n%s", out)
			}
			s.start()
			if n := l.lost(t); n > 0 {
				t.Errorf("%d acknowledged writes of %d are lost", n, l.total())
			}
		})
	}
}
