package ring

import (
	"encoding/hex"
	"testing"
)

// The tokens are what Cassandra 5.0.8 answers for token(k).
func TestMurmur3MatchesCassandra(t *testing.T) {
	unhex := func(s string) string {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		key  string
		want Token
	}{
		{"\x00\x00\x00\x01", -4069959284402364209},
		{"hello", -3758069500696749310},
		{"é", 5461403030378599040},
		{"ünïcödé strîng that is löng enough", 2056269457595369300},
		{"0123456789abcdef", 5467490433528156583},
		{"0123456789abcdefÿ", 7337869414887686870},
		{"\x80", -5284281814142962636},
		{unhex("ff00ff00ff"), 7435571217699876204},
		{unhex("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), -1838204343261512229},
		{unhex("8182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"), 8239063806881665431},
		{unhex("ffffffffffffffffffffffffffffffffffffffff"), 6996911144616199499},
	} {
		if got := Murmur3([]byte(c.key)); got != c.want {
			t.Errorf("Murmur3(%x) = %d, want %d", c.key, got, c.want)
		}
	}
}

// slowMurmur3 follows Cassandra's MurmurHash.hash3_x64_128 statement by
// statement, with Java's signed shifts written out.
func slowMurmur3(key []byte) Token {
	rotl := func(v int64, n uint) int64 { return v<<n | int64(uint64(v)>>(64-n)) }
	fmix := func(k int64) int64 {
		k ^= int64(uint64(k) >> 33)
		k *= -49064778989728563
		k ^= int64(uint64(k) >> 33)
		k *= -4265267296055464877
		return k ^ int64(uint64(k)>>33)
	}
	const c1, c2 = int64(-8663945395140668459), int64(5545529020109919103)
	block := func(i int) (v int64) {
		for j := range 8 {
			v |= int64(key[i*8+j]) & 0xff << (8 * j)
		}
		return v
	}
	var h1, h2 int64
	n := len(key) / 16
	for i := range n {
		k1, k2 := block(i*2), block(i*2+1)
		k1 *= c1
		k1 = rotl(k1, 31)
		k1 *= c2
		h1 ^= k1
		h1 = rotl(h1, 27)
		h1 += h2
		h1 = h1*5 + 0x52dce729
		k2 *= c2
		k2 = rotl(k2, 33)
		k2 *= c1
		h2 ^= k2
		h2 = rotl(h2, 31)
		h2 += h1
		h2 = h2*5 + 0x38495ab5
	}
	var k1, k2 int64
	for i := len(key) - 1; i >= n*16; i-- {
		if j := i - n*16; j >= 8 {
			k2 ^= int64(int8(key[i])) << (8 * (j - 8))
		} else {
			k1 ^= int64(int8(key[i])) << (8 * j)
		}
	}
	k2 *= c2
	k2 = rotl(k2, 33)
	h2 ^= k2 * c1
	k1 *= c1
	k1 = rotl(k1, 31)
	h1 ^= k1 * c2
	h1 ^= int64(len(key))
	h2 ^= int64(len(key))
	h1 += h2
	h2 += h1
	h1 = fmix(h1) + fmix(h2)
	if h1 == -1<<63 {
		h1 = 1<<63 - 1
	}
	return Token(h1)
}

func FuzzMurmur3(f *testing.F) {
	for i := range 40 {
		key := make([]byte, i)
		for j := range key {
			key[j] = byte(0x70 + 7*j)
		}
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		if got, want := Murmur3(key), slowMurmur3(key); got != want {
			t.Fatalf("Murmur3(%x) = %d, want %d", key, got, want)
		}
	})
}

func TestMurmur3AllocatesNothing(t *testing.T) {
	key := []byte("a partition key of some length")
	if n := testing.AllocsPerRun(100, func() { Murmur3(key) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkMurmur3(b *testing.B) {
	key := []byte("user:0000012345")
	b.ReportAllocs()
	for b.Loop() {
		Murmur3(key)
	}
}
