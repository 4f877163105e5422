// Package yield lets goroutines that wait for the network go before one that
// computes for long.
//
//	n := yield.New(clock)
//	last := clock.Mono()
//	for ... {
//		// some microseconds of work
//		last = n.Since(last)
//	}
//
// # Why
//
// The scheduler of Go asks the network who is ready when a processor has nothing
// else to do, and otherwise once in 10 ms. As many goroutines that compute as
// there are processors, a flush on a machine with one for instance, make
// every request wait so long, at each step at which it waits for something.
// runtime.Gosched does not help: who calls it is ready, and found before the
// network is asked.
//
// # How
//
// Who yields waits for the network himself: for a byte in a pipe that is there
// already. So his processor, once it has run all that is ready, asks the network,
// and hears of the pipe and of every connection that has something, in the order
// in which they had. Where no pipe can be made, since too many files are open,
// nobody yields.
//
// # Cost
//
// Some 3 us (a write, a read, a question to the network), once in After.
package yield
