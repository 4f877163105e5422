package coordinator

import "github.com/ilion-db/ilion/wire"

// storeBatch keeps a logged batch of another coordinator. The tables that the
// batch was planned with are known here: one that is not when the batch is
// written again has been dropped.
func (s *serving) storeBatch() {
	var b wire.BatchStore
	b.Records = s.body.Records
	err := b.Decode(s.r.Body())
	s.body.Records = b.Records
	for i := 0; err == nil && i < len(b.Records); i++ {
		err = b.Records[i].Check()
	}
	if err != nil {
		if others, ok := s.c.said.batch.Pass(s.c.cfg.Clock.Mono()); ok {
			s.c.cfg.Log.Warn("a batch of another node cannot be read", "from", hostName(s.r.From()), "error", err, "others", others)
		}
		s.complete(wire.CodeInvalid)
		return
	}
	if err := s.c.cfg.Batchlog.Store(b.ID, b.Created, b.Records, s); err != nil {
		s.Complete(err)
	}
}

// batchDone forgets one.
func (s *serving) batchDone() {
	var b wire.BatchDone
	err := b.Decode(s.r.Body())
	if err == nil {
		s.c.cfg.Batchlog.Done(b.ID)
	}
	s.Complete(err)
}
