package rpc

// Held is how many bytes of input an endpoint's connections hold.
func Held(e *Endpoint) int64 { return e.held.Load() }

// Open is how many connections an endpoint has open.
func Open(e *Endpoint) int64 { return e.stats.Connections.Load() }
