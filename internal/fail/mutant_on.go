//go:build mutants

package fail

import (
	"os"
	"sync/atomic"
)

var mutant atomic.Pointer[string]

func init() {
	if name := os.Getenv("ILION_MUTANT"); name != "" {
		mutant.Store(&name)
	}
}

// Mutant tells whether the deliberate bug of that name is switched on, by the
// environment variable ILION_MUTANT or by SetMutant. A suite that claims to
// catch a kind of bug is run once with each, and must fail.
func Mutant(name string) bool {
	m := mutant.Load()
	return m != nil && *m == name
}

// SetMutant switches one deliberate bug on, and every other off, until the
// returned function is called.
func SetMutant(name string) (restore func()) {
	old := mutant.Swap(&name)
	return func() { mutant.Store(old) }
}
