package session

import (
	"context"

	"github.com/ilion-db/ilion/cql/native"
)

// Status is how far a Handler got with a request.
type Status uint8

// Statuses of TryExecute and Execute.
const (
	// Done: the answer is in the request.
	Done Status = iota
	// Pending: Request.Complete has been called or will be, exactly once, by
	// whoever finishes the request. The request may not be touched any more.
	Pending
	// WouldBlock: nothing has been done, Execute shall be called on a worker.
	// Only from TryExecute.
	WouldBlock
)

// Prepared is a prepared statement.
type Prepared struct {
	native.PreparedResult
	// Barrier makes the session execute it when all earlier requests of the
	// connection are answered and before any later one starts: for USE.
	Barrier bool
	// Reads tells that it changes nothing.
	Reads bool
	// Statement is the handler's own.
	Statement any
}

// Handler executes what clients ask for. All methods are called from many
// goroutines at once. A panic in one closes the connection and is counted; a
// failed assertion ends the process.
type Handler interface {
	// Prepare makes a statement ready, under the id that
	// native.StatementID(keyspace, text) gives. It may block.
	Prepare(ctx context.Context, c *Conn, text, keyspace string) (*Prepared, error)
	// Lookup returns a prepared statement or nil. It must not block.
	Lookup(id [16]byte) *Prepared
	// TryExecute tries a QUERY, EXECUTE or BATCH on the connection's reader:
	// within about 50 us, from memory alone, without waiting for anything. All
	// its other requests wait meanwhile.
	TryExecute(r *Request) Status
	// Execute does the same on a worker and may block until r.Deadline. It
	// returns Done or Pending. ctx ends when the server is closed.
	Execute(ctx context.Context, r *Request) Status
	// MapError makes what Complete or Fail was given into what the client sees.
	// It must not block.
	MapError(r *Request, err error) *native.Error
	// Authenticate checks a SASL PLAIN token (NUL name NUL password) and
	// returns the user. Called only with Config.Auth. It may block.
	Authenticate(ctx context.Context, c *Conn, token []byte) (user string, err error)
}
