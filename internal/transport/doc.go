// Package transport is the seam for the network: whoever listens or dials is
// handed a Transport and never calls package net for it. TCP is the machine's
// network, From the same with connections that leave from a given address; Mem
// is a network in memory, so that whole nodes run in a test or a simulation
// without a socket.
//
//	l, err := t.Listen("127.0.0.1:9042")
//	c, err := t.Dial(ctx, "127.0.0.1:9042")
//
// TLS and every protocol sit above it. Implementations are safe for concurrent
// use. The package starts no goroutine that outlives a call.
package transport
