// Package client is the Go client of Ilion's own protocol: the statements of
// CQL without its connections, made for very many small ones.
//
//	s, err := client.Connect(ctx, client.Config{Hosts: []string{"10.0.0.1:7000", "10.0.0.2:7000"}})
//	defer s.Close()
//
//	err = s.Exec(ctx, "CREATE TABLE IF NOT EXISTS shop.items (id bigint PRIMARY KEY, name text)")
//
//	insert, err := s.Prepare(ctx, "INSERT INTO shop.items (id, name) VALUES (?, ?)")
//	_, err = s.Execute(ctx, insert.Query().Int(7).Text("lamp"))
//
//	rows, err := s.Query(ctx, "SELECT name FROM shop.items WHERE id = ?", 7)
//	for rows.Next() {
//		name := rows.Text(0)
//	}
//	err = rows.Close()
//
// The addresses are those of the internode ports. From one that answers the
// session learns all others.
//
// # Ways to ask
//
//	Exec, Query      text and Go values; statements with values are prepared once
//	Execute          a prepared statement with bound values; waits
//	Send             the same without waiting: a Receiver is told
//	ExecuteBatch     several writes, done together
//
// What many goroutines ask at the same time goes out in shared frames, and so
// do their answers come back; each statement is answered for itself, as soon as
// it is done. Nobody waits for a frame to fill: what is asked while nothing
// else is waits for nothing. Statements whose times end far apart share none.
//
// # Routing
//
// A session knows which nodes hold which tokens, and hears with every answer
// whether that has changed. A statement whose values make a partition key goes
// to a replica: one of Config.LocalDC if there are any, the one with the least
// in work, of those whose connections have not failed. All others go to the nodes in
// turn.
//
// # What is tried again
//
// What was certainly not done is sent to the next node: when there is no
// connection, or a node refuses because it has too much to do or is starting. A
// SELECT, or a statement marked by Query.SetIdempotent, is also tried again
// when the connection was lost, or too few replicas answered in time. Each is
// tried Config.Retries times more at most, and never beyond its time-out. A
// node that does not know a prepared statement (any more) is told it, unseen by
// the caller.
//
// # Errors
//
// What a node answers is a *wire.Error. Its Code says what went wrong, and
// wire.Failure decodes its Detail: how many replicas were needed and have
// answered. ErrTimeout, ErrUnreachable, ErrLost, ErrBusy and ErrClosed are the
// session's own. After ErrTimeout and ErrLost, and wire.CodeTimeout of a write,
// it is unknown whether a write was done.
//
// # Bounds
//
// A connection has at most Config.MaxInFlight statements unanswered. Beyond it
// Send answers ErrBusy, while Execute waits for its turn.
//
// # Concurrency
//
// A Session, a Statement and a Batch that is being executed are safe for
// concurrent use; a Query and Rows belong to one goroutine at a time. A Receiver
// is called by the goroutine that reads a connection: it must not block, and may
// call Send. Calls and frames are pooled, a Query can be used again, and reading
// columns by Int, Bytes and the like copies nothing.
package client
