//go:build long

package clienttest

const (
	exampleRows      = 1_000_000
	exampleKills     = 30
	exampleKillAfter = 1000
	killRounds       = 100
)
