// Package wireserver serves clients of our own protocol: it takes the
// operations of clients that package wire describes from the connections of
// package rpc, and has them executed by the same session.Handler as CQL's.
//
//	s, err := wireserver.New(wireserver.Config{Topology: c.Topology}, processor)
//	endpoint, err := rpc.New(rpc.Config{Handlers: s.Handlers(), ...})
//	...
//	s.Drain(ctx)
//	s.Close()
//
// # The path of a statement
//
//	              ┌─────────► Group.Add, Write, Read ─────┐
//	              │                  │                     ▼
//	frame ─► Server.execute ─► Handler.TryExecute ─► frame of answers
//	              │                  │       │             ▲
//	              │ group            │       └ Pending:    │
//	              ▼                  ▼         Completed ──┤ (log flusher, any goroutine)
//	           workers ◄──────── WouldBlock                │
//	              └── TryExecute, Execute ─────────────────┘
//
// Plain writes and reads of one row, which are most of what clients ask for, are
// not made into requests: if the Handler is a session.Grouper the frame's writes
// are encoded straight from their values and started by one call, with one place
// in the log, and its reads are looked up together and encoded straight into the
// frame of answers. Each is answered for itself all the same. What does not fit
// the group, or could not be done at once, becomes a request.
//
// The connection's reader executes what a frame holds as long as that needs
// nothing but memory, and answers at the end all that is done by then in one
// frame. After 64 statements or 200 us of a frame the rest goes in groups of 16
// to workers while there are cores to use. A statement that has to wait answers
// for itself: what gets ready at the same time goes in one frame, and nothing
// waits for what is slower.
//
// # Limits
//
//	too many statements in work in all, or on a connection: CodeOverloaded
//	queue for workers full, waited beyond the deadline: CodeOverloaded
//	answer larger than a frame: CodeInvalid, a smaller page is asked for
//	client does not take its answers: package rpc stops reading and closes
//
// # Invariants
//
// Each execution of a frame is answered once. The last answer of a frame goes
// out when all others have: only who is sending a frame's answers may find that
// none are left, and one at a time is. A warm request that does not go to a
// worker allocates nothing here, and neither does a group. Executions of a frame
// are in no order: its group's writes are begun before its reads.
//
// # Concurrency
//
// A Server is safe for concurrent use. It starts goroutines for workers, and one
// that sends answers that got ready after their frame was read, as needed. Close
// waits for all. Locks: batch.mu, workers.Pool.mu, sender.mu; none is taken while
// another is held.
package wireserver
