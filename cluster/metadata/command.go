package metadata

import (
	"fmt"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// proposalID tells proposals apart, so that one that was sent twice is applied
// once. Zero is that of entries which nobody proposed.
type proposalID [16]byte

// command is what an entry of kind 3 does. What proposers send to the leader is
// a command too, without term.
type command struct {
	// term is that of the leader whose log the entry came from.
	term     uint64
	id       proposalID
	proposer [16]byte
	// base is the index that the proposer knew when it began. The proposal is
	// refused once it is recentWindow behind: nobody remembers whether it has
	// been applied by then.
	base uint64
	// schemaEpoch and membersEpoch are those that the proposer's checks and
	// placements were made against.
	schemaEpoch, membersEpoch uint64

	// What it does: at most one of these.
	change   *schema.Change
	member   *Member
	removed  *[16]byte
	level    uint16
	voters   [][16]byte // the voters from now on; outgoing vote too until leave
	leave    bool
	recovery uint16 // the generation that a forced recovery begins
	// skipped, with recovery, is how many column ids of each table are left to
	// those who were lost.
	skipped uint64

	outgoing   [][16]byte // with voters
	placements map[string]*ring.Placement
}

// maxSkipped bounds command.skipped: statements have a place for each id.
const maxSkipped = 1 << 12

// Fields of a command. On disk, never renumber.
const (
	fieldTerm       = 1
	fieldProposal   = 2
	fieldProposer   = 3
	fieldBase       = 4
	fieldSchema     = 5
	fieldMembers    = 6
	fieldChange     = 7
	fieldMember     = 8
	fieldRemoved    = 9
	fieldLevel      = 10
	fieldVoters     = 11
	fieldOutgoing   = 12
	fieldLeave      = 13
	fieldRecovery   = 14
	fieldPlacements = 15
	fieldSkipped    = 16
)

func appendCommand(dst []byte, c *command) []byte {
	if c.term != 0 {
		dst = appendU64(dst, fieldTerm, c.term)
	}
	if c.id != (proposalID{}) {
		dst = appendField(dst, fieldProposal, c.id[:])
		dst = appendField(dst, fieldProposer, c.proposer[:])
		dst = appendU64(dst, fieldBase, c.base)
		dst = appendU64(dst, fieldSchema, c.schemaEpoch)
		dst = appendU64(dst, fieldMembers, c.membersEpoch)
	}
	if c.change != nil {
		dst = appendField(dst, fieldChange, schema.AppendChange(nil, *c.change))
	}
	if c.member != nil {
		dst = appendField(dst, fieldMember, appendMember(nil, *c.member))
	}
	if c.removed != nil {
		dst = appendField(dst, fieldRemoved, c.removed[:])
	}
	if c.level != 0 {
		dst = appendU64(dst, fieldLevel, uint64(c.level))
	}
	if c.voters != nil {
		dst = appendField(dst, fieldVoters, appendHosts(nil, c.voters))
	}
	if c.outgoing != nil {
		dst = appendField(dst, fieldOutgoing, appendHosts(nil, c.outgoing))
	}
	if c.leave {
		dst = appendField(dst, fieldLeave, nil)
	}
	if c.recovery != 0 {
		dst = appendU64(dst, fieldRecovery, uint64(c.recovery))
	}
	if c.skipped != 0 {
		dst = appendU64(dst, fieldSkipped, c.skipped)
	}
	return appendPlacements(dst, fieldPlacements, c.placements)
}

func decodeCommand(p []byte) (*command, error) {
	c := &command{}
	var inner error
	err := decodeFields(p, "command", func(num uint64, v *encoding.Reader) bool {
		known, err := c.decodeField(num, v)
		if inner == nil {
			inner = err
		}
		return known
	})
	if err == nil {
		err = inner
	}
	if err != nil {
		return nil, err
	}
	return c, c.check()
}

func (c *command) decodeField(num uint64, v *encoding.Reader) (known bool, err error) {
	switch num {
	case fieldTerm:
		c.term = v.U64()
	case fieldProposal:
		copy(c.id[:], v.Take(16))
	case fieldProposer:
		copy(c.proposer[:], v.Take(16))
	case fieldBase:
		c.base = v.U64()
	case fieldSchema:
		c.schemaEpoch = v.U64()
	case fieldMembers:
		c.membersEpoch = v.U64()
	case fieldChange:
		change, err := schema.DecodeChange(v.Rest())
		c.change = &change
		return true, err
	case fieldMember:
		m, err := decodeMember(v.Rest())
		c.member = &m
		return true, err
	case fieldRemoved:
		c.removed = new([16]byte)
		copy(c.removed[:], v.Take(16))
	case fieldLevel:
		c.level = uint16(v.U64())
	case fieldVoters:
		c.voters = readHosts(v)
	case fieldOutgoing:
		c.outgoing = readHosts(v)
	case fieldLeave:
		c.leave = true
	case fieldRecovery:
		c.recovery = uint16(v.U64())
	case fieldSkipped:
		c.skipped = v.U64()
	case fieldPlacements:
		if c.placements == nil {
			c.placements = map[string]*ring.Placement{}
		}
		return true, readPlacements(v, c.placements)
	default:
		return false, nil
	}
	return true, nil
}

// check tells why a command does not hold together.
func (c *command) check() error {
	n := 0
	for _, does := range []bool{c.change != nil, c.member != nil, c.removed != nil, c.level != 0, c.leave, c.recovery != 0} {
		if does {
			n++
		}
	}
	switch {
	case c.voters != nil && (len(c.voters) == 0 || len(c.voters) > maxVoters || n > 0 && c.recovery == 0),
		c.recovery != 0 && c.voters == nil,
		c.skipped != 0 && c.recovery == 0, c.skipped > maxSkipped,
		c.outgoing != nil && (c.voters == nil || len(c.outgoing) > maxVoters),
		n > 1:
		return fmt.Errorf("%w: command that does several things", ErrCorrupt)
	case !ascend(c.voters) || !ascend(c.outgoing):
		return fmt.Errorf("%w: command with voters out of order", ErrCorrupt)
	}
	return nil
}

// proposable tells whether a peer may ask the leader to append the command:
// voters are changed by the leader, generations by an operator at the disk.
func (c *command) proposable() bool {
	return c.id != (proposalID{}) && c.term == 0 && c.voters == nil && !c.leave && c.recovery == 0 &&
		(c.change != nil || c.member != nil || c.removed != nil || c.level != 0)
}
