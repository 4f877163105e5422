//go:build clients && long

package clienttest

const (
	exampleRows = 1_000_000
	killRounds  = 100
)
