package query

import (
	"context"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
)

// Prepare implements session.Handler.
func (p *Processor) Prepare(_ context.Context, _ *session.Conn, text, keyspace string) (*session.Prepared, error) {
	st, err := p.prepare(text, keyspace)
	if err != nil {
		return nil, err
	}
	if !st.client.Swap(true) {
		p.changed()
	}
	return st.prepared.Load(), nil
}

func (p *Processor) prepare(text, keyspace string) (*statement, error) {
	snap := p.Schema()
	if st := p.cache.get(native.StatementID(keyspace, text)); st != nil {
		if _, err := p.refresh(st, snap); err == nil {
			return st, nil
		}
	}
	pl, err := p.compile(text, keyspace, snap)
	if err != nil {
		return nil, err
	}
	st := newStatement(text, keyspace)
	if st.size() > p.cfg.PreparedBytes {
		return nil, native.Invalid("Prepared statement of size %d bytes is larger than allowed maximum of %d bytes", st.size(), p.cfg.PreparedBytes)
	}
	p.adopt(st, pl, snap)
	st, evicted := p.cache.add(st)
	p.stats.prepared.Add(1)
	p.stats.evicted.Add(int64(evicted))
	return st, nil
}

// Lookup implements session.Handler.
func (p *Processor) Lookup(id [16]byte) *session.Prepared {
	if st := p.cache.get(id); st != nil {
		return st.prepared.Load()
	}
	return nil
}

func (p *Processor) forget(st *statement) {
	if p.cache.remove(st) && st.client.Load() {
		p.changed()
	}
}

// changed has the texts written some time soon.
func (p *Processor) changed() {
	if p.saver != nil {
		p.saver.changed()
	}
}

// PreparedStatement is a row of system.prepared_statements.
type PreparedStatement struct {
	ID             [16]byte
	Keyspace, Text string
}

// PreparedStatements lists the statements that are prepared, in no order.
func (p *Processor) PreparedStatements() []PreparedStatement {
	all := p.cache.all()
	out := make([]PreparedStatement, len(all))
	for i, st := range all {
		out[i] = PreparedStatement{st.id, st.keyspace, st.text}
	}
	return out
}
