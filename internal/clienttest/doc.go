// Package clienttest proves with stock clients that a server is what they take
// it for. It holds tests only: each starts the real `ilion serve` as a process
// and talks to it as a user's program would.
//
// Without a build tag run those that need Go alone: gocql 1 and 2 over every
// native type, collections, null and unset, paging, batches, requests in
// flight, restarts, deletions, TTL, every error that one node can give, raw
// frames, and the applications of docs/examples.
//
// With the tag "clients" run the others as well: the Python driver, cqlsh and
// the Node.js driver, which package foreign installs into $ILION_CLIENT_CACHE
// (or the user's cache directory) in the versions that it names; kill -9 under
// load; and a server with fail points. With "long", kill -9 is done more
// often, over more rows.
//
// The scripts in python and node print one line per check and leave with 1 if
// one failed, so that each can be run by hand against any server:
//
//	python python/driver.py HOST PORT PROTOCOL_VERSION
//	node node/driver.js HOST PORT
//
// It does not test what a single package can test of itself.
package clienttest
