package coordinator

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
)

// token is that of the first record.
func (s *serving) token() ring.Token {
	if len(s.body.Records) == 0 {
		return 0
	}
	return s.body.Records[0].Token()
}

// admit checks the records against the view in force and notes their stamps.
// False means that the request has been answered, since it is refused or nothing
// of it is left, or parked. The gate is held.
func (s *serving) admit() bool {
	c := s.c
	if d := s.r.Deadline(); d != 0 && d <= int64(c.cfg.Clock.Mono()) {
		s.complete(wire.CodeTimeout)
		return false
	}
	v := c.view.Load()
	for v.closed(s.body.Records) {
		if c.parking.add(s, v.epoch+1, s.limit()) {
			return false
		}
		v = c.view.Load()
	}
	for _, r := range s.body.Records {
		t := v.tables[r.Table()]
		if code := v.fence(t, r.Token(), s.r.Epoch()); code != 0 && (t != nil || s.body.Hinted == 0) {
			s.complete(code)
			return false
		}
	}
	if s.body.Hinted != 0 {
		s.body.Records = slices.DeleteFunc(s.body.Records, v.gone)
		if !s.leaveOutLate(v) {
			return false
		}
	}
	s.forward(v)
	if len(s.body.Records) == 0 {
		s.complete(0)
		return false
	}
	if s.met {
		return true // by a try that would have had to wait
	}
	s.met = true
	for _, r := range s.body.Records {
		c.meet(s, r)
		if _, named := r.Coordinator(); named {
			c.stats.Named.Inc()
		}
	}
	return true
}

// closed tells whether the store is dropping a table of one of the records.
func (v *view) closed(records []mutation.Record) bool {
	for i := 0; v.closing && i < len(records); i++ {
		if t := v.tables[records[i].Table()]; t != nil && t.closed {
			return true
		}
	}
	return false
}

// fence refuses what was planned on other owners or another schema of the table
// than those in force.
func (v *view) fence(t *table, token ring.Token, epoch uint64) wire.Code {
	if t == nil {
		return wire.CodeUnknownTable
	}
	set := t.Replicas(token)
	switch {
	case fail.Mutant("skip-fencing"):
	case t.epoch > epoch, set.Changed > epoch:
		return wire.CodeStale
	case !slices.Contains(set.Write, 0):
		return wire.CodeNotOwner
	}
	return 0
}

// Repair applies a record that a read has found this node's store to lack. It is
// refused with a *wire.Error if the table or the owners have changed since the
// record's epoch, in which the read was planned: what was truncated meanwhile
// must not come back. It may wait until ctx ends; done is not called after an
// error.
func (c *Cluster) Repair(ctx context.Context, r mutation.Record, done mutation.Completer) error {
	tk := c.gate.enter(r.Token())
	defer c.gate.leave(tk)
	v := c.view.Load()
	t := v.tables[r.Table()]
	code := v.fence(t, r.Token(), r.Epoch())
	switch {
	case code != 0:
		return &wire.Error{Code: code, Epoch: v.epoch}
	case t.closed:
		return &wire.Error{Code: wire.CodeStale, Epoch: v.epoch + 1}
	}
	return c.cfg.Replica.Apply(ctx, []mutation.Record{r}, false, done)
}

// gone tells whether a record of a hint or a batch is for a table that has been
// dropped or truncated since it was made.
func (v *view) gone(r mutation.Record) bool {
	t := v.tables[r.Table()]
	return t == nil || r.Epoch() < t.truncated
}

// leaveOutLate leaves out what late tells of. A hint is refused, so that its
// sender keeps record of what is missing here; false means that it has been.
func (s *serving) leaveOutLate(v *view) bool {
	n := len(s.body.Records)
	s.body.Records = slices.DeleteFunc(s.body.Records, func(r mutation.Record) bool { return s.c.late(v, r, s.body.Hinted) })
	if n > len(s.body.Records) && s.r.Op() == wire.OpHint {
		s.complete(wire.CodePurged)
		return false
	}
	return true
}

// late tells whether a record of a hint or a batch that was made at created, in
// microseconds, may bring back what was deleted after it: whether this node is
// its only replica and has purged a tombstone that is not older. If so it is
// counted. Where there are more replicas tombstones stay, and nothing is late:
// what was acknowledged is not given up without need.
//
// Both times are by clocks of coordinators, that of the write and that of the
// delete. If the second is behind the first by more than lies between the two,
// the tombstone counts as older and the record comes through; if it is ahead, a
// record may be left out that was written after the delete. A task that begins
// to purge between this and the store's taking the record is not noticed.
func (c *Cluster) late(v *view, r mutation.Record, created int64) bool {
	t := v.tables[r.Table()]
	if t == nil || t.RF > 1 || !slices.Contains(t.Replicas(r.Token()).Write, 0) {
		return false
	}
	to := c.cfg.Replica.PurgedTo(r.Table())
	late := to != 0 && created/1_000_000 <= int64(to)
	if late {
		c.stats.Late.Inc()
	}
	return late
}

// meet notes the server stamp of a record of another coordinator.
func (c *Cluster) meet(s *serving, r mutation.Record) {
	if r.Optional()&mutation.FlagServerStamped == 0 || !c.cfg.Stamps.Follow(r.Timestamp()) {
		return
	}
	newest, newer := c.newest.Meet(r.Token(), r.Timestamp())
	if newer && s.body.Hinted == 0 && !s.body.Atomic && len(s.body.Records) == 1 {
		s.newer = max(s.newer, newest)
	}
}

// hintRate is what this node wants to get of hints from each sender, in bytes a
// second: less, the more it has to do.
func (c *Cluster) hintRate() uint64 {
	busy := float64(c.pool.used.Load()) / float64(c.pool.max)
	return uint64(max(0.1, 1-2*busy) * float64(c.cfg.HintRate))
}

func hostName(host [16]byte) string { return hex.EncodeToString(host[:]) }
