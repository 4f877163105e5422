// Package admin is the node's HTTP side: /healthz answers while the process
// lives, /readyz while it serves CQL, /metrics is for Prometheus and
// /debug/pprof for whoever sits on the machine itself: it answers no
// client of another address, whatever the server listens on. What commands like
// `ilion status` ask is under /api/v1: answers are JSON, which the same package
// lays out as nodetool does. What changes something is a POST, answered on
// the machine itself only, where it is called by an address or localhost, and
// never to a page of another origin.
//
// Server owns its listener and its one goroutine; Close ends both.
package admin
