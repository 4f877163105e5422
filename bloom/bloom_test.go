package bloom

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

func hashes(n int, from uint64) []Hash {
	out := make([]Hash, n)
	var key [8]byte
	for i := range out {
		binary.BigEndian.PutUint64(key[:], from+uint64(i))
		out[i] = HashKey(0xabc<<52|uint64(i)*mulA>>12, key[:])
	}
	return out
}

func TestNoFalseNegativesAndRate(t *testing.T) {
	for _, layout := range []Layout{Standard, Blocked} {
		for _, fp := range []float64{0.3, 0.1, 0.01, 0.001, 1e-4} {
			for _, n := range []int{0, 1, 100, 20000} {
				in := hashes(n, 0)
				f := Build(layout, in, fp)
				for _, h := range in {
					if !f.MayContain(h) {
						t.Fatalf("%v fp %g n %d: lost a key", layout, fp, n)
					}
				}
				if n < 20000 {
					continue
				}
				hits, probes := 0, 200000
				for _, h := range hashes(probes, 1<<40) {
					if f.MayContain(h) {
						hits++
					}
				}
				got := float64(hits) / float64(probes)
				if got > fp*1.35+1e-5 {
					t.Errorf("%v: asked %g, got %g", layout, fp, got)
				}
				t.Logf("%v fp %g: got %.5f, %.2f bits, k %d", layout, fp, got, float64(f.m)/float64(n), f.k)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, layout := range []Layout{Standard, Blocked} {
		in := hashes(3000, 5)
		f := Build(layout, in, 0.01)
		enc := f.AppendTo(nil)
		for _, shift := range []int{0, 1, 4} { // words aligned in memory and not
			b := append(make([]byte, shift, shift+len(enc)), enc...)[shift:]
			g, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			for i, h := range append(in, hashes(3000, 1<<30)...) {
				if f.MayContain(h) != g.MayContain(h) {
					t.Fatalf("%v: probe %d differs", layout, i)
				}
			}
			if !bytes.Equal(g.AppendTo(nil), enc) || g.Keys() != 3000 {
				t.Fatalf("%v: other bytes", layout)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	for _, layout := range []Layout{Standard, Blocked} {
		got := []byte(hex.Dump(Build(layout, hashes(40, 1), 0.01).AppendTo(nil)))
		name := filepath.Join("testdata", layout.String()+".hex")
		if *rewrite {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%v: format changed:\n%s", layout, got)
		}
	}
}

func TestAllocs(t *testing.T) {
	for _, layout := range []Layout{Standard, Blocked} {
		f, err := Decode(Build(layout, hashes(1000, 0), 0.01).AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		key := []byte("a partition key")
		if n := testing.AllocsPerRun(100, func() { f.MayContain(HashKey(77, key).Row(key)) }); n != 0 {
			t.Errorf("%v: %v allocations a probe", layout, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, layout := range []Layout{Standard, Blocked} {
		f.Add(Build(layout, hashes(10, 0), 0.01).AppendTo(nil))
	}
	f.Add([]byte{2, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Decode(b)
		if err != nil {
			return
		}
		g.MayContain(12345)
		g.MayContain(^Hash(0))
		if !bytes.Equal(g.AppendTo(nil), b) {
			t.Error("decode and encode differ")
		}
	})
}

func benchmarkMiss(b *testing.B, layout Layout, n int) {
	rng := rand.New(rand.NewPCG(1, 2))
	in := make([]Hash, n)
	for i := range in {
		in[i] = Hash(rng.Uint64())
	}
	f := Build(layout, in, 0.01)
	x := uint64(1)
	for b.Loop() {
		x = x*6364136223846793005 + 1442695040888963407
		f.MayContain(Hash(x ^ x>>29))
	}
}

func BenchmarkMissStandard(b *testing.B) { benchmarkMiss(b, Standard, 5_000_000) }
func BenchmarkMissBlocked(b *testing.B)  { benchmarkMiss(b, Blocked, 5_000_000) }
func BenchmarkHashKey(b *testing.B) {
	key := []byte("0123456789abcdef")
	b.ReportAllocs()
	for b.Loop() {
		HashKey(12, key)
	}
}
