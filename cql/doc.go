// Package cql turns CQL text into a syntax tree: the grammar of Cassandra 5.0 (cql_version 3.4.7), written by hand.
//
// # Use
//
//	stmt, err := cql.Parse("SELECT v FROM ks.t WHERE k = ?")
//	switch s := stmt.(type) {
//	case *cql.Select: // s.From, s.Where ...
//	}
//	markers := stmt.Markers() // in the order of the text
//
// Split cuts a script into statements for the shell. Quote and QuoteString write names and strings, ParseType reads
// the types that schema tables hold, ResultName gives the name of a result column.
//
// # Layers
//
//	text -> Lexer -> []Token -> parser (recursive descent, one function per rule) -> Statement
//
// The whole text is cut into tokens first, so the grammar may look ahead as far as it needs: `(int) ?` against `(a, b)`, JSON as a
// modifier against a column of that name. About a hundred keywords may stand for names, as in Cassandra; the table in keyword.go tells
// which.
//
// What a later release or another server brings (BETWEEN, NOT IN, IS NULL, CHECK, COMMENT ON, BEGIN TRANSACTION, ...) is parsed, or
// becomes Unsupported, so that the planner can name it in its answer instead of "no viable alternative".
//
// # Invariants
//
// The package knows no schema, does no I/O and starts no goroutine. Every place where a text could grow the stack or the heap is
// bounded by a constant in limits.go. A statement is never changed after Parse returns it.
//
// Errors are *SyntaxError in Cassandra's words, with the excerpt that Cassandra 5 appends; client test suites compare them.
// Where Cassandra's own choice depends on how far its parser happened to look ahead, the wording may differ: the place does not.
//
// # Concurrency
//
// Parse and the other functions may be called from many goroutines. A Lexer belongs to one.
//
// # What it does not do
//
// It does not check that names exist, that types fit, that an INSERT has as many values as columns, or that a primary key is there:
// those are answers of the planner with codes of their own.
package cql
