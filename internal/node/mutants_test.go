//go:build mutants

package node_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the simulation, or another test of whole nodes, catches
// deliberate bugs of the ring. A seed does not always repeat: there are more
// tries than it takes.
func TestMutants(t *testing.T) {
	for _, c := range []struct{ bug, run string }{
		{"acknowledge-early", "^TestSim$"},
		{"skip-read-repair", "^TestSim$"},
		{"ignore-digests", "^TestSim$"},
		{"skip-restamping", "^TestSim$"},
		{"repair-without-deletions", "^TestReadRepairsDeletions$"},
		{"lose-hint", "^TestSimHints$"},
		{"forget-hint", "^TestSimHints$"},
		{"accept-lost-disk", "^TestLostDisk$"},
		{"forget-stamps", "^TestStampsOutliveAFlush$"},
	} {
		t.Run(c.bug, func(t *testing.T) {
			t.Parallel()
			for seed := 1; seed <= 20; seed++ {
				// Longer than by default, for more faults.
				if out, noticed := fail.Rerun(c.bug, c.run, fmt.Sprint("-seed=", seed), "-simtime=2m"); noticed != nil {
					t.Logf("caught by %s, seed %d: %.500s", c.run, seed, verdict(out))
					return
				}
			}
			t.Errorf("%s does not notice %s", c.run, c.bug)
		})
	}
}

// verdict is what of a test's words tells why it failed.
func verdict(out []byte) []byte {
	for _, last := range []string{"restarts after failures", "--- FAIL"} {
		if _, behind, ok := bytes.Cut(out, []byte(last)); ok {
			_, behind, _ = bytes.Cut(behind, []byte("\n"))
			return bytes.TrimSpace(behind)
		}
	}
	return out
}
