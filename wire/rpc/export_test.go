package rpc

// Held is how many bytes of input an endpoint's connections hold.
func Held(e *Endpoint) int64 { return e.held.Load() }
