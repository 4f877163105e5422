// Package shell is the CQL shell behind `ilion cql`: a client that needs nothing but the binary.
//
// # Use
//
//	exit := shell.Run(ctx, shell.Config{Host: "127.0.0.1", Port: 9042, In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
//
// It runs Config.Execute (-e), Config.File (-f), a pipe, or on a terminal an editor with history, statements over several lines and
// completion of keywords and of the names in the schema. Layout of tables and values, the shell commands and their answers follow
// cqlsh, so that scripts and eyes find what they know; --format json gives one object per line, csv RFC 4180.
//
// # Errors
//
// A server's error is shown in cqlsh's words. Below it stands the line of the statement with the place marked, and, where people
// stumble, a hint:
//
//	SyntaxException: line 1:26 no viable alternative at input 'abc' (...FROM t WHERE a = ["abc"])
//	    SELECT * FROM t WHERE a = "abc"
//	                              ^^^^^
//	Hint: strings take single quotes: 'abc'
//
// The server is the judge of every statement: our own parser only finds statement ends, the kind of a statement and places.
//
// # Formats
//
// The history file holds one statement per line, UTF-8, `\n` for a line end and `\\` for a backslash; the oldest comes first, at most
// 1000. Statements that hold the word PASSWORD or LOGIN are never written.
//
// # Layers and concurrency
//
// The shell speaks to a Session; the driver's is in driver.go, tests have their own. Values stay in the server's bytes until they
// are printed. Everything runs on the goroutine that called Run, but for the driver's own.
//
// # What it does not do
//
// COPY, CAPTURE, LOGIN and tracing are refused by name. It never imports server packages.
package shell
