package gossip

import (
	"fmt"

	"github.com/ilion-db/ilion/internal/invariant"
)

// Member is what is known of a member.
type Member struct {
	Host    [16]byte
	Boot    uint64 // boot count of its process
	Address string // internode, "ip:port"
	Up      bool
	Epoch   uint64 // newest entry of the metadata log that it has told
	Load    uint64 // bytes of data on its disks
}

// Kind is what happened to a member.
type Kind uint8

// Kinds of events.
const (
	Up      Kind = iota // it is alive, for the first time or again
	Changed             // its epoch or load is another
	Down                // it died or left; Member is what was last told
)

func (k Kind) String() string {
	switch k {
	case Up:
		return "up"
	case Changed:
		return "changed"
	case Down:
		return "down"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Event is what happened to a member.
type Event struct {
	Kind   Kind
	Member Member
	Left   bool // Down because it said so, not because nobody reached it
}

// record is a member, and what the listener was last told of it.
type record struct {
	now, told Member
	left      bool // the process of now has said that it goes
	queued    bool
}

// next is the first event on the way from what was told to what is, or none.
func (r *record) next() (e Event, ok bool) {
	switch same := r.now.Boot == r.told.Boot; {
	case r.told.Up && !(r.now.Up && same):
		r.told.Up = false
		return Event{Kind: Down, Member: r.told, Left: r.left && same}, true
	case r.now.Up && !r.told.Up:
		invariant.Check(r.now.Boot >= r.told.Boot, "gossip: an earlier process of a host comes up after a later one")
		r.told = r.now
		return Event{Kind: Up, Member: r.told}, true
	case r.now.Up && r.now != r.told:
		r.told = r.now
		return Event{Kind: Changed, Member: r.told}, true
	}
	return Event{}, false
}
