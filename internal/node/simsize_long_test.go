//go:build long

package node_test

import "time"

const (
	simDefaultTime = 10 * time.Minute
	simDefaultRuns = 10
)
