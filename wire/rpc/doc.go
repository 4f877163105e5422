// Package rpc carries messages of package wire between nodes: who is where, one
// connection for each lane, many requests on each, and what happens when the
// other side is slow, silent, hostile or gone.
//
//	e, err := rpc.New(rpc.Config{..., Handlers: map[wire.Op]rpc.Handler{wire.OpApply: apply}})
//	go e.Serve(listener)
//	e.SetAddress(host, "10.0.0.2:7000")
//	err = e.Peer(host).Send(&rpc.Message{Op: wire.OpApply, Lane: rpc.Small, Body: b}, receiver)
//
// # Connections
//
// A peer has three lanes, each a connection that the first message dials and
// that is dialed again, after a pause that doubles and is jittered, whenever it
// fails. What is sent before the first attempt has ended is queued; after a
// failure Send refuses with ErrPeerDown until there is a connection again, so
// that nobody waits for the dead. A peer that connects to us ends the pause.
// Requests go from who dials to who accepts, answers the other way; two nodes
// that talk to each other have connections in both directions.
//
// The package wire tells what a hello is and who is refused. The accepting side
// remembers which process each member's connections come from, and refuses a
// second process with the same host id while the first lives.
//
// # Sending
//
//	Send ─► queue of the connection ─► writer ─► socket
//
// A sender encodes its frame into the queue (a large one outside of the lock)
// and never waits: the queue and the number of unanswered requests are bounded.
// Whoever finds no writer starts one; it takes everything that has been queued
// and writes it at once, then goes. While a reader handles the frames it has got
// in one turn, what is queued on its connection waits for the end of the turn,
// and on an accepted connection the reader itself writes it.
//
// # Receiving
//
// A connection has one goroutine, its reader. It waits without a buffer, takes
// all frames that have come, and calls handlers and receivers itself: they must
// not block, and hand on what would. A Request aliases the input and may be kept
// until it is answered, from any goroutine. Beyond the bounds of requests and
// bytes in work, requests are answered wire.CodeOverloaded; only if the other
// side does not take its answers is it no longer read, and closed after a while.
//
// Deadlines of all requests lie in one wheel with one timer. An answer that
// comes late finds nobody, since streams are not given out again for long.
//
// # Signs of life
//
// One sweeper looks at all connections once in Config.Limits.Heartbeat: where
// nothing came since it asks with a ping, and after four times it closes the
// connection and its requests fail. It counts its own looks and not time, so a
// process that was stopped does not give up its peers when it goes on.
//
// # Invariants
//
// A Receiver is called exactly once for each Send that returned nil: whoever
// removes the call from the connection's table, under its mutex, calls it. At
// most one goroutine writes to a connection. A chunk of input is given back when
// the reader and all requests in it have dropped it; one whose handler panicked
// never does, and what its connection holds counts no more. Nothing is allocated
// for a request and its answer. No mutex is held over I/O or a callback; wheel.mu
// is taken under conn.mu, and no other lock of the package under either.
//
// Types are safe for concurrent use unless they say otherwise. Close ends every
// goroutine.
package rpc
