package hints

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"reflect"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/journal"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func goldenImage() *image {
	return &image{
		number:    7,
		positions: map[[16]byte]journal.Position{hostA: {Segment: 3, Offset: 4096, Index: 2}, hostB: {Segment: 1}},
		drops: []Drop{
			{Range: wholeRing, Last: 60_000_000, Reasons: Rot},
			{Target: hostA, Table: tableOf(9), Range: ring.Range{Start: -5, End: 5}, First: 1, Last: 2, Reasons: Expired | Full, Hints: 1000},
		},
	}
}

// golden compares a dump with what the file says.
func golden(t *testing.T, file string, b []byte) {
	t.Helper()
	got := hex.Dump(b)
	if *rewrite {
		if err := vfs.WriteFileAtomic(vfs.OS, file, []byte(got)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := vfs.ReadFile(vfs.OS, file, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("the format has changed:\n%s\nwant:\n%s", got, want)
	}
}

func TestGoldenState(t *testing.T) {
	b := appendImage(nil, goldenImage())
	golden(t, "testdata/state.golden", b)
	im, err := decodeImage(b)
	if err != nil || !reflect.DeepEqual(im, goldenImage()) {
		t.Fatalf("%+v, %v", im, err)
	}
}

func TestGoldenHint(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	created := s.now()
	if err := addSync(s, hostA, created, record(1, 4)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	// The creation time is the present; the rest is the same for ever.
	b, err := vfs.ReadFile(fs, "/hints/01020300000000000000000000000000-0000000000000001.seg", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	const entry = 1024 + 48
	if got, r, err := decodeEntry(b[entry+1 : entry+1+int(b[entry])]); err != nil || got != created || !bytes.Equal(r, record(1, 4)) {
		t.Fatalf("%d, %x, %v", got, r, err)
	}
	golden(t, "testdata/hint.golden", b[entry+1+createdLen:entry+1+int(b[entry])])
}

// TestStateDamage flips every bit of one copy and cuts it at every length: the
// other copy stands. With both damaged everything is marked for repair.
func TestStateDamage(t *testing.T) {
	fs := vfs.NewMem()
	im := goldenImage()
	f := &stateFile{fs: fs, name: "/state"}
	if err := f.write(im); err != nil {
		t.Fatal(err)
	}
	f.close()
	n := len(appendImage(nil, im))
	file, err := fs.OpenRW("/state", vfs.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	put := func(b []byte, off int64) {
		if _, err := file.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, at int, want *image) {
		f, got, err := openState(fs, "/")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s at %d: %+v, %v", what, at, got, err)
		}
		f.close()
	}
	whole := appendImage(nil, im)
	for _, copyAt := range []int64{0, imageSize} {
		for at := 0; at < n; at++ {
			put([]byte{whole[at] ^ 1<<(at%8)}, copyAt+int64(at))
			check("a bit flipped", at, im)
			put(whole[at:at+1], copyAt+int64(at))
		}
	}
	put([]byte{0}, 0)
	put([]byte{0}, imageSize)
	check("both copies damaged", 0, nil)
	if err := file.Truncate(5); err != nil {
		t.Fatal(err)
	}
	check("cut", 5, nil)

	o := testOptions(fs)
	o.Dir = "/"
	before := o.Clock.Now().UnixMicro()
	s := mustOpen(t, o)
	if d := s.Dropped(); len(d) != 1 || d[0].Reasons != Rot || d[0].Range != wholeRing || d[0].Last < before {
		t.Fatalf("%+v", d)
	}
	mustClose(t, s)
}

func TestNewerStateIsRefusedByName(t *testing.T) {
	b := appendImage(nil, goldenImage())
	b[24]++
	sealImage(b)
	fs := vfs.NewMem()
	if err := vfs.WriteFileAtomic(fs, "/state", b); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openState(fs, "/"); !errors.Is(err, errNewerImage) || !strings.Contains(err.Error(), "/state") {
		t.Fatalf("%v", err)
	}
}

func FuzzState(f *testing.F) {
	f.Add(appendImage(nil, goldenImage()))
	f.Add(appendImage(nil, &image{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= stateHeaderLen {
			sealImage(b)
		}
		im, err := decodeImage(b)
		if err != nil {
			return
		}
		again, err := decodeImage(appendImage(nil, im))
		if err != nil || !reflect.DeepEqual(im, again) {
			t.Fatalf("%+v became %+v, %v", im, again, err)
		}
	})
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add(append(make([]byte, 8), record(1, 10)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, r, err := decodeEntry(b)
		if err == nil {
			_ = r.Key()
		}
	})
}

// TestManyDrops overflows the list: it covers all the same.
func TestManyDrops(t *testing.T) {
	for _, targets := range []int{4, 3 * maxDrops} {
		var ds drops
		var all []Drop
		for i := range 3 * maxDrops {
			d := Drop{Table: tableOf(byte(i)), Range: sliceOf(ring.Token(i << 50)), First: int64(i), Last: int64(i), Reasons: Full, Hints: 1}
			d.Target[0], d.Target[1] = byte(i%targets), byte(i%targets>>8)
			d.Table[1] = byte(i >> 8)
			all = append(all, d)
			if !ds.add(d) {
				continue
			}
			if len(ds.list) > maxDrops {
				t.Fatalf("%d drops", len(ds.list))
			}
		}
		for _, d := range all {
			if !heldBy(ds.list, d) {
				t.Fatalf("%+v is not covered", d)
			}
		}
		if n := len(appendImage(nil, &image{drops: ds.list})); n > imageSize {
			t.Fatalf("an image of %d bytes", n)
		}
	}
}

func heldBy(list []Drop, d Drop) bool {
	for _, o := range list {
		if (o.Target == d.Target || o.Target == [16]byte{}) && (o.Table == d.Table || o.Table == tableOf(0)) &&
			o.Range.Start <= d.Range.Start && o.Range.End >= d.Range.End && o.First <= d.First && o.Last >= d.Last {
			return true
		}
	}
	return false
}

func TestSlices(t *testing.T) {
	for _, tok := range []ring.Token{ring.MinToken + 1, -1, 0, 1, 1 << 62, 1<<63 - 1, -1 << 62} {
		r := sliceOf(tok)
		if !r.Contains(tok) || r.Start >= r.End {
			t.Fatalf("slice of %d is %+v", tok, r)
		}
	}
	if got, want := floorMinute(-1), int64(-minute); got != want {
		t.Fatal(got)
	}
	if n := len(appendImage(nil, &image{drops: make([]Drop, maxDrops)})) + maxPositions*positionLen; n > imageSize {
		t.Fatalf("an image of %d bytes", n)
	}
}
