// Package query executes statements: it parses and caches them, plans them
// against the schema in force, has the cluster write and read, and answers. It
// is the session.Handler of a node, and what an embedded database calls.
//
//	p, err := query.New(query.Config{Cluster: c, Clock: clock.Real, Rand: r, PagingKey: key})
//	server, err := session.New(session.Config{}, p)
//	p.OnEvent(server.Push)
//	c.Subscribe(p.Announce)
//	...
//	server.Close()
//	p.Close()
//
//	rows, err := p.Query(ctx, query.Statement{Text: "SELECT v FROM ks.t WHERE k = ?", Values: []any{1}})
//
// # Inline
//
// TryExecute runs on a connection's reader, so it does only what needs neither
// the disk nor long:
//
//	plain INSERT, UPDATE, DELETE   bind, Cluster.TryWrite; the request completes itself
//	SELECT of one partition        Cluster.TryRead, at most 128 stored rows or 64 KiB of them
//	BATCH message                  at most 64 prepared statements and 16 KiB of values
//
// All other statements, and what would block, are done by Execute on a worker.
// A statement whose rows were too many once goes there directly for a while. A
// request keeps its binder, query and reader: a point write or read allocates
// nothing once they are warm.
//
// # Together
//
// A group executes many plain statements about one row at once, for a server
// whose clients send many in a frame: INSERT and UPDATE that set columns to bound
// values, and SELECT of columns by the whole primary key (plan.Direct). Writes are
// encoded without a binder, to the same bytes, and go to the store by one call if
// nobody else holds their partitions; reads are looked up together. It takes only
// what can neither fail nor wait for a reason of its own: everything else, and what
// the cluster does not take as a whole, is executed one by one as above.
//
// # Prepared statements
//
// They are kept in a cache bounded by bytes, under the MD5 of keyspace and text.
// A plan is made anew when the schema has changed in a way that concerns it.
// If the markers then are not what clients were told, the statement is
// forgotten, so that clients prepare it again; if only the columns of the
// result have changed, they go with every answer from then on, as clients
// before v5 could not notice.
//
// Their texts survive a restart in a Store; the plans are made at first use.
// FileStore's file, integers little-endian, "varint" LEB128:
//
//	8       "ILIONPST"
//	u8      version (1)
//	        for each statement until the end:
//	16      id of the result's columns, as clients were told them
//	varint  length; keyspace
//	varint  length; text
//	u32     CRC32C of all before it
//
// # Invariants
//
// The records of a write are not touched until it has completed. A change of
// the schema is announced when it is in force here, whichever node made it.
// Every error that leaves MapError has a code of the protocol. Nothing waits
// beyond its request's deadline but changes of the schema.
//
// # Concurrency
//
// A Processor is safe for concurrent use. It starts no goroutine; a timer of
// the clock writes texts of prepared statements.
//
// # What it does not do
//
// It checks no permission beyond what the planner refuses, and it does not
// know where data is: that is the cluster's.
package query
