package client

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/wire"
)

// Statement is a prepared statement. Safe for concurrent use; it needs no
// closing.
type Statement struct {
	keyspace, text string
	shape          atomic.Pointer[shape]
}

// shape is what is known of a statement's markers and rows. Immutable.
type shape struct {
	wire.Prepared
	keyspace string // of the table whose partition key is bound, "" if it is not
}

func newShape(p *wire.Prepared) *shape {
	h := &shape{Prepared: *p}
	if len(p.PartitionKey) > 0 {
		h.keyspace = p.Bind[p.PartitionKey[0]].Keyspace
	}
	return h
}

// Text is the statement as it was prepared.
func (st *Statement) Text() string { return st.text }

// Markers describes what has to be bound; not to be changed.
func (st *Statement) Markers() []wire.Column { return st.shape.Load().Bind }

// Columns describes the rows that come of it; not to be changed. They follow
// changes of the schema when it is executed.
func (st *Statement) Columns() []wire.Column { return st.shape.Load().Result }

// Query starts an execution: bind its values in the order of the markers.
func (st *Statement) Query() *Query {
	q := &Query{st: st}
	q.Reset()
	return q
}

// learn takes over the columns that came with rows, unless something newer was
// learned meanwhile: those that are not known come with every answer.
func (st *Statement) learn(rows *wire.Rows) {
	was := st.shape.Load()
	now := *was
	now.Result, now.Ref.Result = rows.Columns, rows.ResultID
	st.shape.CompareAndSwap(was, &now)
}
