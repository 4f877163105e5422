package replicaread

import (
	"errors"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
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

// roundOver hands the result on. A stale round is made again by a worker, which
// may wait for the metadata log.
func (s *scan) roundOver() {
	if errors.Is(s.ahead[0].err, errStale) {
		if !s.rd.workers.submit(s) {
			s.fail(errBusy)
		}
		return
	}
	if !s.load(false) && s.err != nil {
		s.fail(s.err)
		return
	}
	s.completer.CompleteRead(s, nil)
}

// run implements task: it catches up with the replica that refused the round.
func (s *scan) run() {
	r := s.ahead[0]
	s.ahead = s.ahead[:0]
	s.ctx = s.rd.ctx
	ok := s.catchUp(r)
	s.ctx = nil
	if !ok {
		s.fail(s.err)
		return
	}
	if err := s.startAlone(); err != nil {
		s.fail(err)
	}
}

func (s *scan) fail(err error) {
	done := s.completer
	s.Close()
	done.CompleteRead(nil, err)
}
