package query

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/schema"
)

// statement is a prepared statement: its text for ever, and what that means
// under the newest schema that it was executed with.
type statement struct {
	id             [16]byte
	text, keyspace string

	// known is the id of the result's columns that clients of an earlier run
	// were told, if restored.
	known    [16]byte
	restored bool

	compiled atomic.Pointer[compiled]
	prepared atomic.Pointer[session.Prepared]
	// reshaped tells that the columns of the result are not any more those
	// that some client was told of: they are sent with every answer.
	reshaped atomic.Bool
	// skip is how many executions go to a worker at once, because one that was
	// tried inline read too much.
	skip atomic.Int32

	// client tells that a client has the id: worth keeping over a restart.
	client atomic.Bool

	next atomic.Pointer[statement] // in the cache's bucket
	used atomic.Bool               // since the cache's hand has passed
}

// compiled is a plan and the schema that it was last found to fit.
type compiled struct {
	plan *plan.Plan
	snap *schema.Snapshot
}

// overhead is about what a statement takes besides its text, in bytes.
const overhead = 2048

// size is about what the statement takes in bytes. The plan of a text is some
// times as large.
func (st *statement) size() int64 { return overhead + 8*int64(len(st.text)) + int64(len(st.keyspace)) }

// compile makes the plan of a text.
func (p *Processor) compile(text, keyspace string, snap *schema.Snapshot) (*plan.Plan, error) {
	stmt, err := cql.Parse(text)
	if err != nil {
		return nil, err
	}
	if _, ok := stmt.(*cql.Describe); ok && p.cfg.Virtual != nil {
		snap = p.cfg.Virtual.Described(p.cluster.Schema())
	}
	return plan.Compile(stmt, snap, keyspace)
}

// ready returns the statement's plan if it fits the schema as it is now.
func (st *statement) ready(snap *schema.Snapshot) *plan.Plan {
	if c := st.compiled.Load(); c != nil && c.snap == snap {
		return c.plan
	}
	return nil
}

// refresh makes the statement fit the schema. If the markers are not those
// that clients know any more, or nothing is left of what it names, it is
// forgotten, and clients will hear why when they prepare it again.
func (p *Processor) refresh(st *statement, snap *schema.Snapshot) (*plan.Plan, error) {
	old := st.compiled.Load()
	if old != nil && (old.snap == snap || old.plan.Valid(snap)) {
		if old.snap != snap {
			st.compiled.Store(&compiled{old.plan, snap})
		}
		return old.plan, nil
	}
	pl, err := p.compile(st.text, st.keyspace, snap)
	if err != nil || old != nil && old.plan.Bind.ID() != pl.Bind.ID() {
		p.forget(st)
		return nil, native.Unprepared(st.id)
	}
	p.adopt(st, pl, snap)
	return pl, nil
}

// adopt makes pl the statement's plan.
func (p *Processor) adopt(st *statement, pl *plan.Plan, snap *schema.Snapshot) {
	next := &session.Prepared{Barrier: pl.Kind == plan.KindUse, Statement: st}
	next.Reads = pl.Kind == plan.KindSelect || pl.Kind == plan.KindDescribe
	next.ID, next.Bind, next.PartitionKey, next.Result = st.id, pl.Bind, pl.PartitionKey, pl.Result
	known, told := st.known, st.restored
	if st.compiled.Load() != nil {
		known, told = st.prepared.Load().ResultID(), true
	}
	if told && known != next.ResultID() {
		st.reshaped.Store(true)
	}
	st.prepared.Store(next)
	st.compiled.Store(&compiled{pl, snap})
}

// newStatement makes a statement that must be adopted before it is shared.
func newStatement(text, keyspace string) *statement {
	return &statement{id: native.StatementID(keyspace, text), text: text, keyspace: keyspace}
}

// restoredStatement makes a statement of an earlier run, to be compiled when
// it is first used.
func restoredStatement(e *Entry) *statement {
	st := newStatement(e.Text, e.Keyspace)
	st.known, st.restored = e.ResultID, true
	st.client.Store(true)
	prepared := &session.Prepared{Statement: st, Barrier: startsUse(e.Text)}
	prepared.ID = st.id
	st.prepared.Store(prepared)
	return st
}

// startsUse tells whether a statement that has not been compiled yet may be a
// USE, erring on the safe side.
func startsUse(text string) bool {
	for _, c := range []byte(text) {
		switch c {
		case ' ', '\t', '\r', '\n':
		case 'u', 'U', '-', '/':
			return true
		default:
			return false
		}
	}
	return false
}
