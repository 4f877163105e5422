//go:build clients && !long

package proctest

import "time"

// Sizes for every change.
const (
	long         = false
	kills        = 10
	powerCuts    = 5
	idleClients  = 2_000
	tombstones   = 150_000
	prepares     = 50_000
	wideBytes    = 300 << 20
	wideMemory   = 256 << 20
	manyTables   = 0
	starts       = 21
	diskImage    = 384 << 20
	acksPerRound = 400

	ringFaults     = 10
	ringPowerCuts  = 5
	ringRate       = 300 // operations a second at most
	faultSeconds   = 4
	driverRequests = 1200
	clientTimeout  = 20 * time.Second
)
