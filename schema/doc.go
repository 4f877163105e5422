// Package schema holds keyspaces, tables, columns and types: the definitions
// that everything above it works from, and the only code that knows what the
// bytes of a value mean.
//
// A Snapshot is one immutable version of the whole schema; Apply makes the next
// one from a Change. A Type validates, compares, parses and prints values,
// which are everywhere the bytes that Cassandra's protocol carries, and turns
// them into byte-comparable form and back.
//
// # Byte-comparable form
//
// Structures below the planner compare bytes and know no types. A clustering
// is the concatenation of its components, each ending in a terminator that has
// room below and above:
//
//	fixed width:  order-preserving bytes of the type's width | 0x40
//	variable:     bytes with each 0x00 written as 0x00 0xFF  | 0x00 0x40
//
// For a DESC column every byte of the component is inverted, the terminator
// too. A bound is a prefix of components whose last byte is changed:
//
//	asc   0x40 -> 0x20 before, 0x60 after everything with the prefix
//	desc  0xBF -> 0x9F before, 0xDF after, in storage order
//
// Order-preserving bytes per type:
//
//	tinyint smallint int bigint      big-endian, sign bit flipped
//	timestamp time counter           as bigint
//	date                             4 bytes as they are (unsigned)
//	boolean                          0 or 1
//	float double                     IEEE total order: positive numbers with the
//	                                 sign bit flipped, negative ones inverted;
//	                                 every NaN is one NaN and last
//	uuid                             version nibble first, then for version 1 the
//	                                 60-bit time, else the rest of the high half
//	                                 without the version; then the low half
//	timeuuid                         60-bit time with the version below it, then
//	                                 the low half with each byte's sign flipped
//	ascii text blob inet custom      the bytes (variable)
//	varint                           n minimal two's complement bytes after
//	                                 u8 0x80 + n, for negative numbers 0x80 - n;
//	                                 over 126 bytes: 0xFF | u32 n, or 0x01 | ^u32 n
//	decimal                          u8 1 negative, 2 zero, 3 positive; unless zero:
//	                                 i64 exponent e of 0.d1d2.. x 10^e, sign flipped |
//	                                 1 + each pair of digits as 0 to 99 | u8 0;
//	                                 all after the first byte inverted for negative
//	list set map tuple UDT vector    per element 0x01 (null) or 0x02 and the
//	                                 element as a component; then 0x00
//
// The compound forms are variable, so their bytes are escaped once more.
//
// # Concurrency
//
// Snapshots, tables, columns and types are immutable once shared and safe for
// concurrent use. The package does no I/O, starts no goroutine, reads no clock.
package schema
