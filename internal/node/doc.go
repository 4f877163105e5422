// Package node puts a whole server together: it is the only package that knows
// the engine, the plug and the protocol at once. New opens everything in order
// and Close ends it in reverse; a Node has no globals, so that several run in
// one process.
//
// Order of start: settings, listeners (a port in use changes nothing on disk),
// lock of the data directory, identity, metadata log, engine (replay), plug,
// system tables, statements, CQL, HTTP. What fails says so in one line and
// leaves what was there.
package node
