// Package invariant holds the assertions that stay in the program.
//
// Check is always on: it guards what must hold for data to be safe and costs
// a branch. Expensive checks go behind Enabled, which is a constant true under
// the build tags "race" and "invariants" and false otherwise, so that the
// compiler drops them from the product. A failed assertion is a bug of ours,
// never a fault of the disk or of a client: it panics with the prefix "bug:".
package invariant

import "fmt"

// Check panics with "bug: " and the formatted message if ok is false.
func Check(ok bool, format string, args ...any) {
	if !ok {
		panic("bug: " + fmt.Sprintf(format, args...))
	}
}
