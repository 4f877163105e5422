// Package rand is the seam for randomness: one seeded source per node, split
// per component. In production the seed comes from the operating system; in
// a simulation from the run's seed, so that a run can be replayed.
package rand

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// Source yields random numbers and is safe for concurrent use.
type Source struct {
	mu sync.Mutex // protects r
	r  *rand.ChaCha8
}

// New returns a source that yields the same numbers for the same seed.
func New(seed [32]byte) *Source { return &Source{r: rand.NewChaCha8(seed)} }

// NewSeeded returns a source made from a small seed, for tests.
func NewSeeded(seed uint64) *Source {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return New(s)
}

// NewSecure returns a source seeded by the operating system.
func NewSecure() *Source {
	var s [32]byte
	if _, err := crand.Read(s[:]); err != nil {
		panic("rand: no randomness from the operating system: " + err.Error())
	}
	return New(s)
}

// Uint64 returns 64 random bits.
func (s *Source) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Uint64()
}

// Read fills p with random bytes; it never fails.
func (s *Source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}

// Uint64N returns a number in [0, n); n must not be 0.
func (s *Source) Uint64N(n uint64) uint64 { return s.Uint64() % n }

// Split returns a source of its own for a component.
func (s *Source) Split() *Source {
	var seed [32]byte
	s.Read(seed[:])
	return New(seed)
}

// UUID returns a random (version 4) UUID.
func (s *Source) UUID() (u [16]byte) {
	s.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}
