//go:build long

package proctest

import "time"

// Full sizes.
const (
	long         = true
	kills        = 100
	powerCuts    = 50
	idleClients  = 10_000
	tombstones   = 1_000_000
	prepares     = 50_000
	wideBytes    = 4 << 30
	wideMemory   = 512 << 20
	manyTables   = 1_000
	starts       = 21
	diskImage    = 512 << 20
	acksPerRound = 2_000

	ringFaults     = 100
	ringPowerCuts  = 30
	ringRate       = 1 << 20 // operations a second at most
	faultSeconds   = 20
	driverRequests = 20000
	clientTimeout  = 1 * time.Second
)
