//go:build long

package node_test

import (
	"time"

	"github.com/ilion-db/ilion/internal/clock"
)

const (
	simDefaultRuns = 4
	simDefaultTime = 10 * time.Minute
	simCalm        = 15 * time.Second
	simEveryKind   = true
)

// simDefaultSeed is another one at each run.
func simDefaultSeed() uint64 { return uint64(clock.Real.Now().Unix()) }
