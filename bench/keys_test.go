package bench

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

func TestKeysAndValuesAreFunctions(t *testing.T) {
	c := Data{Seed: 7, ValueSize: 12, ValueSizeMin: 12}
	for _, tc := range []struct {
		what string
		got  []byte
		want string
	}{
		{"key", rowKey(nil, 7, 5), "66d8d329a982ae0b0000000000000005"},
		{"value", c.value(make([]byte, 12), 5, 0), "416a246336af416a246336af"},
		{"next column", c.value(make([]byte, 12), 5, 1), "1429bb16f0c41429bb16f0c4"},
	} {
		if got := hex.EncodeToString(tc.got); got != tc.want {
			t.Errorf("%s is %s, want %s: data of older runs could not be verified", tc.what, got, tc.want)
		}
	}
	seen := map[string]bool{}
	for i := range int64(10_000) {
		seen[string(rowKey(nil, 1, i))] = true
		seen[string(rowKey(nil, 2, i))] = true
	}
	if len(seen) != 20_000 {
		t.Errorf("%d different keys of 20000", len(seen))
	}
}

func TestValueSizes(t *testing.T) {
	c := Data{Seed: 1, ValueSize: 20, ValueSizeMin: 11}
	buf := make([]byte, 20)
	var counts [21]int
	for i := range int64(10_000) {
		v := c.value(buf, i, 0)
		counts[len(v)]++
		if !bytes.Equal(v, c.value(make([]byte, 20), i, 0)) {
			t.Fatalf("row %d has two values", i)
		}
	}
	for n, count := range counts {
		if n < 11 && count != 0 {
			t.Errorf("%d values of %d bytes", count, n)
		}
		if n >= 11 && (count < 800 || count > 1200) {
			t.Errorf("%d values of %d bytes, want about 1000", count, n)
		}
	}
}

func TestDistributions(t *testing.T) {
	const rows, draws = 1000, 100_000
	count := func(kind string, newest int64) (counts [rows]int) {
		p := newPicker(kind, rows, rand.New(rand.NewPCG(1, 2)), func() int64 { return newest })
		for range draws {
			counts[p.next()]++ // a row out of range panics
		}
		return counts
	}
	uniform := count("uniform", 0)
	for row, n := range uniform {
		if n < 50 || n > 160 {
			t.Errorf("uniform: row %d %d times, want about 100", row, n)
		}
	}
	zipf := count("zipf", 0)
	hottest, top := 0, 0
	for row, n := range zipf {
		if n > zipf[hottest] {
			hottest = row
		}
		if n > draws/100 {
			top++
		}
	}
	if zipf[hottest] < draws/50 || top > 30 {
		t.Errorf("zipf: the hottest row %d times of %d, %d rows above 1 %%: not skewed", zipf[hottest], draws, top)
	}
	latest := count("latest", 400)
	if latest[399] < draws/50 || latest[399] < latest[398] || latest[398] < latest[300] {
		t.Errorf("latest: the last rows %d, %d, row 300 %d times: the newest must be the hottest", latest[399], latest[398], latest[300])
	}
	for row, n := range latest[400:] {
		if n != 0 {
			t.Errorf("latest: row %d was read %d times before it was written", row+400, n)
		}
	}
	if empty := count("latest", 0); empty[0] != draws {
		t.Error("latest without rows must read row 0")
	}
}
