//go:build long

package node_test

import "time"

const simDefaultRuns = 20

func simDefaultTime() time.Duration { return 10 * time.Minute }
