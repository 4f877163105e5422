//go:build mutants

package journal

import (
	"testing"

	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the crash suite catches deliberate bugs.
func TestMutants(t *testing.T) {
	for _, name := range []string{"journal-ack-before-sync", "journal-skip-directory-sync"} {
		t.Run(name, func(t *testing.T) {
			defer fail.SetMutant(name)()
			for seed := range uint64(10) {
				if _, err := runCrashes(seed, 60, 0, 50, 100); err != nil {
					t.Logf("caught with seed %d: %v", seed, err)
					return
				}
			}
			t.Fatalf("the crash suite does not notice %s", name)
		})
	}
}
