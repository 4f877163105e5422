package query

import (
	"context"
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// ErrorClass is what an error of the layers below means for a client.
type ErrorClass uint8

// Classes of errors.
const (
	// ClassUnknown is any other error: a server error with its text.
	ClassUnknown ErrorClass = iota
	// ClassTimeout means that nothing was heard in time.
	ClassTimeout
	// ClassUncertain means that a write may or may not have happened, such as
	// when the log could not be synced: answered as a time-out.
	ClassUncertain
	// ClassOverloaded means that nothing was done for want of resources.
	ClassOverloaded
	// ClassDiskFull means that nothing was written for want of space.
	ClassDiskFull
	// ClassClosed means that the node is shutting down.
	ClassClosed
	// ClassTooLarge means that a write is larger than can be stored.
	ClassTooLarge
	// ClassCorrupt means that stored data is damaged.
	ClassCorrupt
	// ClassTombstones means that a read has met too many tombstones.
	ClassTombstones
	// ClassUnknownTable means that the table was dropped meanwhile.
	ClassUnknownTable
)

// errTimeout ends a statement that is over its deadline.
var errTimeout = errors.New("query: the statement has taken too long")

func (p *Processor) classify(err error) ErrorClass {
	if p.cfg.Classify != nil {
		if c := p.cfg.Classify(err); c != ClassUnknown {
			return c
		}
	}
	switch {
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return ClassTimeout
	case errors.Is(err, context.Canceled):
		return ClassClosed
	case errors.Is(err, mutation.ErrWouldBlock):
		return ClassOverloaded
	case errors.Is(err, mutation.ErrCorrupt), errors.Is(err, mutation.ErrUnknownFeature):
		return ClassCorrupt
	case errors.Is(err, exec.ErrTombstones):
		return ClassTombstones
	case errors.Is(err, vfs.ErrNoSpace):
		return ClassDiskFull
	}
	return ClassUnknown
}

// MapError implements session.Handler.
func (p *Processor) MapError(r *session.Request, err error) *native.Error {
	c, _ := r.State.(*call)
	return p.mapError(c, err)
}

// mapError makes what a client sees of err. c may be nil.
func (p *Processor) mapError(c *call, err error) *native.Error {
	if e := plan.ErrorOf(err); e != nil {
		return e
	}
	return p.failure(c, err)
}

// failure maps errors that are no fault of the client.
func (p *Processor) failure(c *call, err error) *native.Error {
	var (
		level ring.ConsistencyLevel
		typ   native.WriteType
		table schema.TableID
	)
	if c != nil {
		level, typ, table = c.level, c.writeType, c.table
	}
	need := p.cluster.Topology().BlockFor(table, level)
	class := p.classify(err)
	p.stats.failures.Add(1)
	switch class {
	case ClassTimeout, ClassUncertain:
		if class == ClassUncertain {
			p.log.Error("the outcome of a write is unknown", "error", err)
		}
		if typ != "" {
			return native.WriteTimeout(native.Consistency(level), 0, need, typ)
		}
		return native.ReadTimeout(native.Consistency(level), 0, need, false)
	case ClassOverloaded:
		return native.Overloaded("Server is in overloaded state: %v", err)
	case ClassDiskFull:
		return native.Overloaded("The disk is full, writes are refused until there is space")
	case ClassClosed:
		return native.Overloaded("The node is shutting down")
	case ClassTooLarge:
		return native.Invalid("%v", err)
	case ClassUnknownTable:
		return native.Invalid("The table was dropped while the statement ran")
	case ClassTombstones:
		if others, ok := p.said.givenUp.Pass(p.clock.Mono()); ok {
			p.log.Warn("a read was given up", "error", err, "others", others)
		}
		e := native.ReadFailure(native.Consistency(level), 0, need, false, []native.FailureReason{p.reason(native.ReasonTooManyTombstones)})
		e.Msg = fmt.Sprintf("Scanned over %d tombstones during the query; query aborted (see tombstone_failure_threshold)", p.cfg.Tombstones)
		return e
	case ClassCorrupt:
		if others, ok := p.said.damage.Pass(p.clock.Mono()); ok {
			p.log.Error("stored data is damaged", "error", err, "others", others)
		}
		if typ == "" {
			e := native.ReadFailure(native.Consistency(level), 0, need, false, []native.FailureReason{p.reason(native.ReasonUnknown)})
			e.Msg = "Stored data is damaged, see the node's log"
			return e
		}
		return native.ServerError("Stored data is damaged, see the node's log")
	}
	if others, ok := p.said.failed.Pass(p.clock.Mono()); ok {
		p.log.Warn("statement failed", "error", err, "others", others)
	}
	return native.ServerError("%v", err)
}
