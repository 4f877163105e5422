package metadata

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/ring"
)

// Member is a node of the cluster.
type Member struct {
	HostID   [16]byte
	DC, Rack string
	Tokens   []ring.Token
	// Address is where other nodes reach it and NativeAddress where clients do,
	// "ip:port", "" if not known.
	Address, NativeAddress string
	// LowestLevel and HighestLevel are the format levels that it can write; 0
	// stands for the first.
	LowestLevel, HighestLevel uint16
}

// samePlace tells whether two members own the same tokens in the same place.
func (m *Member) samePlace(o *Member) bool {
	return m.HostID == o.HostID && m.DC == o.DC && m.Rack == o.Rack && slices.Equal(m.Tokens, o.Tokens)
}

// equal tells whether two members are the same in all.
func (m *Member) equal(o *Member) bool {
	return m.samePlace(o) && m.Address == o.Address && m.NativeAddress == o.NativeAddress &&
		m.LowestLevel == o.LowestLevel && m.HighestLevel == o.HighestLevel
}

func appendMember(dst []byte, m Member) []byte {
	dst = appendField(dst, 1, m.HostID[:])
	dst = appendField(dst, 2, []byte(m.DC))
	dst = appendField(dst, 3, []byte(m.Rack))
	for _, t := range m.Tokens {
		dst = appendField(dst, 4, binary.LittleEndian.AppendUint64(nil, uint64(t)))
	}
	if m.Address != "" {
		dst = appendOptional(dst, 5, []byte(m.Address))
	}
	if m.NativeAddress != "" {
		dst = appendOptional(dst, 6, []byte(m.NativeAddress))
	}
	if m.LowestLevel != 0 {
		dst = appendOptional(dst, 7, binary.LittleEndian.AppendUint16(nil, m.LowestLevel))
	}
	if m.HighestLevel != 0 {
		dst = appendOptional(dst, 8, binary.LittleEndian.AppendUint16(nil, m.HighestLevel))
	}
	return dst
}

// appendField appends a field that a reader must know, appendOptional one that
// it may pass over.
func appendField(dst []byte, num uint64, payload []byte) []byte {
	dst = binary.AppendUvarint(dst, num<<1|1)
	return encoding.AppendBytes(dst, payload)
}

func appendOptional(dst []byte, num uint64, payload []byte) []byte {
	dst = binary.AppendUvarint(dst, num<<1)
	return encoding.AppendBytes(dst, payload)
}

func appendU64(dst []byte, num, v uint64) []byte {
	return appendField(dst, num, binary.LittleEndian.AppendUint64(nil, v))
}

// decodeFields calls f with each field of what, which answers false for one
// that it does not know.
func decodeFields(p []byte, what string, f func(num uint64, v *encoding.Reader) bool) error {
	r := encoding.NewReader(p)
	for r.Len() > 0 {
		head := r.Uvarint()
		v := encoding.NewReader(r.Bytes())
		if r.Err() == nil && !f(head>>1, &v) && head&1 != 0 {
			return fmt.Errorf("%w: field %d of a %s", ErrUnknownFeature, head>>1, what)
		}
		if v.Err() != nil {
			r.Fail(v.Err())
		}
	}
	if r.Err() != nil {
		return fmt.Errorf("%w: %s: %v", ErrCorrupt, what, r.Err())
	}
	return nil
}

func decodeMember(p []byte) (m Member, err error) {
	err = decodeFields(p, "member", func(num uint64, v *encoding.Reader) bool {
		switch num {
		case 1:
			copy(m.HostID[:], v.Take(16))
		case 2:
			m.DC = string(v.Rest())
		case 3:
			m.Rack = string(v.Rest())
		case 4:
			m.Tokens = append(m.Tokens, ring.Token(v.U64()))
		case 5:
			m.Address = string(v.Rest())
		case 6:
			m.NativeAddress = string(v.Rest())
		case 7:
			m.LowestLevel = v.U16()
		case 8:
			m.HighestLevel = v.U16()
		default:
			return false
		}
		return true
	})
	return m, err
}

// memberAt is the position of a host among members by host id, and whether it
// is there.
func memberAt(members []Member, host [16]byte) (int, bool) {
	return slices.BinarySearchFunc(members, host, func(m Member, h [16]byte) int {
		return slices.Compare(m.HostID[:], h[:])
	})
}

// withMember is the members, by host id, with one added or replaced.
func withMember(members []Member, m Member) []Member {
	i, found := memberAt(members, m.HostID)
	if found {
		members = slices.Clone(members)
		members[i] = m
		return members
	}
	return slices.Insert(slices.Clone(members), i, m)
}

// withoutMember is the members without one.
func withoutMember(members []Member, host [16]byte) []Member {
	i, found := memberAt(members, host)
	if !found {
		return members
	}
	return slices.Delete(slices.Clone(members), i, i+1)
}
