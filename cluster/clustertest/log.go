package clustertest

import (
	"context"
	"sync"

	"github.com/ilion-db/ilion/schema"
)

// Log keeps a schema in memory. The zero value is an empty schema. Safe for
// concurrent use.
type Log struct {
	// Fail, if not nil, is the answer to the next proposals.
	Fail error

	mu   sync.Mutex // protects snap
	snap *schema.Snapshot
}

// Snapshot is the schema after all changes so far.
func (l *Log) Snapshot() *schema.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot()
}

func (l *Log) snapshot() *schema.Snapshot {
	if l.snap == nil {
		l.snap = schema.NewSnapshot()
	}
	return l.snap
}

// Propose appends a change.
func (l *Log) Propose(_ context.Context, change schema.Change, checks ...func(*schema.Snapshot) error) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Fail != nil {
		return 0, l.Fail
	}
	s := l.snapshot()
	for _, check := range checks {
		if err := check(s); err != nil {
			return 0, err
		}
	}
	n, err := s.Apply(change, s.Epoch+1)
	if err != nil {
		return 0, err
	}
	l.snap = n
	return n.Epoch, nil
}
