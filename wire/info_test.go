package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestInfo(t *testing.T) {
	in := Info{DiskID: [16]byte{15: 7}, BootCount: 2, ClockMark: -1, Now: 0x0102, Epoch: 1<<48 | 5}
	b := in.Append(nil)
	want := "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "\x02\x00\x00\x00\x00\x00\x00\x00" +
		"\xff\xff\xff\xff\xff\xff\xff\xff" + "\x02\x01\x00\x00\x00\x00\x00\x00" + "\x05\x00\x00\x00\x00\x00\x01\x00"
	if string(b) != want {
		t.Errorf("%x, want %x", b, want)
	}
	var out Info
	if err := out.Decode(b); err != nil || out != in {
		t.Errorf("%+v, %v", out, err)
	}
	for i := range b {
		if err := out.Decode(b[:i]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
}

func FuzzInfo(f *testing.F) {
	f.Add((&Info{BootCount: 1}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var i Info
		if err := i.Decode(b); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if again := i.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
