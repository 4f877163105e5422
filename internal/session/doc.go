// Package session is the server side of client connections: it accepts them,
// settles the version of the CQL protocol, reads and decodes requests, has them
// executed by a Handler and sends the answers. It knows neither engine nor
// ring; package node joins a Handler to it.
//
//	s, err := session.New(session.Config{}, handler)
//	go s.Serve(listener)
//	...
//	s.Drain(ctx) // let requests in flight finish
//	s.Close()
//
// # The path of a request
//
//	socket ──► reader ──► Handler.TryExecute ──► queue ──► writer ──► socket
//	            │  │          │        │           ▲
//	            │  │          │        └ Pending:  │
//	            │  │          │          Complete ─┤ (log flusher, any goroutine)
//	            │  │          └ WouldBlock         │
//	            │  └ group ─┐    │                 │
//	            │           ▼    ▼                 │
//	            └ PREPARE ► workers: Execute ──────┘
//
// The reader takes a turn per read: all whole frames that it brought, executed
// in place. Its answers are written at the end of the turn, by itself if no
// writer is at work. After 16 frames or 200 us the rest of a turn goes to
// workers in groups of 16, as long as there are cores to use.
//
// A request that the handler leaves Pending, such as a write that waits for
// its log record to be synced, is completed by whoever finishes it.
// Request.Complete links the record into its connection's queue and starts a
// writer if there is none: it encodes nothing and touches no socket, so that a
// slow client cannot stop a log. Answers leave in the order of completion, all
// that are ready in one write.
//
// STARTUP, AUTH_RESPONSE, REGISTER, a QUERY that begins with USE, and prepared
// statements marked Barrier run alone on their connection.
//
// # Memory
//
// An idle connection holds no buffer: its reader waits for the socket to be
// readable and borrows a chunk then. Decoded requests alias the chunk; it goes
// back when the last of them is answered. A frame's length alone allocates
// nothing: room doubles as bytes come. Chunks are charged to a budget of the
// whole server, and a connection without input waits while that is spent.
//
// Request records, chunks and writers' buffers are pooled. A request on the
// inline path allocates nothing here.
//
// # Limits
//
//	1,024 requests or 16 MiB (frames and unsent answers) in flight: not read
//	queue for workers full: not read, or OVERLOADED after THROW_ON_OVERLOAD
//	waited for a worker beyond its deadline: OVERLOADED
//	client takes nothing for 30 s, or 64 MiB are unsent: closed
//	256 MiB are unsent in all: closed if a 64th of them is the connection's
//	too many connections: the first request is answered OVERLOADED, then closed
//	4,096 events unsent: closed
//
// # Invariants
//
// One goroutine at a time writes to a connection. Nothing enters a dead
// connection's queue. Every request that was charged is counted out once, when
// its answer is written or dropped. The answer to STARTUP is written before
// framing or compression changes.
//
// # Concurrency
//
// Per connection one reader goroutine, and a writer goroutine while it has
// answers that the reader does not write; per server the workers, a sweeper
// and the caller of Serve. Close waits for all of them. Locks: Server.mu,
// workers.Pool.mu, budget.mu and Conn.mu; none is taken while another is held.
//
// # What it does not do
//
// No statement is parsed here, but for the word USE. No TLS. Tables of clients
// and metrics are only offered: Server.Clients, Server.Stats, Config.Metrics.
package session
