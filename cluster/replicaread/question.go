package replicaread

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// question is what a round asks, and whom. It is made by start and not changed
// until the round is free.
type question struct {
	sec section
	// narrowed tells that parts of the section have more replicas than those
	// that hold all of it.
	narrowed bool
	top      *cluster.Topology
	level    ring.ConsistencyLevel
	table    *schema.Table
	latency  *tableLatency
	targets  targets
	deadline time.Duration

	read   wire.Read // decoded from body
	body   []byte    // of the request for data
	digest []byte    // of the request for a digest
}

// encode makes the bodies of the requests. What is read locally is decoded from
// them, so that nothing of the command's memory is needed later.
func (q *question) encode(cmd *mutation.ReadCommand, bytes int, rows uint32) error {
	c := wire.Read{ReadCommand: *cmd, Resume: q.sec.resume}
	c.Version, c.Digest, c.Epoch = mutation.DigestVersion, false, q.top.Epoch
	c.Keys, c.Range = q.sec.keys, q.sec.rangeOf()
	c.Bytes, c.Limit = bytes, rows
	if len(c.Filters) > 0 && !c.Distinct {
		// What passes the filters is known after the merge.
		c.PerPartitionLimit = 0
	}
	c.Filters = nil
	q.body = c.Append(q.body[:0])
	if !q.sec.ranged {
		c.Digest = true
		q.digest = c.Append(q.digest[:0])
	}
	return q.read.Decode(q.body)
}

// asks tells whether a partition is among those that are asked for. Its keys are
// the requests', since the command's memory may be another's by now.
func (q *question) asks(token ring.Token, key []byte) bool {
	if q.sec.ranged {
		return q.read.Range.Contains(token, key)
	}
	return slices.ContainsFunc(q.read.Keys, func(k mutation.Key) bool { return k.Token == token && bytes.Equal(k.Key, key) })
}

// changedAt is the epoch of a node that refuses what was planned before it; 0
// for another error, or if it is no later.
func (q *question) changedAt(err error) uint64 {
	var e *wire.Error
	if !errors.As(err, &e) || e.Epoch <= q.top.Epoch {
		return 0
	}
	switch e.Code {
	case wire.CodeStale, wire.CodeNotOwner, wire.CodeUnknownTable:
		return e.Epoch
	}
	return 0
}
