package metadata

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// snapshotVersion is that of snapshots with the fields that a replicated log
// needs. One without entries of kind 3 is written as formatVersion.
const snapshotVersion = 2

// Fields of a snapshot. On disk, never renumber.
const (
	snapTerm       = 1
	snapLevel      = 2
	snapVoters     = 3
	snapOutgoing   = 4
	snapMembers    = 5
	snapFork       = 6
	snapDecided    = 7
	snapPlacements = 8
)

func appendSnapshot(dst []byte, s *State) []byte {
	start := len(dst)
	dst = appendHead(dst, snapshotMagic, s.Generation, s.at)
	dst = appendBlock(dst, schema.AppendSnapshot(nil, s.Schema))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s.Members)))
	for _, m := range s.Members {
		dst = appendBlock(dst, appendMember(nil, m))
	}
	if s.term != 0 {
		binary.LittleEndian.PutUint16(dst[start+8:], snapshotVersion)
		dst = appendStateFields(dst, s)
	}
	return binary.LittleEndian.AppendUint32(dst, encoding.CRC32C(dst[start:]))
}

func appendStateFields(dst []byte, s *State) []byte {
	dst = appendU64(dst, snapTerm, s.term)
	dst = appendU64(dst, snapLevel, uint64(s.Level))
	dst = appendField(dst, snapVoters, appendHosts(nil, s.Voters))
	if len(s.outgoing) > 0 {
		dst = appendField(dst, snapOutgoing, appendHosts(nil, s.outgoing))
	}
	dst = appendU64(dst, snapMembers, s.membersEpoch)
	for _, f := range s.forks {
		p := binary.LittleEndian.AppendUint16(nil, f.generation)
		dst = appendField(dst, snapFork, binary.LittleEndian.AppendUint64(p, f.index))
	}
	for i := range s.recent {
		d := &s.recent[i]
		p := append([]byte(nil), d.id[:]...)
		p = binary.LittleEndian.AppendUint64(p, d.index)
		p = binary.LittleEndian.AppendUint64(p, d.epoch)
		dst = appendField(dst, snapDecided, append(p, byte(d.what)))
	}
	return appendPlacements(dst, snapPlacements, s.Placements)
}

func appendBlock(dst, p []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p)))
	return append(dst, p...)
}

func readSnapshot(file string, p []byte) (*State, error) {
	body := len(p) - 4
	if body < snapshotFixed || string(p[:8]) != snapshotMagic {
		return nil, &CorruptError{file, 0, "not a metadata snapshot"}
	}
	if encoding.CRC32C(p[:body]) != binary.LittleEndian.Uint32(p[body:]) {
		return nil, &CorruptError{file, int64(body), "checksum"}
	}
	generation, at, version, err := readHead(file, p, snapshotVersion)
	if err != nil {
		return nil, err
	}
	s := &State{Generation: generation, at: at}
	r := encoding.NewReader(p[snapshotFixed:body])
	if s.Schema, err = schema.DecodeSnapshot(r.Take(int(r.U32()))); err != nil {
		return nil, fmt.Errorf("metadata: %s: %w", file, err)
	}
	for range min(r.U32(), uint32(len(p))) {
		m, err := decodeMember(r.Take(int(r.U32())))
		if err != nil {
			return nil, fmt.Errorf("metadata: %s: %w", file, err)
		}
		if n := len(s.Members); n > 0 && slices.Compare(s.Members[n-1].HostID[:], m.HostID[:]) >= 0 {
			return nil, &CorruptError{file, int64(snapshotFixed + r.Offset()), "members out of order"}
		}
		s.Members = append(s.Members, m)
	}
	if r.Err() == nil && version == snapshotVersion {
		if err := s.decodeFields(r.Take(r.Len())); err != nil {
			return nil, fmt.Errorf("metadata: %s: %w", file, err)
		}
	}
	if r.Err() != nil || r.Len() != 0 {
		return nil, &CorruptError{file, int64(snapshotFixed + r.Offset()), "length"}
	}
	s.seal()
	if err := s.checkPlaced(); err != nil {
		return nil, fmt.Errorf("metadata: %s: %w", file, err)
	}
	return s, nil
}

// checkPlaced refuses placements of keyspaces that there are not, and owners who
// changed later than the snapshot.
func (s *State) checkPlaced() error {
	for name, p := range s.Placements {
		if s.Schema.Keyspaces[name] == nil {
			return fmt.Errorf("%w: snapshot that places keyspace %q, which it does not have", ErrCorrupt, name)
		}
		for i := range p.Ranges {
			if at := p.Ranges[i].Changed; at > s.Epoch {
				return fmt.Errorf("%w: snapshot of epoch %x with owners of %q that changed at %x", ErrCorrupt, s.Epoch, name, at)
			}
		}
	}
	return nil
}

func (s *State) decodeFields(p []byte) (err error) {
	var inner error
	s.Placements = map[string]*ring.Placement{}
	err = decodeFields(p, "snapshot", func(num uint64, v *encoding.Reader) bool {
		switch num {
		case snapTerm:
			s.term = v.U64()
		case snapLevel:
			s.Level = uint16(v.U64())
		case snapVoters:
			s.Voters = readHosts(v)
		case snapOutgoing:
			s.outgoing = readHosts(v)
		case snapMembers:
			s.membersEpoch = v.U64()
		case snapFork:
			s.forks = append(s.forks, fork{v.U16(), v.U64()})
		case snapDecided:
			d := decided{}
			copy(d.id[:], v.Take(16))
			d.index, d.epoch, d.what = v.U64(), v.U64(), outcome(v.U8())
			s.recent = append(s.recent, d)
		case snapPlacements:
			if err := readPlacements(v, s.Placements); err != nil && inner == nil {
				inner = err
			}
		default:
			return false
		}
		return true
	})
	if err == nil {
		err = inner
	}
	if err == nil && (s.term == 0 || len(s.Voters) > maxVoters || len(s.outgoing) > maxVoters || len(s.recent) > recentWindow) {
		err = fmt.Errorf("%w: snapshot with term %d, %d voters, %d proposals", ErrCorrupt, s.term, len(s.Voters), len(s.recent))
	}
	if err == nil && (!ascend(s.Voters) || !ascend(s.outgoing)) {
		err = fmt.Errorf("%w: snapshot with voters out of order", ErrCorrupt)
	}
	return err
}
