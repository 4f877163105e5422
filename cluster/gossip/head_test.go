package gossip

import (
	"errors"
	"testing"
)

func TestCheckHead(t *testing.T) {
	const all = "\x06\x83\xa4Join\xc2\xa5Nodes\xcd\x03\xe8\xacUserStateLen\x00"
	good := []struct {
		head          string
		taken, sealed bool
	}{
		{string(labelled()) + all, true, false},
		{all, false, false},
		{"\x0d", false, false},
		{"\x0a", false, true},
		{string(labelled(kindSealed)), true, true},
		{"\x06\x81\xa5Nodes\xd2\x00\x00\x20\x00", false, false},
	}
	for _, c := range good {
		if err := checkHead([]byte(c.head+"rest"), c.taken, testLabel, c.sealed); err != nil {
			t.Errorf("%q: %v", c.head, err)
		}
		for i := range c.head {
			if err := checkHead([]byte(c.head[:i]), c.taken, testLabel, c.sealed); !errors.Is(err, errShort) {
				t.Errorf("%d bytes of %q: %v", i, c.head, err)
			}
		}
	}
	for _, bad := range []struct {
		head          string
		taken, sealed bool
	}{
		{all, true, false}, {string(labelled()[:10]) + "x" + all, true, false}, {string(labelled(kindSealed)), true, false},
		{string(labelled(kindError)), true, false}, {all, false, true}, {"\x09", false, false}, {"\x08", false, false},
		{"\x06\x00", false, false}, {"\x06\xde\x00\x01", false, false}, {"\x06\x81\xa5Nodes\xcd\x20\x01", false, false},
		{"\x06\x81\xa5Nodes\xce\x00\x10\x00\x00", false, false}, {"\x06\x81\xa5Nodes\xff", false, false},
		{"\x06\x81\xa5Nodes\xd0\xff", false, false}, {"\x06\x81\xa5Nodes\xd3\xff\xff\xff\xff\xff\xff\xff\xff", false, false},
		{"\x06\x81\xacUserStateLen\xce\x00\x01\x00\x01", false, false}, {"\x06\x81\xd9\x05Nodes\x01", false, false},
	} {
		if err := checkHead([]byte(bad.head), bad.taken, testLabel, bad.sealed); err == nil || errors.Is(err, errShort) {
			t.Errorf("%q: %v", bad.head, err)
		}
	}
}

// What is let in stays let in, whatever follows.
func FuzzCheckHead(f *testing.F) {
	f.Add([]byte("\x06\x83\xa4Join\xc2\xa5Nodes\xcd\x03\xe8\xacUserStateLen\x00"))
	f.Add([]byte("\x0d\x81"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for i := range b {
			err := checkHead(b[:i], false, testLabel, false)
			if after := checkHead(b, false, testLabel, false); !errors.Is(err, errShort) && (err == nil) != (after == nil) {
				t.Fatalf("%x: %v, after %d bytes %v", b, after, i, err)
			}
		}
	})
}
