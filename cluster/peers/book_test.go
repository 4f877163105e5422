package peers

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
)

func open(t *testing.T, fs vfs.FS) *Book {
	t.Helper()
	b, err := Open(fs, "/peers")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLostDisks(t *testing.T) {
	fs := vfs.NewMem()
	b := open(t, fs)
	peer := Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 100}
	if err := b.Check(peer); err != nil {
		t.Errorf("a node that nobody knows: %v", err)
	}
	b.Hear(peer)
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	newer := peer
	newer.ClockMark, newer.BootCount = 200, 4
	b.Hear(newer)
	b.Hear(peer) // said before, heard after
	for _, b := range []*Book{b, open(t, fs)} {
		if err := b.Check(newer); err != nil {
			t.Error(err)
		}
		for what, spoil := range map[string]func(*Peer){
			"comes with disk":           func(p *Peer) { p.DiskID = [16]byte{9} },
			"an older state of itself":  func(p *Peer) { p.ClockMark = 99 },
			"start 2; before it had ma": func(p *Peer) { p.BootCount = 2 },
		} {
			p := newer
			spoil(&p)
			var lost *LostError
			if err := b.Check(p); !errors.As(err, &lost) || what != "start 2; before it had ma" && !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if err := b.Check(peer); err == nil {
		t.Error("the newer mark is forgotten")
	}
	other := newer
	other.DiskID = [16]byte{9}
	if b.Hear(other); b.Check(newer) != nil {
		t.Error("another disk has taken the place of the one that was known")
	}
	b.Forget(newer.HostID)
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, fs).Check(other); err != nil {
		t.Errorf("a host that was forgotten: %v", err)
	}
}

// A hello may be read long after it was made, when either side was stopped
// meanwhile, and after newer marks of the same process.
func TestLateHello(t *testing.T) {
	fs := vfs.NewMem()
	b := open(t, fs)
	late := Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 100, Instance: 7}
	b.Hear(late)
	newer := late
	newer.ClockMark, newer.Instance = 200, 0 // as a request on a connection tells it
	b.Hear(newer)
	if err := b.Check(late); err != nil {
		t.Errorf("what a process said earlier: %v", err)
	}
	b.Hear(late)
	back := late
	back.Instance = 8
	if b.Check(back) == nil {
		t.Error("another process came with the older mark and is taken")
	}
	back.Instance = 0
	if b.Check(back) == nil {
		t.Error("an unknown process came with the older mark and is taken")
	}
	other := late
	other.DiskID = [16]byte{9}
	if b.Check(other) == nil {
		t.Error("another disk is taken")
	}
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, fs).Check(late); err != nil {
		t.Errorf("what a process said before the reader was started anew: %v", err)
	}
}

// What a process has said may be heard after its successor has come, and of a
// successor it may be heard that it has started before it is heard which it is.
func TestSuccessor(t *testing.T) {
	b := open(t, vfs.NewMem())
	first := Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 100, Instance: 7}
	second := Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 4, ClockMark: 200, Instance: 8}
	b.Hear(first)
	b.Hear(second)
	b.Hear(first)
	if err := b.Check(second); err != nil {
		t.Errorf("the process that runs, after one before it was heard late: %v", err)
	}
	if b.Check(first) == nil {
		t.Error("a process from before is taken")
	}
	third := second
	third.BootCount, third.Instance = 5, 0
	b.Hear(third)
	third.Instance = 9
	if err := b.Check(third); err != nil {
		t.Errorf("a process of which only the start was known: %v", err)
	}
	b.Hear(third)
	again := third
	again.Instance = 10
	if b.Check(again) == nil {
		t.Error("a start that is counted for the second time is taken")
	}
}

// A disk that was put back to what it held while its node ran counts a start
// that others have heard of already.
func TestStartCountedTwice(t *testing.T) {
	fs := vfs.NewMem()
	b := open(t, fs)
	b.Hear(Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 100, Instance: 7})
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*Book{b, open(t, fs)} {
		again := Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 100, Instance: 8}
		var lost *LostError
		if err := b.Check(again); !errors.As(err, &lost) || !strings.Contains(err.Error(), "an older state of itself") {
			t.Errorf("start 3 for the second time: %v", err)
		}
		again.BootCount = 4
		if err := b.Check(again); err != nil {
			t.Errorf("the next start: %v", err)
		}
		again.BootCount, again.Instance = 3, 0
		if err := b.Check(again); err != nil {
			t.Errorf("who does not say which process it is: %v", err)
		}
	}
}

// A file of version 1 has no instances.
func TestOldFile(t *testing.T) {
	p := appendPeers(nil, []Peer{{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 4, Instance: 5}})
	p = p[:len(p)-12]
	p[8] = 1
	all, err := decodePeers("f", binary.LittleEndian.AppendUint32(p, encoding.CRC32C(p)))
	if want := (Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 4}); err != nil || len(all) != 1 || all[0] != want {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestSaveFails(t *testing.T) {
	mem := vfs.NewMem()
	fault := vfs.NewFault(mem, nil)
	b := open(t, fault)
	peer := Peer{HostID: [16]byte{1}, DiskID: [16]byte{2}}
	b.Hear(peer)
	rule := fault.Add(vfs.Rule{Nth: 1, Err: vfs.ErrNoSpace})
	if err := b.Save(); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatal(err)
	}
	rule.Remove()
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if lost := open(t, mem).Check(Peer{HostID: peer.HostID}); lost == nil {
		t.Error("what could not be saved at once is not saved later")
	}
}

// TestFile has every byte of a file as doc.go draws it.
func TestFile(t *testing.T) {
	p := appendPeers(nil, []Peer{
		{HostID: [16]byte{2}, DiskID: [16]byte{15: 7}, BootCount: 1, ClockMark: -1},
		{HostID: [16]byte{1}, DiskID: [16]byte{8}, BootCount: 0x0102, ClockMark: 0x030405, Instance: 9},
	})
	want := "ILIONPRS" + "\x02\x00" + "\x00\x00" + "\x02\x00\x00\x00" +
		"\x01" + strings.Repeat("\x00", 15) + "\x08" + strings.Repeat("\x00", 15) + "\x02\x01\x00\x00\x00\x00\x00\x00" + "\x05\x04\x03\x00\x00\x00\x00\x00" + "\x09" + strings.Repeat("\x00", 7) +
		"\x02" + strings.Repeat("\x00", 15) + strings.Repeat("\x00", 15) + "\x07" + "\x01\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\xff", 8) + strings.Repeat("\x00", 8)
	want = string(binary.LittleEndian.AppendUint32([]byte(want), encoding.CRC32C([]byte(want))))
	if string(p) != want {
		t.Errorf("\n%x\n%x", p, want)
	}
}

func TestFileDamaged(t *testing.T) {
	p := appendPeers(nil, []Peer{{HostID: [16]byte{1}, DiskID: [16]byte{2}, BootCount: 3, ClockMark: 4, Instance: 5}})
	for bit := range 8 * len(p) {
		bad := bytes.Clone(p)
		bad[bit/8] ^= 1 << (bit % 8)
		if all, err := decodePeers("f", bad); err == nil {
			t.Errorf("with bit %d flipped it is %+v", bit, all)
		}
	}
	for n := range p {
		if all, err := decodePeers("f", p[:n]); err == nil {
			t.Errorf("cut to %d bytes it is %+v", n, all)
		}
	}
}

// FuzzDecodePeers reads files whose checksum is right.
func FuzzDecodePeers(f *testing.F) {
	f.Add(appendPeers(nil, nil))
	f.Add(appendPeers(nil, []Peer{{HostID: [16]byte{1}}, {HostID: [16]byte{2}, ClockMark: 5}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) >= 4 {
			p = binary.LittleEndian.AppendUint32(p[:len(p)-4:len(p)-4], encoding.CRC32C(p[:len(p)-4]))
		}
		all, err := decodePeers("f", p)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnknownFeature) {
				t.Fatal(err)
			}
			return
		}
		if again := appendPeers(nil, all); p[8] == formatVersion && string(again) != string(p) {
			t.Fatalf("%x became %x", p, again)
		}
	})
}
