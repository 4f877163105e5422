package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// More of memberlist's numbers: what a stream may begin with.
const (
	kindPushPull = 6
	kindSealed   = 10
	kindError    = 13
)

const (
	maxHead     = 512            // bytes, with the longest label
	maxStates   = 2 * maxMembers // members in an exchange of all state, the dead too
	maxUserData = 1 << 16        // bytes that a newer release may send along
)

var errShort = errors.New("gossip: a stream ends in its head")

// checkHead refuses a stream that no node begins so, before memberlist reserves
// memory for what it announces. It returns errShort if b is its beginning and
// more is needed to tell. Who took the stream hears the label first:
//
//	244 | length u8 | label | kind u8 | ...
//
// and then each side sends a kind: 10 if sealed, else 6 with a MessagePack map of
// Nodes, UserStateLen and Join, or as an answer 13, an error.
func checkHead(b []byte, taken bool, label string, sealed bool) error {
	c := cursor{b: b}
	if taken {
		if c.u8() != kindLabel || c.u8() != len(label) || string(c.next(len(label))) != label {
			return c.or(errors.New("gossip: a stream of another cluster"))
		}
	}
	switch kind := c.u8(); {
	case c.short:
		return errShort
	case sealed && kind == kindSealed, !sealed && kind == kindError && !taken:
		return nil
	case sealed || kind != kindPushPull:
		return fmt.Errorf("gossip: a stream of kind %d", kind)
	}
	fields := c.u8() - 0x80
	if fields < 0 || fields > 15 {
		return c.or(errors.New("gossip: a stream without head"))
	}
	for range fields {
		size := c.u8() - 0xa0
		if size < 0 || size > 31 {
			return c.or(errors.New("gossip: a stream without head"))
		}
		name := string(c.next(size))
		value, ok := c.number()
		switch {
		case c.short:
			return errShort
		case !ok, name == "Nodes" && value > maxStates, name == "UserStateLen" && value > maxUserData:
			return fmt.Errorf("gossip: a stream that announces %.20q of %d", name, value)
		}
	}
	return c.or(nil)
}

// cursor reads bytes; short says that there were too few.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) next(n int) []byte {
	if n > len(c.b) {
		c.short = true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() int {
	if b := c.next(1); len(b) == 1 {
		return int(b[0])
	}
	return 0
}

// number reads a MessagePack number that is not negative, or a boolean.
func (c *cursor) number() (n uint64, ok bool) {
	switch t := c.u8(); t {
	case 0xc2, 0xc3:
		return 0, true
	case 0xcc, 0xcd, 0xce, 0xcf: // unsigned, of 1 to 8 bytes
		n = bigEndian(c.next(1 << (t - 0xcc)))
		return n, true
	case 0xd0, 0xd1, 0xd2, 0xd3: // signed
		size := 1 << (t - 0xd0)
		n = bigEndian(c.next(size))
		return n, n>>(8*size-1) == 0
	default:
		return uint64(t), t < 0x80
	}
}

func bigEndian(b []byte) uint64 {
	var word [8]byte
	copy(word[8-len(b):], b)
	return binary.BigEndian.Uint64(word[:])
}

// or is err, unless there were too few bytes to tell.
func (c *cursor) or(err error) error {
	if c.short {
		return errShort
	}
	return err
}
