package cql

// Limits of one statement. Each is checked before memory grows with it.
const (
	// MaxTextBytes bounds the text given to Parse.
	MaxTextBytes = 1 << 20
	// MaxTokens bounds the tokens of one statement, its batch members included.
	MaxTokens = 64 << 10
	// MaxNesting bounds how deep terms, types and parentheses may nest.
	MaxNesting = 32
	// MaxMarkers bounds the bind markers of one statement; the wire counts them in 16 bits.
	MaxMarkers = 65535
	// MaxBatchStatements bounds the statements of one BATCH.
	MaxBatchStatements = 65535
)
