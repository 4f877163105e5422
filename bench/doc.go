// Package bench is the load generator: a workload is a Config and Run.
//
//	report, err := bench.Run(ctx, bench.Config{Workload: "mixed", Hosts: []string{"127.0.0.1:9042"}})
//
// It is a client only, over CQL with the stock Go driver, and knows nothing of
// the server's code. Every value is a function of its key and Config.Seed, so
// that a read can be checked against what must have been written:
//
//	write       INSERT of the next row of kv
//	read        SELECT by key from kv; a missing or wrong row is an error
//	mixed       half reads, half overwrites of kv
//	scan        100 rows of a partition of wide from a random place
//	timeseries  INSERT of the next reading of one of many series, newest first
//	verify      reads every row of kv once and compares each value
//
// Without Rate the loop is closed: each worker sends the next request when the
// last is answered. With Rate it is open: requests have intended starts, and
// latency is measured from those, so that a server that stalls is charged for
// what it held up.
//
// Requests of Config.Warmup come first and do not count, except that their
// errors do. What the server's process used is shown where it can be seen: it
// was named, or it listens on this machine's loopback (Linux).
//
// A worker has its own histogram and random source; they are merged at the
// end and, for the progress line, through atomic counters only.
package bench
