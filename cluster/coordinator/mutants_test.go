//go:build mutants

package coordinator

import (
	"testing"

	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the tests of writes notice deliberate bugs.
func TestMutants(t *testing.T) {
	for bug, run := range map[string]string{
		"skip-fencing":     "^TestServedWrites$",
		"any-before-hint":  "^TestAnyIsAcknowledgedWhenTheHintIsDurable$",
		"batch-done-first": "^TestLoggedBatchIsKeptFirst$",
	} {
		t.Run(bug, func(t *testing.T) {
			if out, noticed := fail.Rerun(bug, run); noticed == nil {
				t.Errorf("%s does not notice %s: %s", run, bug, out)
			}
		})
	}
}
