// Package invariant holds the assertions that stay in the program.
//
// Check is always on: it guards what must hold for data to be safe and costs
// a branch. Expensive checks go behind Enabled, which is a constant true under
// the build tags "race" and "invariants" and false otherwise, so that the
// compiler drops them from the product. A failed assertion is a bug of ours,
// never a fault of the disk or of a client: it panics with an error whose text
// begins with "bug:".
//
// # A failed assertion ends the process
//
// What the process holds is not what it was believed to be, and mostly a mutex
// is left locked, since few are given back by a defer: whoever wants it next
// would wait for ever in a process that looks alive. The commit log makes a
// restart safe. So whoever recovers from panics, in order to answer a request
// whose own code has panicked and to go on, calls PassOn first, before it takes
// any lock: it panics again with what a failed assertion has panicked with.
//
//	defer func() {
//		if p := recover(); p != nil {
//			invariant.PassOn(p, log)
//			c.abort()
//		}
//	}()
//
// Two places do not: the metadata log, whose library panics through Check about
// what a peer says, and which stops itself instead; and the handlers of HTTP, whose
// server recovers by itself.
//
// A defer that runs before them, while the panic is on its way, must not wait for
// a lock either: what it gives back goes through Release.
package invariant
