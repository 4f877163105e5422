// Package workers runs what may block on a bounded number of goroutines, with
// a bounded queue before them.
//
//	p := workers.New(workers.Config[task]{Max: 32, Queue: 2048, Run: task.run})
//	if !p.Submit(t) {
//		t.refuse() // too many wait; t is still ours
//	}
//	p.Close()
//
// # Bounds
//
// At most Config.Max tasks run, and at most Config.Queue wait; they can be
// bounded by what they cost, too. When the queue is full Submit says so at once
// and the task stays its caller's, who refuses it, does it himself, or waits with
// SubmitWait. No task is dropped: what was taken is run, in Close at the latest.
//
// # Fairness
//
// Tasks begin in the order in which they were taken, unless the oldest is
// overdue: then the newest begins first, since under such load some in time are
// worth more than all too late. They end in any order. Those that wait in
// SubmitWait get room in no promised order.
//
// # Goroutines
//
// There is none per task. One is started when a task finds all others at work,
// up to Max; it lives until Close. Of those that are idle the latest is taken
// first, whose stack and caches are warm, and the task is handed to it without
// the queue. Neither Submit nor a worker allocates once all of them have run.
//
// A task may submit others, but must not wait for them: with all workers
// waiting none would be left. A pool is nobody's but its owner's for the same
// reason: reads that wait for replicas and what these replicas run are two.
//
// # Concurrency
//
// All methods are safe for concurrent use. The pool's mutex is held for a few
// instructions; Config.Cost and Config.Overdue are called under it and must take
// no lock. Run is called without it, and must not panic.
package workers
