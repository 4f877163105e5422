//go:build clients && !long

package clienttest

const (
	// exampleRows is how many rows the applications load under kill -9.
	exampleRows = 20_000
	// exampleKills is how often the server dies meanwhile, each time after
	// exampleKillAfter writes of its log.
	exampleKills     = 5
	exampleKillAfter = 100
	// killRounds is how often a loaded server is killed.
	killRounds = 10
)
