//go:build mutants

package commitlog

import (
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/fail"
)

// TestMutants shows that the crash suite catches deliberate bugs.
func TestMutants(t *testing.T) {
	for _, name := range []string{"ack-before-sync", "reuse-incarnation", "skip-header-sync"} {
		t.Run(name, func(t *testing.T) {
			defer fail.SetMutant(name)()
			for seed := range uint64(10) {
				if _, err := runCrashes(seed, false, 1, 60, 0, 50, 100); err != nil {
					t.Logf("caught with seed %d: %v", seed, err)
					return
				}
			}
			t.Fatal(fmt.Sprintf("the crash suite does not notice %s", name))
		})
	}
}
