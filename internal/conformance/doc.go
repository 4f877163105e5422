// Package conformance compares Ilion with Apache Cassandra. It holds tests
// only: the statements of testdata/*.cql were once executed by a Cassandra
// 5.0.8, whose answers are in testdata/*.golden, and the test executes them on
// Ilion and wants the same rows, the same columns with their types, the same
// pages and the same errors, code and text.
//
// # Scripts
//
// Every script starts in a new keyspace named conf, which is in use. A
// statement ends with a semicolon at the end of a line. Comments start with
// "-- " in the first column; these concern the next statement:
//
//	-- bind: 1, 'text', null     prepare it and execute it with these values
//	-- page: 2                   read pages of two rows
//	-- mask: writetime(v)        columns whose values are left out
//
// A value of bind is a number, a word or a quoted text in the type of its
// marker, 0x and the bytes of a value of any type, null, or unset. One bind
// line after another executes the statement again.
//
// # Goldens
//
// A golden repeats each statement after "> " and has the answer below it:
//
//	void                                      nothing
//	use conf                                  the keyspace in use
//	schema CREATED TABLE conf.t               a change of the schema
//	error 0x2200 text                         an error, with its code
//	rows conf.t k int, v list<text>           rows, with their columns
//	1, ['a', 'b']                             a row of constants
//	--                                        another page follows
//
// Prepared statements have "markers" before it: names and types, and which of
// them make the partition key. UUIDs in texts are replaced by <uuid>, lists of
// signatures by dots. A last page without rows, which may follow one that was
// just full, is not shown, and of syntax errors only the code is compared.
//
// # Differences
//
// Where Ilion answers otherwise on purpose, testdata/exceptions.txt has its
// answer and a reason, which is a heading of docs/differences.md. An exception
// that is not met is an error too.
//
// # Recording
//
// bench/compare/cassandra/start starts a Cassandra to record from:
//
//	bench/compare/cassandra/start /tmp/cassandra 127.0.0.9
//	go test ./internal/conformance -record 127.0.0.9:9042 [-script types]
//
// With -write-exceptions the test writes all differences to the exceptions,
// those that are new with an empty reason, which the test then refuses.
package conformance
