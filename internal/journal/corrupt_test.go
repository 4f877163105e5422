package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
)

const smallEntries = 8

// smallJournal writes a stream of a few frames in two segments and returns the
// first one's file and bytes. Every frame but the last one's, which is empty,
// is vouched for.
func smallJournal(t testing.TB, fs vfs.FS) (name string, whole []byte) {
	t.Helper()
	o := stillOptions(fs)
	o.SegmentBytes = 6 << 10
	j, _ := mustOpen(t, o)
	for n := range smallEntries {
		mustAppend(t, j, streamA, n, 20+n*170)
	}
	mustClose(t, j)
	names, err := fs.List("/j")
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	name = "/j/" + names[0]
	if whole, err = vfs.ReadFile(fs, name, maxSegment); err != nil {
		t.Fatal(err)
	}
	return name, whole
}

// inspect shows what Open would find, without a flusher.
func inspect(fs vfs.FS) (*seen, error) {
	j := &Journal{o: testOptions(fs), streams: map[[16]byte]*stream{}}
	s := &seen{}
	if err := j.recover(s); err != nil {
		return s, err
	}
	return s, s.ordered()
}

// honest checks that what is not there is told of.
func honest(s *seen, err error) error {
	if err != nil {
		return err
	}
	if n := len(s.entries[streamA]); n < smallEntries && len(s.damage) == 0 {
		return fmt.Errorf("%d of %d entries, and no word of the others", n, smallEntries)
	}
	for _, d := range s.damage {
		if d.File == "" || d.Detail == "" || d.Stream != streamA || !errors.Is(d, ErrCorrupt) {
			return fmt.Errorf("damage without a place: %+v", d)
		}
	}
	return nil
}

// put replaces a file's bytes.
func put(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	if err := vfs.WriteFileAtomic(fs, name, b); err != nil {
		t.Fatal(err)
	}
}

func TestFlipEveryBit(t *testing.T) {
	fs := vfs.NewMem()
	name, whole := smallJournal(t, fs)
	b := bytes.Clone(whole)
	told := 0
	for at := range b {
		if invariant.Enabled && at%5 != 0 {
			continue // the race detector learns nothing from the others
		}
		for bit := range 8 {
			if invariant.Enabled && bit != at%8 {
				continue
			}
			b[at] ^= 1 << bit
			put(t, fs, name, b)
			b[at] ^= 1 << bit
			s, err := inspect(fs)
			if err := honest(s, err); err != nil {
				t.Fatalf("bit %d of byte %d: %v", bit, at, err)
			}
			told += len(s.damage)
		}
	}
	if told == 0 {
		t.Fatal("no damage was noticed")
	}
}

func TestCutZeroSwap(t *testing.T) {
	fs := vfs.NewMem()
	name, whole := smallJournal(t, fs)
	for n := range whole {
		if invariant.Enabled && n%7 != 0 {
			continue
		}
		put(t, fs, name, whole[:n])
		s, err := inspect(fs)
		if err := honest(s, err); err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	for at := 0; at < len(whole); at += 64 {
		b := bytes.Clone(whole)
		clear(b[at : at+64])
		put(t, fs, name, b)
		s, err := inspect(fs)
		if err := honest(s, err); err != nil {
			t.Fatalf("zeros at %d: %v", at, err)
		}
		for to := at + 64; to < len(whole); to += 64 {
			if invariant.Enabled && to != at+512 {
				continue
			}
			b := bytes.Clone(whole)
			copy(b[at:at+64], whole[to:to+64])
			copy(b[to:to+64], whole[at:at+64])
			put(t, fs, name, b)
			s, err := inspect(fs)
			if err := honest(s, err); err != nil {
				t.Fatalf("%d and %d swapped: %v", at, to, err)
			}
		}
	}
}

// TestLostSegment removes a segment that a later one vouches for.
func TestLostSegment(t *testing.T) {
	fs := vfs.NewMem()
	o := stillOptions(fs)
	o.SegmentBytes = 2 << 10
	j, _ := mustOpen(t, o)
	for n := range 6 {
		mustAppend(t, j, streamA, n, 1500)
	}
	mustClose(t, j)
	if err := fs.Remove("/j/" + segmentName(streamA, 3)); err != nil {
		t.Fatal(err)
	}
	s, err := inspect(fs)
	if err != nil || len(s.damage) != 1 {
		t.Fatalf("%v, %v", s.damage, err)
	}
}

// TestCursorPassesDamage damages files under a journal that is open.
func TestCursorPassesDamage(t *testing.T) {
	fs := vfs.NewMem()
	j, _ := mustOpen(t, stillOptions(fs))
	var at []Position
	for n := range 10 {
		at = append(at, mustAppend(t, j, streamA, n, 3000))
	}
	for _, n := range []int{0, 3, 4, 9} {
		f, err := fs.OpenRW("/j/"+segmentName(streamA, at[n].Segment), vfs.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xaa}, at[n].Offset+int64(n%2)*1000+1); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c := j.Cursor(streamA, Position{})
	defer c.Close()
	var got []int
	damage := 0
	for {
		entry, _, err := c.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, ErrCorrupt) {
			damage++
			continue
		}
		n, err := numberOf(streamA, entry)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if fmt.Sprint(got) != "[1 2 5 6 7 8]" || damage != 3 {
		t.Fatalf("%v and %d times damage", got, damage)
	}
	mustClose(t, j)
}
