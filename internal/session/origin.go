package session

import (
	"github.com/ilion-db/ilion/cql/native"
)

// Origin is where a request comes from that no connection of this package has
// read: the server of another protocol, which has a Handler execute it all the
// same. Methods are called from any goroutine and must not block.
type Origin interface {
	// Completed gives a request back that was Pending and has its answer now.
	Completed(r *Request)
	// Resumed goes on with a request that was Pending, see Request.Resume.
	Resumed(r *Request, f func(r *Request) Status)
}

// Adopt makes r, which may have been used and released before, a request of o.
// The message that op names, and Prepared, are the caller's to fill. Times are
// nanoseconds of the clock's Mono.
func (r *Request) Adopt(o Origin, op native.Opcode, received, deadline int64) {
	r.origin, r.Opcode, r.Version = o, op, native.V5
	r.Received, r.Deadline = received, deadline
}

// Outcome is the answer of a request of an Origin.
type Outcome struct {
	Err  error // for Handler.MapError
	Rows bool  // there are rows: Head, Count of them, and their values in Body
	Head native.RowsHead
	// Body is valid until the request is released.
	Body     []byte
	Count    int
	Warnings []string
}

// Outcome is the answer of a request of an Origin that is done.
func (r *Request) Outcome() Outcome {
	p := &r.reply
	o := Outcome{Warnings: p.warnings}
	switch {
	case p.kind == replyError:
		o.Err = p.err
	case p.rows.Metadata != nil:
		o.Rows, o.Head, o.Body, o.Count = true, p.rows, p.body, p.count
	}
	return o
}

// Release drops what the request of an Origin holds, but for State.
func (r *Request) Release() {
	r.Prepared, r.origin = nil, nil
	r.dropReply()
	r.settled.Store(false)
}
