//go:build race || invariants

package invariant

// Enabled tells whether expensive checks are compiled in.
const Enabled = true
