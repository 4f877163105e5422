//go:build !mutants

package fail

// Mutant tells whether the deliberate bug of that name is switched on. It is
// constant false, and the bug compiled out, without the build tag "mutants".
func Mutant(name string) bool { return false }
