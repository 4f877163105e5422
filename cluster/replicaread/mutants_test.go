//go:build mutants

package replicaread

import (
	"testing"

	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the model of reads and the tests of repairs notice deliberate bugs.
func TestMutants(t *testing.T) {
	for bug, run := range map[string]string{
		"skip-short-read-protection": "^TestLimitedPartitionsGoOn$",
		"forget-cut":                 "^TestModel$",
		"skip-read-repair":           "^TestRepairSendsWhatDiffers$",
		"damage-is-empty":            "^TestCorruptLocalReplica$",
	} {
		t.Run(bug, func(t *testing.T) {
			if out, noticed := fail.Rerun(bug, run); noticed == nil {
				t.Errorf("%s does not notice %s: %s", run, bug, out)
			}
		})
	}
}
