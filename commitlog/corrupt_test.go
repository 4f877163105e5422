package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/internal/vfs"
)

// smallLog writes a log of a few frames and returns the records in order and
// the file that holds them.
func smallLog(t testing.TB, fs vfs.FS) (o Options, recs [][]byte, name string) {
	t.Helper()
	o = testOptions(fs)
	o.Clock = stillClock{o.Clock}
	l, _, _ := mustOpen(t, o)
	for i := range 5 {
		group := [][]byte{crashRecord(i, 0, 2, 40), crashRecord(i, 1, 2, 40+i*900)}
		recs = append(recs, group...)
		if _, err := l.AppendSync(group); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	return o, recs, segmentName(1)
}

// allowed tells whether a replay of damaged bytes ended in one of the ways
// that it may: all records, a torn tail cut (only the last frames gone), or an
// error that names the file.
func allowed(got *collected, want [][]byte, err error) error {
	if len(got.rec) > len(want) {
		return fmt.Errorf("%d records, only %d were written", len(got.rec), len(want))
	}
	for i, r := range got.rec {
		// Ahead of an error a hole may have been passed, but no record is wrong.
		if err == nil && !bytes.Equal(r, want[i]) {
			return fmt.Errorf("record %d is wrong, or others before it are missing", i)
		}
		if _, _, _, ok := parseCrashRecord(r); !ok {
			return fmt.Errorf("record %d was never written", i)
		}
	}
	var corrupt *CorruptError
	var unsupported *UnsupportedError
	switch {
	case err == nil && len(got.rec)%2 != 0:
		return errors.New("half a group")
	case err == nil, errors.As(err, &unsupported):
		return nil
	case !errors.As(err, &corrupt):
		return fmt.Errorf("an error that is not a *CorruptError: %w", err)
	case corrupt.File == "" || corrupt.Detail == "":
		return fmt.Errorf("an error without a place: %w", err)
	}
	return nil
}

func TestFlipEveryBit(t *testing.T) {
	fs := vfs.NewMem()
	o, want, name := smallLog(t, fs)
	whole, err := vfs.ReadFile(fs, "/log/"+name, maxSegment)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(whole, "\x00"))
	rot, exact := 0, 0
	for at := 0; at < end+pageSize; at++ {
		if whole[at] == 0 && at%pageSize > 128 && at%29 != 0 {
			continue // of padding and zeros a sample is enough
		}
		for bit := range 8 {
			if invariant.Enabled && bit != at%8 {
				continue // the race detector learns nothing from the others
			}
			overwrite(t, fs, name, int64(at), []byte{whole[at] ^ 1<<bit})
			var got collected
			_, err := Replay(o, got.add)
			if bad := allowed(&got, want, err); bad != nil {
				t.Fatalf("byte %d bit %d: %v (replay: %v)", at, bit, bad, err)
			}
			if err != nil {
				rot++
			} else if len(got.rec) == len(want) {
				exact++
			} else {
				t.Fatalf("byte %d bit %d: records that the closing frame vouches for were cut", at, bit)
			}
		}
		overwrite(t, fs, name, int64(at), whole[at:at+1])
	}
	if rot == 0 || exact == 0 {
		t.Fatalf("%d flips were noticed, %d harmless: nothing was tried", rot, exact)
	}
}

func TestZeroAndSwapPieces(t *testing.T) {
	fs := vfs.NewMem()
	o, want, name := smallLog(t, fs)
	whole, err := vfs.ReadFile(fs, "/log/"+name, maxSegment)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []int{64, pageSize} {
		for at := 0; at+2*piece <= len(whole); at += piece {
			a, b := whole[at:at+piece], whole[at+piece:at+2*piece]
			for _, damage := range [][]byte{make([]byte, piece), append(bytes.Clone(b), a...)} {
				overwrite(t, fs, name, int64(at), damage)
				var got collected
				_, err := Replay(o, got.add)
				if bad := allowed(&got, want, err); bad != nil {
					t.Fatalf("%d bytes at %d: %v (replay: %v)", piece, at, bad, err)
				}
				overwrite(t, fs, name, int64(at), whole[at:at+2*piece])
			}
		}
	}
}

func TestCutEveryLength(t *testing.T) {
	fs := vfs.NewMem()
	o, _, name := smallLog(t, fs)
	f, err := fs.OpenRW("/log/"+name, vfs.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := int64(MinSegmentSize - 1); n >= 0; n-- {
		if n%pageSize > 80 && n%61 != 0 {
			continue
		}
		if err := f.Truncate(n); err != nil {
			t.Fatal(err)
		}
		if _, err := Replay(o, nil); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestTornTailIsCut(t *testing.T) {
	fs := vfs.NewMem()
	o, want, name := smallLog(t, fs)
	// Without the closing frame nothing vouches for the last one.
	whole, err := vfs.ReadFile(fs, "/log/"+name, maxSegment)
	if err != nil {
		t.Fatal(err)
	}
	var frames []int
	for off := dataStart; off < len(whole); off += pageSize {
		if _, ok := decodeFrame(whole[off:]); ok {
			frames = append(frames, off)
		}
	}
	if len(frames) != 6 {
		t.Fatalf("frames at %v, want 5 and the closing one", frames)
	}
	overwrite(t, fs, name, int64(frames[5]), make([]byte, pageSize))
	overwrite(t, fs, name, int64(frames[4])+100, []byte{whole[frames[4]+100] ^ 1})
	l, got, rep := mustOpen(t, o)
	if len(got.rec) != len(want)-2 || len(rep.Torn) != 1 || rep.Torn[0] != (Torn{File: name, Offset: int64(frames[4])}) {
		t.Fatalf("%d records, %+v", len(got.rec), rep)
	}
	mustAppend(t, l, "next")
	mustClose(t, l)
	l, got, rep = mustOpen(t, o)
	if len(got.rec) != len(want)-1 || !got.has("next") || len(rep.Torn) != 0 {
		t.Fatalf("after the cut %d records, %+v", len(got.rec), rep)
	}
	mustClose(t, l)
	// What was cut stays cut even if the disk gives the bytes back.
	overwrite(t, fs, name, int64(frames[3]), []byte{0})
	if _, err := Replay(o, nil); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a damaged frame below the new ones: %v", err)
	}
}

// manySegments writes a log over several segments.
func manySegments(t *testing.T, fs vfs.FS) (o Options, n int) {
	o = testOptions(fs)
	l, _, _ := mustOpen(t, o)
	for i := range 12 {
		if _, err := l.AppendSync([][]byte{crashRecord(i, 0, 1, 20<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, l)
	return o, 12
}

func TestMissingSegmentIsNoticed(t *testing.T) {
	fs := vfs.NewMem()
	o, _ := manySegments(t, fs)
	if err := fs.Remove("/log/" + segmentName(2)); err != nil {
		t.Fatal(err)
	}
	var corrupt *CorruptError
	if _, err := Replay(o, nil); !errors.As(err, &corrupt) {
		t.Fatalf("without its second segment: %v", err)
	}
}

func TestSetAside(t *testing.T) {
	for what, damage := range map[string]struct {
		off  int64
		n    int
		lost int
	}{
		"a frame":    {dataStart, pageSize, 1},
		"the header": {0, 2 * pageSize, 2},
		"everything": {0, MinSegmentSize, 2},
	} {
		t.Run(what, func(t *testing.T) {
			fs := vfs.NewMem()
			o, n := manySegments(t, fs)
			name := segmentName(2)
			overwrite(t, fs, name, damage.off, bytes.Repeat([]byte{0xee}, damage.n))
			if _, _, err := Open(o, nil); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("open: %v", err)
			}
			o.SetAside = map[string]bool{name: true}
			for range 2 { // it holds as long as the flag is given
				l, got, rep := mustOpen(t, o)
				if len(got.rec) != n-damage.lost || len(rep.SetAside) != 1 {
					t.Fatalf("%d records of %d, %+v", len(got.rec), n, rep)
				}
				mustClose(t, l)
			}
			l, _, _ := mustOpen(t, o)
			start := mustAppend(t, l, "new")
			l.Discard(start)
			mustClose(t, l)
			o.SetAside, o.Start = nil, start
			l, got, _ := mustOpen(t, o)
			mustClose(t, l)
			if len(got.rec) != 1 {
				t.Fatalf("%d records after all but one were discarded", len(got.rec))
			}
			for file, want := range map[string]bool{name: false, name + setAsideSuffix: true} {
				if there, err := vfs.Exists(fs, "/log/"+file); there != want || err != nil {
					t.Fatalf("%s there: %v, %v", file, there, err)
				}
			}
		})
	}
}

func TestNewerFormatIsRefusedByName(t *testing.T) {
	for what, change := range map[string]func(*header){
		"version":  func(h *header) { h.version = FormatVersion + 1 },
		"required": func(h *header) { h.required = 1 << 40 },
	} {
		fs := vfs.NewMem()
		o, _, name := smallLog(t, fs)
		whole, err := vfs.ReadFile(fs, "/log/"+name, maxSegment)
		if err != nil {
			t.Fatal(err)
		}
		h, ok := decodeHeader(whole)
		if !ok {
			t.Fatal("header does not decode")
		}
		change(&h)
		h.encode(whole[:pageSize])
		overwrite(t, fs, name, 0, whole[:pageSize])
		if _, _, err := Open(o, nil); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
		h, _ = decodeHeader(whole[pageSize:])
		h.optional = 1 << 40
		h.encode(whole[:pageSize])
		overwrite(t, fs, name, 0, whole[:pageSize])
		if _, err := Replay(o, nil); err != nil {
			t.Errorf("an unknown optional feature: %v", err)
		}
	}
}

// TestForgedFrame checks that a value that looks like a frame is never one.
func TestForgedFrame(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	l, _, _ := mustOpen(t, o)
	// The value's second page begins where a frame could: behind the frame's
	// header and two bytes of length.
	forged := make([]byte, 3*pageSize)
	f := frame{incarnation: 1, segment: 1, number: 7, synced: 6, length: frameHeaderSize + 4, records: 1}
	f.encode(forged[pageSize-frameHeaderSize-2:])
	mustAppend(t, l, string(forged))
	mustClose(t, l)
	var got collected
	if rep, err := Replay(o, got.add); err != nil || len(got.rec) != 1 || len(rep.Torn) != 0 {
		t.Fatalf("%d records, %+v, %v", len(got.rec), rep, err)
	}
}

func FuzzReplay(f *testing.F) {
	fs := vfs.NewMem()
	_, _, name := smallLog(f, fs)
	whole, err := vfs.ReadFile(fs, "/log/"+name, maxSegment)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:7*pageSize], false)
	f.Add(whole[:4*pageSize], true)
	f.Add(whole[:dataStart], true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, fix bool) {
		if len(data) > MinSegmentSize {
			data = data[:MinSegmentSize]
		}
		b := make([]byte, MinSegmentSize)
		copy(b, data)
		if fix {
			fixChecksums(b)
		}
		fs := vfs.NewMem()
		if err := fs.MkdirAll("/log"); err != nil {
			t.Fatal(err)
		}
		file, err := fs.Create("/log/"+segmentName(1), vfs.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteAt(b, 0)
		if err = errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		bytesOut := 0
		rep, err := Replay(testOptions(fs), func(_ Position, rec []byte) error {
			bytesOut += len(rec)
			return nil
		})
		if bytesOut > len(b) || int64(bytesOut) != rep.Bytes {
			t.Fatalf("%d bytes of records, reported %d, from a file of %d", bytesOut, rep.Bytes, len(b))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
			t.Fatal(err)
		}
	})
}

// fixChecksums makes b a segment whose checksums are right whatever it says,
// so that fuzzing gets past them.
func fixChecksums(b []byte) {
	h := header{version: FormatVersion, incarnation: 1, uses: 1, size: uint64(len(b))}
	h.encode(b)
	for off := dataStart; off < len(b); off += pageSize {
		fr, ok := decodeFrame(b[off:])
		if !ok || off+int(fr.length) > len(b) {
			continue
		}
		fr.incarnation, fr.lane = 1, 0
		fr.encode(b[off:])
	}
}
