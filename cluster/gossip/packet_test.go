package gossip

import (
	"bytes"
	"encoding/hex"
	"testing"
)

var testLabel = hex.EncodeToString(clusterID[:])

func labelled(b ...byte) []byte {
	return append(append([]byte{kindLabel, byte(len(testLabel))}, testLabel...), b...)
}

func TestCheckPacket(t *testing.T) {
	for _, good := range [][]byte{
		labelled(kindPing), labelled(kindCRC, 1, 2, 3, 4, kindAlive, 9),
		labelled(kindCompound, 2, 0, 1, 0, 2, kindAck, kindNack, 7), labelled(kindCompound, 0),
	} {
		if err := checkPacket(good, testLabel, false); err != nil {
			t.Errorf("%x: %v", good, err)
		}
	}
	for _, bad := range [][]byte{
		nil, {kindPing}, labelled()[:20], labelled(), append([]byte{kindLabel, 1}, labelled(kindPing)[2:]...),
		labelled(6), labelled(8), labelled(9), labelled(10), labelled(255), labelled(kindCRC, 1, 2, 3, 4, kindCRC),
		labelled(kindCompound), labelled(kindCompound, 2, 0, 1), labelled(kindCompound, 1, 0, 2, kindPing),
		labelled(kindCompound, 1, 0, 0), labelled(kindCompound, 1, 0, 1, 9), labelled(kindCompound, 1, 0, 2, kindCompound, 0),
		labelled(bytes.Repeat([]byte{kindPing}, maxPacket)...),
	} {
		if err := checkPacket(bad, testLabel, false); err == nil {
			t.Errorf("%.40x is let in", bad)
		}
	}
	other := labelled(kindPing)
	other[2]++
	if err := checkPacket(other, testLabel, true); err == nil {
		t.Error("a packet of another cluster is let in")
	}
	if err := checkPacket(labelled(200), testLabel, true); err != nil {
		t.Errorf("a sealed packet: %v", err)
	}
}

func FuzzCheckPacket(f *testing.F) {
	f.Add([]byte{kindPing})
	f.Add([]byte{kindCompound, 2, 0, 1, 0, 2, kindAck, kindNack, 7})
	f.Add([]byte{kindCRC, 1, 2, 3, 4, kindCompound, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		// What is let in alone is let in with others.
		if checkMessage(b) == nil && len(b) < maxPacket/2 {
			two := labelled(append([]byte{kindCompound, 2, 0, 1, byte(len(b) >> 8), byte(len(b)), kindPing}, b...)...)
			if err := checkPacket(two, testLabel, false); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
		}
		if err := checkPacket(labelled(b...), testLabel, false); err == nil && len(b) == 0 {
			t.Fatal("nothing is let in")
		}
	})
}
