//go:build clients && !long

package clienttest

const (
	// exampleRows is how many rows the applications load under kill -9.
	exampleRows = 20_000
	// killRounds is how often a loaded server is killed.
	killRounds = 10
)
