//go:build long

package clienttest

import "time"

const (
	exampleRows      = 1_000_000
	exampleKills     = 30
	exampleKillEvery = 5 * time.Second
	killRounds       = 100
)
