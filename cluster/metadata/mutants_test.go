//go:build mutants

package metadata

import (
	"testing"

	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the tests of what is durable notice deliberate bugs.
func TestMutants(t *testing.T) {
	for bug, run := range map[string]string{
		"vote-before-write": "^TestPromisesAreDurable$",
	} {
		t.Run(bug, func(t *testing.T) {
			if out, noticed := fail.Rerun(bug, run); noticed == nil {
				t.Errorf("%s does not notice %s: %s", run, bug, out)
			}
		})
	}
}
