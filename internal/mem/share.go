package mem

import (
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Share is an account of bytes with a limit.
type Share struct {
	name  string
	limit int64
	used  atomic.Int64
}

// NewShare returns an account of its own. Those of a node are in its Budget.
func NewShare(name string, limit int64) *Share { return &Share{name: name, limit: limit} }

// Name is the share's name for messages and metrics, such as "memtable".
func (s *Share) Name() string { return s.name }

// Limit is the most that can be reserved, in bytes.
func (s *Share) Limit() int64 { return s.limit }

// Used is what is reserved now, in bytes.
func (s *Share) Used() int64 { return s.used.Load() }

// TryReserve takes n bytes if they are free.
func (s *Share) TryReserve(n int64) bool {
	if n < 0 {
		invariant.Check(false, "mem: reservation of %d bytes of %s", n, s.name)
	}
	for {
		used := s.used.Load()
		if used+n > s.limit {
			return false
		}
		if s.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// Force takes n bytes even over the limit, for memory that is already there
// and cannot be refused (a table being recovered).
func (s *Share) Force(n int64) { s.used.Add(n) }

// Release gives n bytes back.
func (s *Share) Release(n int64) {
	used := s.used.Add(-n)
	if n < 0 || used < 0 { // not as the condition of Check: its arguments allocate
		invariant.Check(false, "mem: released %d bytes of %s, %d are left", n, s.name, used)
	}
}
