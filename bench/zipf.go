package bench

import (
	"math"
	"math/rand/v2"
)

// zipfTheta is the skew of YCSB's requests.
const zipfTheta = 0.99

// zeta2 is the likelihood of the first two ranks, over zeta(n).
var zeta2 = zetaOf(2)

// zipf draws ranks from 0 to n-1, the lower the likelier: rank r with a
// probability of (r+1)^-theta over zeta(n). This is the approximation of Gray
// et al., Quickly Generating Billion-Record Synthetic Databases, SIGMOD 1994,
// which is exact for the first two ranks, and which YCSB draws from.
type zipf struct {
	n                int64
	zeta, eta, alpha float64
}

func newZipf(n int64) *zipf {
	z := &zipf{}
	z.resize(n)
	return z
}

// resize sets the number of ranks, at least 1.
func (z *zipf) resize(n int64) {
	z.n, z.zeta, z.alpha = n, zeta(n), 1/(1-zipfTheta)
	z.eta = 1
	if n > 2 {
		z.eta = (1 - math.Pow(2/float64(n), 1-zipfTheta)) / (1 - zeta2/z.zeta)
	}
}

func (z *zipf) next(r *rand.Rand) int64 {
	u := r.Float64()
	switch at := u * z.zeta; {
	case at < 1 || z.n == 1:
		return 0
	case at < zeta2 || z.n == 2:
		return 1
	}
	rank := int64(float64(z.n) * math.Pow(z.eta*u-z.eta+1, z.alpha))
	return min(max(rank, 0), z.n-1)
}

// zetaExact is how many terms are added one by one, and zetaHead their sum.
const zetaExact = 100

var zetaHead = zetaOf(zetaExact)

func zetaOf(n int64) (sum float64) {
	for i := n; i >= 1; i-- {
		sum += math.Pow(float64(i), -zipfTheta)
	}
	return sum
}

// zeta is the sum of i^-theta for i from 1 to n: all of it if n is small, the
// first terms and the Euler-Maclaurin formula for the others if it is not.
func zeta(n int64) float64 {
	if n <= zetaExact {
		return zetaOf(n)
	}
	const a = float64(zetaExact)
	b := float64(n)
	integral := (math.Pow(b, 1-zipfTheta) - math.Pow(a, 1-zipfTheta)) / (1 - zipfTheta)
	ends := (math.Pow(b, -zipfTheta) - math.Pow(a, -zipfTheta)) / 2
	slopes := zipfTheta / 12 * (math.Pow(a, -zipfTheta-1) - math.Pow(b, -zipfTheta-1))
	return zetaHead + integral + ends + slopes
}

// scrambled draws rows 0 to rows-1 such that the hot ones lie anywhere, as
// YCSB does: the rank among very many, hashed.
type scrambled struct {
	zipf *zipf
	rows uint64
}

// scrambledRanks is the number of ranks, whatever the number of rows.
const scrambledRanks = 10_000_000_000

func newScrambled(rows int64) scrambled {
	return scrambled{newZipf(scrambledRanks), uint64(rows)}
}

func (s scrambled) next(r *rand.Rand) int64 {
	return int64(fnv(uint64(s.zipf.next(r))) % s.rows)
}

// fnv is the FNV-1a hash of the eight bytes of x, lowest first, without its
// sign, which makes YCSB's keys from numbers.
func fnv(x uint64) uint64 {
	h := uint64(0xcbf29ce484222325)
	for range 8 {
		h = (h ^ x&0xff) * 1099511628211
		x >>= 8
	}
	if int64(h) < 0 {
		h = -h
	}
	return h
}
