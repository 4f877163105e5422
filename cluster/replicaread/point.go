package replicaread

import (
	"context"
	"errors"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire/rpc"
)

// StartRead starts a read of one partition that has to ask other nodes, as
// cluster.Cluster says. No goroutine waits for it.
func (rd *Reader) StartRead(cmd *mutation.ReadCommand, level ring.ConsistencyLevel, deadline int64, done cluster.ReadCompleter) error {
	if len(cmd.Keys) != 1 {
		return mutation.ErrWouldBlock
	}
	if ok, err := rd.local(cmd, level); err != nil || ok {
		if ok {
			err = mutation.ErrWouldBlock
		}
		return err
	}
	s := rd.newScan(cmd, level)
	s.completer, s.deadline = done, deadline
	if err := s.startAlone(); err != nil {
		s.Close()
		return err
	}
	return nil
}

// startAlone starts the only round of a read that nobody waits for. After nil
// the scan may be gone.
func (s *scan) startAlone() error {
	r := s.rd.newRound()
	r.async = s
	s.ahead = append(s.ahead, r)
	err := s.start(r)
	if err != nil {
		s.ahead = s.ahead[:0]
		r.release()
	}
	return err
}

// inlinePage is the longest page in bytes whose reader is called on the
// connection that brought the last answer.
const inlinePage = 8 << 10

// roundOver hands the result on. A worker does it if the page is long, or if the
// round is stale and the metadata log has to be waited for.
func (s *scan) roundOver() {
	r := s.ahead[0]
	stale := errors.Is(r.err, errStale)
	long := r.err == nil && r.result.size() > inlinePage
	if (stale || long) && s.rd.workers.Submit(s) {
		return
	}
	if stale {
		s.fail(errBusy)
		return
	}
	s.complete()
}

// complete hands the page that is there on.
func (s *scan) complete() {
	if !s.load(false) && s.err != nil {
		s.fail(s.err)
		return
	}
	s.completer.CompleteRead(s, nil)
}

// run implements task.
func (s *scan) run() {
	r := s.ahead[0]
	if !errors.Is(r.err, errStale) {
		s.complete()
		return
	}
	s.ahead = s.ahead[:0]
	if !s.catchUpInTime(r) {
		s.fail(s.err)
		return
	}
	if err := s.startAlone(); err != nil {
		s.fail(err)
	}
}

// catchUpInTime is catchUp for a read that nobody waits for: a node that cannot
// follow the metadata log must neither keep the read for ever nor the worker.
func (s *scan) catchUpInTime(r *round) bool {
	late := native.ReadTimeout(native.Consistency(s.level), 0, r.targets.blockFor, false)
	ctx, cancel := s.rd.until(s.rd.ctx, s.within(s.rd.cfg.Timeout))
	defer cancel()
	s.ctx = ctx
	ok := s.catchUp(r)
	s.ctx = nil
	if !ok && errors.Is(context.Cause(ctx), rpc.ErrDeadline) {
		s.err = late
	}
	return ok
}

func (s *scan) fail(err error) {
	done := s.completer
	s.Close()
	done.CompleteRead(nil, err)
}
