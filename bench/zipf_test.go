package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestZeta(t *testing.T) {
	for _, tc := range []struct {
		n    int64
		want float64
	}{
		{1, 1}, {101, 5.304937472426569}, {1000, 7.728953217284729}, {1_000_000, 15.391849746037371},
		{scrambledRanks, 26.46902820178302}, // the constant of YCSB
	} {
		if got := zeta(tc.n); math.Abs(got-tc.want) > 1e-9*tc.want {
			t.Errorf("zeta(%d) is %.14f, want %.14f", tc.n, got, tc.want)
		}
	}
}

func TestZipf(t *testing.T) {
	const n, draws = 1000, 200_000
	for _, size := range []int64{1, 2, 3, n} {
		z, r := newZipf(size), rand.New(rand.NewPCG(1, 2))
		counts := make([]float64, size)
		for range draws {
			counts[z.next(r)]++ // a rank out of range panics
		}
		for _, rank := range []int64{0, 1, 2, 9, 99} {
			if rank >= size {
				continue
			}
			// The method is exact for the first two and near for the others.
			want, within := draws*math.Pow(float64(rank+1), -zipfTheta)/zeta(size), 0.03
			if rank > 1 {
				within = 0.25
			}
			if math.Abs(counts[rank]-want) > within*want {
				t.Errorf("of %d: rank %d came %.0f times, want about %.0f", size, rank, counts[rank], want)
			}
		}
	}
}

// The hottest rows of YCSB are the same for everybody, as are the keys.
func TestScrambled(t *testing.T) {
	const rows, draws = 10_000, 100_000
	s, r := newScrambled(rows), rand.New(rand.NewPCG(1, 2))
	counts := map[int64]int{}
	for range draws {
		counts[s.next(r)]++
	}
	first, second := int64(fnv(0)%rows), int64(fnv(1)%rows)
	for row, n := range counts {
		if row != first && row != second && n >= counts[second] {
			t.Errorf("row %d came %d times, the second of the ranks %d times", row, n, counts[second])
		}
	}
	if share := float64(counts[first]) / draws; math.Abs(share-1/26.469) > 0.003 {
		t.Errorf("the hottest row has a share of %.4f, want %.4f", share, 1/26.469)
	}
	for n, want := range []string{"user6284781860667377211", "user8517097267634966620", "user1820151046732198393"} {
		if key, _ := ycsbKey(nil, int64(n)); string(key) != want {
			t.Errorf("key %d is %s, want %s", n, key, want)
		}
	}
}
