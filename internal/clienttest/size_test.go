//go:build clients && !long

package clienttest

import "time"

const (
	// exampleRows is how many rows the applications load under kill -9.
	exampleRows = 20_000
	// exampleKills is how often the server is killed meanwhile, and
	// exampleKillEvery how often at most.
	exampleKills     = 5
	exampleKillEvery = 700 * time.Millisecond
	// killRounds is how often a loaded server is killed.
	killRounds = 10
)
