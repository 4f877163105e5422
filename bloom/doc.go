// Package bloom holds the filters of tables: build, probe, encode, size.
//
// A key enters as a Hash, made once from its token and its bytes and probed in
// the filters of all candidate tables:
//
//	h := bloom.HashKey(token.Ordered(), key)
//	if filter.MayContain(h) { ... }
//
// There are two layouts and both are read for ever. Standard is that of
// github.com/bits-and-blooms/bloom/v3, fed with the 8 bytes of the hash in
// little-endian; it needs the fewest bits. Blocked keeps all bits of a key in
// one line of 64 bytes, so that a probe costs one cache miss; it needs some
// more bits for the same rate of false positives.
//
// # Format
//
// Integers are little-endian.
//
//	+0   u8   layout: 1 standard, 2 blocked
//	+1   u8   k, bits set for a key, 1 to 30
//	+2   u16  zero
//	+4   u32  zero
//	+8   u64  m, number of bits (blocked: a multiple of 512)
//	+16  u64  number of keys
//	+24  u64  zero
//	+32  ..   ceil(m / 64) words of 8 bytes
//
// In a blocked filter the line of a hash h is the high word of h x lines. Its
// bits are 9-bit groups, lowest first, of x = h x 0x9e3779b97f4a7c15 xor that
// shifted right by 32; after each 7 groups x becomes x x 0xd6e8feb86659fd93
// xor that shifted right by 32.
//
// A Filter is immutable and safe for concurrent use; probing takes no lock and
// allocates nothing. The package does no I/O. It has no way to add to a filter
// or to remove from it once built.
package bloom
