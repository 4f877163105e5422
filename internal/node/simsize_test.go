//go:build !long && !race

package node_test

import "time"

const (
	simDefaultRuns = 1
	simDefaultTime = 30 * time.Second
	// simCalm is how long operations and changes of the schema go on without any
	// fault.
	simCalm = 15 * time.Second
	// simEveryKind has the simulation last until each kind of fault has changed
	// something, and fail if one has not.
	simEveryKind = true
)

func simDefaultSeed() uint64 { return 1 }
