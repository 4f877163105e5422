package ring

// Token is a place on the ring: Murmur3 of a partition key as Cassandra's
// drivers compute it, in [-2^63+1, 2^63-1].
type Token int64

// MinToken sorts before every token of a key; no key has it.
const MinToken Token = -1 << 63

// Ordered returns the token as an unsigned number of the same order.
func (t Token) Ordered() uint64 { return uint64(t) ^ 1<<63 }

// TokenFromOrdered is the inverse of Ordered.
func TokenFromOrdered(u uint64) Token { return Token(u ^ 1<<63) }
