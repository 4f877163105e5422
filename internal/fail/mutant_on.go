//go:build mutants

package fail

import (
	"bytes"
	"os"
	"os/exec"
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

// Rerun runs tests of the test binary that calls it once more, in a process of
// their own with a deliberate bug switched on: run is as for -test.run, flags
// are more of them. It returns what they wrote, and an error if they failed,
// which is what a deliberate bug is there for.
func Rerun(bug, run string, flags ...string) (output []byte, noticed error) {
	cmd := exec.Command(os.Args[0], append([]string{"-test.run=" + run, "-test.count=1", "-test.timeout=10m"}, flags...)...)
	cmd.Env = append(os.Environ(), "ILION_MUTANT="+bug)
	output, err := cmd.CombinedOutput()
	if !bytes.Contains(output, []byte("--- FAIL")) && !bytes.Contains(output, []byte("panic:")) {
		return output, nil
	}
	return output, err
}
