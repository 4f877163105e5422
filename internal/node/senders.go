package node

import (
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cluster/hints"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// hintCall is a hint on its way to its target.
type hintCall struct {
	done func(bytesPerSecond int64, err error)
}

// Deliver implements hints.Sender. This node itself gets a hint by the same rules
// as others do.
func (n *network) Deliver(host [16]byte, created int64, r mutation.Record, done func(bytesPerSecond int64, err error)) error {
	if !n.alive(host) {
		return rpc.ErrPeerDown
	}
	body := wire.Apply{Hinted: created, Records: []mutation.Record{r}}
	m := &rpc.Message{
		Op: wire.OpHint, Lane: rpc.Bulk, Epoch: n.cluster.Topology().Epoch, Deadline: n.deadline(), Body: body.Append(nil),
	}
	if host == n.identity.HostID {
		n.cluster.ServeOwn(m, &hintCall{done})
		return nil
	}
	return n.endpoint.Peer(host).Send(m, &hintCall{done})
}

// deadline is that of a write that begins now.
func (n *network) deadline() int64 {
	return int64(n.opts.Clock.Mono() + n.opts.Config.WriteTimeout)
}

// Receive implements rpc.Receiver.
func (h *hintCall) Receive(a *rpc.Answer) {
	var reply wire.HintReply
	err := a.Err
	if err == nil {
		err = reply.Decode(a.Body)
	}
	var refused *wire.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case wire.CodeUnknownTable, wire.CodePurged, wire.CodeInvalid, wire.CodeNotOwner, wire.CodeUnsupported:
			err = fmt.Errorf("%w: %w", hints.ErrRefused, refused)
		}
	}
	h.done(int64(reply.Rate), err)
}

// repairCall is a record on its way to a replica that lacked it.
type repairCall struct{ done mutation.Completer }

// repair brings a record to another replica, as of the epoch that the read which
// found it lacking was planned in.
func (n *network) repair(host schema.UUID, r mutation.Record, deadline int64, done mutation.Completer) {
	body := wire.Apply{Records: []mutation.Record{r}}
	err := n.endpoint.Peer(host).Send(&rpc.Message{
		Op: wire.OpApply, Lane: rpc.Small, Epoch: r.Epoch(), Deadline: deadline, Body: body.Append(nil),
	}, &repairCall{done})
	if err != nil {
		done.Complete(err)
	}
}

// Receive implements rpc.Receiver.
func (c *repairCall) Receive(a *rpc.Answer) { c.done.Complete(a.Err) }

// replayCall is a batch whose coordinator died before it was applied
// everywhere, on its way to its replicas.
type replayCall struct {
	n       *network
	created int64
	records []mutation.Record
	level   int // in replayLevels
	done    func(error)
}

// replayLevels are tried in turn when too few replicas are alive for the one
// before. Replicas that are not alive get hints.
var replayLevels = []ring.ConsistencyLevel{ring.All, ring.Quorum, ring.Any}

// Replay implements batchlog.Sender.
func (n *network) Replay(_ [16]byte, created int64, records []mutation.Record, done func(error)) error {
	return (&replayCall{n: n, created: created, records: records, done: done}).try()
}

func (c *replayCall) try() (err error) {
	for ; c.level < len(replayLevels); c.level++ {
		err = c.n.cluster.TryWrite(&cluster.Write{Records: c.records, Consistency: replayLevels[c.level], Deadline: c.n.deadline(), Created: c.created, Done: c})
		if !errors.Is(err, &native.Error{Code: native.CodeUnavailable}) {
			return err
		}
	}
	return err
}

// Complete implements mutation.Completer.
func (c *replayCall) Complete(err error) { c.done(err) }
