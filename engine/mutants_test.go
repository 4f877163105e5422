//go:build mutants

package engine

import (
	"testing"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the crash sweep catches deliberate bugs.
func TestMutants(t *testing.T) {
	for _, name := range []string{
		"skip-dir-sync", "manifest-skip-sync", "flush-edit-before-sync", "drop-log-too-early",
		"remove-inputs-early", "replay-everything", "split-group", "purge-too-early",
		// Of the commit log, whose own suite also catches reuse-incarnation.
		"ack-before-sync", "skip-header-sync",
	} {
		t.Run(name, func(t *testing.T) {
			defer fail.SetMutant(name)()
			for seed := range uint64(40) {
				if _, err := runCrashes(t, seed, int(seed%3)*50, 48); err != nil {
					t.Logf("caught with seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("the crash sweep does not notice %s", name)
		})
	}
}

// TestMutantShowUnsynced shows that a read of what a power cut takes back is
// noticed.
func TestMutantShowUnsynced(t *testing.T) {
	defer fail.SetMutant("show-unsynced")()
	if err := seenSurvives(t, commitlog.Batch, 1); err == nil {
		t.Error("nobody notices show-unsynced")
	} else {
		t.Logf("caught: %v", err)
	}
}
