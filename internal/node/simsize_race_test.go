//go:build !long && race

package node_test

import "time"

// The race detector wants a little of everything, and is ten times as slow.
const (
	simDefaultRuns = 1
	simDefaultTime = 8 * time.Second
	simCalm        = 3 * time.Second
	simEveryKind   = false
)

func simDefaultSeed() uint64 { return 1 }
