// Package bench is the load generator: a workload is a Config and Run.
//
//	report, err := bench.Run(ctx, bench.Config{
//		Workload: "mixed",
//		Target:   bench.Target{Hosts: []string{"127.0.0.1", "127.0.0.2"}, Consistency: "QUORUM"},
//	})
//
// It is a client only: of CQL by the stock Go driver, or of Ilion's own protocol
// by package wire/client. Both run the same statements. Every value is a
// function of its key and Data.Seed, so that each read is checked against what
// must have been written:
//
//	write       INSERT of the next row of kv
//	read        SELECT by key from kv; a missing or wrong row is an error
//	mixed       half reads, half overwrites of kv
//	scan        100 rows of a partition of wide from a random place
//	timeseries  INSERT of the next reading of one of many series, newest first
//	verify      reads every row of kv once and compares each value
//	ycsb-load   INSERT of the next row of usertable
//	ycsb-a...f  the core workloads of YCSB on usertable
//
// # YCSB
//
// The mixes are those of its core workloads, and so are the rows (a key and ten
// texts of 100 bytes), the keys ("user" and the FNV hash of a number), the
// scrambled zipfian choice with a constant of 0.99, and what operations do: a
// read takes all fields, an update writes one.
//
//	a  50 % read, 50 % update             zipfian
//	b  95 % read, 5 % update              zipfian
//	c  100 % read                         zipfian
//	d  95 % read, 5 % insert              latest
//	e  95 % scan, 5 % insert              zipfian; 1 to 100 rows, uniform
//	f  50 % read, 50 % read-modify-write  zipfian
//
// A run loads Data.Rows rows first if the last of them is not there; ycsb-load
// does only that, and reports it. Inserts of d and e begin behind those rows
// every time, so that a second run overwrites what the first has inserted.
//
// The key is the whole primary key, and a scan of e is
//
//	SELECT ... FROM usertable WHERE token(key) >= token(?) LIMIT ?
//
// as in YCSB's own binding for Cassandra: the order of the ring, across
// partitions and nodes. Keeping rows as clustering rows of few partitions would
// make scans cheap, but also all other mixes another workload, whose hot
// partitions are on few nodes.
//
// Rows that were read must have the values that follow from their keys, and
// rows of a scan must be in order. A row that has been inserted must be there
// if the consistency levels of reads and writes overlap on the keyspace's
// replicas; if they do not, a read that misses it counts as stale, and is no
// error. An insert that failed may be there or not.
//
// # Loops
//
// Without Rate the loop is closed: each worker makes the next operation when
// the last has ended. With Rate it is open: operations have intended starts, and
// latency is measured from those, so that a server that stalls is charged for
// what it held up. Nothing is tried again: what fails is counted by its kind,
// and the run goes on. A worker of a closed loop that reached no node waits 10 ms.
//
// Operations of Config.Warmup come first and do not count, except that their
// errors do. What the servers' processes used is added up where they can be seen:
// they were named, or listen on this machine (Linux).
//
// A worker is a goroutine with its own histograms, buffers and random source,
// and with one operation in flight; it allocates nothing for an operation. What
// workers count is merged at the end and, for the progress line, through atomic
// counters only. Many workers share a connection: what they ask at the same time
// goes out together.
package bench
