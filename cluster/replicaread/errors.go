package replicaread

import (
	"context"
	"errors"
	"net/netip"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

var (
	// errStale tells a round's owner that a replica is at a later epoch.
	errStale = errors.New("replicaread: planned on owners or a schema that changed")
	errBusy  = native.Overloaded("Too many reads wait for a worker")
	// errUnsettled is what a client is told that has met too many changes.
	errUnsettled = native.Overloaded("The schema or the owners change faster than the statement can read")
)

func errUnknownTable() error {
	return native.Invalid("The table was dropped while the statement ran")
}

// failure is what a client is told when too few replicas are left that could
// answer. The lock is held.
func (r *round) failure() error {
	level := native.Consistency(r.level)
	received, down := 0, 0
	data, late := false, false
	var reasons []native.FailureReason
	for i := range r.replicas {
		p := &r.replicas[i]
		switch {
		case p.state == hasData || p.state == hasDigest:
			received++
			data = data || p.state == hasData
		case p.state != failed:
		case isDown(p.err):
			down++
		default:
			code := reasonOf(p.err)
			late = late || code == native.ReasonTimeout
			reasons = append(reasons, native.FailureReason{Addr: addressOf(&r.top.Nodes[r.targets.nodes[i].node]), Code: code})
		}
	}
	switch {
	case len(reasons) == 0:
		// Those who were alive when the read began are not any more.
		return native.Unavailable(level, r.targets.blockFor, len(r.replicas)-down)
	case late && allLate(reasons):
		return native.ReadTimeout(level, received, r.targets.blockFor, data)
	}
	return native.ReadFailure(level, received, r.targets.blockFor, data, reasons)
}

// lateness is what a client is told when the deadline has passed. The lock is
// held.
func (r *round) lateness() error {
	received, data := 0, false
	for i := range r.replicas {
		switch r.replicas[i].state {
		case hasData:
			received++
			data = true
		case hasDigest:
			received++
		}
	}
	return native.ReadTimeout(native.Consistency(r.level), min(received, r.targets.blockFor-1), r.targets.blockFor, data)
}

func allLate(reasons []native.FailureReason) bool {
	for i := range reasons {
		if reasons[i].Code != native.ReasonTimeout {
			return false
		}
	}
	return true
}

// isDown tells whether an error says that nobody is there, rather than that
// somebody has failed.
func isDown(err error) bool {
	return errors.Is(err, rpc.ErrPeerDown) || errors.Is(err, rpc.ErrBacklog) || errors.Is(err, rpc.ErrClosed)
}

// reasonOf is the protocol's reason for an error of a replica.
func reasonOf(err error) uint16 {
	var e *wire.Error
	switch {
	case errors.Is(err, rpc.ErrDeadline), errors.Is(err, context.DeadlineExceeded):
		return native.ReasonTimeout
	case !errors.As(err, &e):
		return native.ReasonUnknown
	case e.Code == wire.CodeTimeout:
		return native.ReasonTimeout
	case e.Code == wire.CodeTooManyTombstones:
		return native.ReasonTooManyTombstones
	case e.Code == wire.CodeUnknownTable:
		return native.ReasonUnknownTable
	}
	return native.ReasonUnknown
}

func addressOf(n *cluster.Node) netip.Addr {
	for _, s := range []string{n.Internode, n.Address} {
		if a, err := netip.ParseAddrPort(s); err == nil {
			return a.Addr()
		}
	}
	return netip.IPv4Unspecified()
}

// wireError is what another node is told of an error of the local replica.
func (rd *Reader) wireError(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	code := wire.CodeFailed
	switch {
	case errors.Is(err, mutation.ErrCorrupt), errors.Is(err, mutation.ErrUnknownFeature):
		code = wire.CodeCorrupt
	case errors.Is(err, errBusy), errors.Is(err, mutation.ErrWouldBlock):
		code = wire.CodeOverloaded
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, rpc.ErrDeadline):
		code = wire.CodeTimeout
	case rd.cfg.Code != nil:
		if c := rd.cfg.Code(err); c != 0 {
			code = c
		}
	}
	return wire.Errorf(code, "%v", err)
}
