package plan

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/rand"
)

// Env is what a node gives to functions: its identity and randomness. One per
// node; safe for concurrent use.
type Env struct {
	rand *rand.Source
	// tail is clock sequence and node of time-based UUIDs made here.
	tail [8]byte
	// salt tells this node's list elements from those of other nodes.
	salt uint32
	// last is the largest 100 ns tick given to a UUID, counted from 1970.
	last atomic.Int64
}

// NewEnv makes an Env that draws its identity from r.
func NewEnv(r *rand.Source) *Env {
	e := &Env{rand: r, salt: uint32(r.Uint64())}
	r.Read(e.tail[:])
	e.tail[0] = e.tail[0]&0x3f | 0x80
	e.tail[2] |= 1 // multicast bit: not the address of a card
	return e
}

// gregorian is 1970-01-01 in 100 ns ticks of time-based UUIDs.
const gregorian = 0x01b21dd213814000

// timeUUID makes a time-based UUID for clock in microseconds, never the same
// twice.
func (e *Env) timeUUID(clock int64) (u [16]byte) {
	tick := clock * 10
	for {
		last := e.last.Load()
		next := max(tick, last+1)
		if e.last.CompareAndSwap(last, next) {
			tick = next
			break
		}
	}
	putTimeUUID(&u, tick)
	copy(u[8:], e.tail[:])
	return u
}

// putTimeUUID writes the time (100 ns ticks since 1970) and version 1.
func putTimeUUID(u *[16]byte, tick int64) {
	t := uint64(tick + gregorian)
	binary.BigEndian.PutUint32(u[0:], uint32(t))
	binary.BigEndian.PutUint16(u[4:], uint16(t>>32))
	binary.BigEndian.PutUint16(u[6:], uint16(t>>48)&0x0fff|0x1000)
}

// timeUUIDTick is the inverse of putTimeUUID.
func timeUUIDTick(u []byte) int64 {
	t := uint64(binary.BigEndian.Uint32(u)) | uint64(binary.BigEndian.Uint16(u[4:]))<<32 |
		uint64(binary.BigEndian.Uint16(u[6:])&0x0fff)<<48
	return int64(t) - gregorian
}

// Options are what a request and its coordinator add to a statement's values.
type Options struct {
	// Clock is the coordinator's own stamp in microseconds, as Cluster.Now
	// gives it: the timestamp of writes that say none, and the time of now().
	Clock int64
	// Timestamp is the client's default timestamp in microseconds, if
	// HasTimestamp; USING TIMESTAMP beats it.
	Timestamp    int64
	HasTimestamp bool
	// Now is the time in seconds since 1970 by which things expire; 0 takes Clock.
	Now uint32
	// PageSize in rows, 0 or less for one page of everything. Select only.
	PageSize int32
	// Datacenters are the names of those there are. CREATE and ALTER KEYSPACE
	// only.
	Datacenters []string
	// Coordinator is the host that records shall name as theirs, zero for none:
	// below the format level that has it. Modifications only.
	Coordinator [16]byte
	// Prior holds the rows that a write needs to have read, see
	// Modification.NeedsRead.
	Prior *Prior
}

func (o *Options) now() uint32 {
	if o.Now != 0 {
		return o.Now
	}
	return uint32(o.Clock / 1e6)
}
