//go:build clients && !long

package proctest

// Sizes for every change.
const (
	long         = false
	kills        = 10
	powerCuts    = 5
	idleClients  = 2_000
	tombstones   = 100_000
	prepares     = 50_000
	wideBytes    = 300 << 20
	wideMemory   = 256 << 20
	manyTables   = 0
	starts       = 21
	diskImage    = 384 << 20
	acksPerRound = 400
)
