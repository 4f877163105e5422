package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Numbers of memberlist's messages, as far as they matter here.
const (
	kindPing         = 0
	kindIndirectPing = 1
	kindAck          = 2
	kindSuspect      = 3
	kindAlive        = 4
	kindDead         = 5
	kindCompound     = 7
	kindNack         = 11
	kindCRC          = 12
	kindLabel        = 244
)

// checkPacket refuses a packet that no node sends: of another cluster, too
// long, or with messages of other kinds than a node uses. A sealed one is opened
// by memberlist, which refuses what was not sealed with a key of ours.
func checkPacket(b []byte, label string, sealed bool) error {
	if len(b) > maxPacket {
		return fmt.Errorf("gossip: a packet of %d bytes", len(b))
	}
	if len(b) < 2+len(label) || b[0] != kindLabel || int(b[1]) != len(label) || string(b[2:2+len(label)]) != label {
		return errors.New("gossip: a packet of another cluster")
	}
	if b = b[2+len(label):]; sealed {
		return nil
	}
	if len(b) >= 5 && b[0] == kindCRC {
		b = b[5:]
	}
	if len(b) > 0 && b[0] == kindCompound {
		return checkCompound(b[1:])
	}
	return checkMessage(b)
}

// checkCompound checks the messages of
//
//	count u8 | length u16 big-endian, count times | messages
func checkCompound(b []byte) error {
	if len(b) == 0 || len(b) < 1+2*int(b[0]) {
		return errors.New("gossip: a packet ends in its list of lengths")
	}
	count := int(b[0])
	lengths, b := b[1:1+2*count], b[1+2*count:]
	for i := range count {
		n := int(binary.BigEndian.Uint16(lengths[2*i:]))
		if n > len(b) {
			return errors.New("gossip: a packet ends in a message")
		}
		if err := checkMessage(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func checkMessage(b []byte) error {
	if len(b) == 0 {
		return errors.New("gossip: an empty message")
	}
	switch b[0] {
	case kindPing, kindIndirectPing, kindAck, kindSuspect, kindAlive, kindDead, kindNack:
		return nil
	}
	return fmt.Errorf("gossip: a message of kind %d", b[0])
}
