// Package history judges what clients of a cluster saw: a model of rows that
// many clients write, delete and read at once, some of whose writes have an
// outcome that nobody knows.
//
// # Use
//
//	h := history.New(history.Options{Stamps: history.Server, Now: now})
//	op := h.Write(history.Key{Partition: "p", Row: "r"}, 0, 0) // before it is sent
//	value := op.Value()                       // unique in the history
//	op.Acked()                                // or op.Unknown(), op.Failed()
//	q := h.Read("p")                          // before it is sent
//	err := q.Row("r", value, found)           // or q.Rows(rows): a violation, or nil
//	q.Failed()                                // if it was not answered
//	err = h.Replicas("p", states)             // at the end: each replica alone
//
// # What must hold
//
// A write or delete is acknowledged, failed (it was refused and has no effect),
// or unknown: it may have its effect at any time from its start on, or never. A
// read at QUORUM must see of every row the winner among all that was
// acknowledged before the read began, or something that may have replaced it.
// What may replace what depends on who stamps:
//
//   - Client: the higher timestamp wins; at equal timestamps a delete wins over
//     a write, and of two writes either may (the model does not know the values'
//     bytes).
//   - Server: what began after something was acknowledged wins over it; between
//     the two of other pairs nobody knows. An operation of unknown outcome has its
//     stamp since it ended at the latest: what began more than Options.Skew after
//     that wins over it, and until then it may win at any time.
//
// A write with a TTL may be seen until its start plus TTL plus Options.Skew at
// the latest after its end, and may be gone from its start plus TTL less Skew on.
//
// With Options.Monotonic a read that has returned a value counts as its
// acknowledgement, which blocking read repair promises at QUORUM. With stamps of
// the server one that began before the write did not: a coordinator that was
// paused stamps below what it has not heard of, and this read may have asked a
// replica before that arrived. Nor does one that has found nothing say anything
// of a deletion: those are repaired only where they shadow something.
//
// At the end, when nothing runs any more and all has been delivered and
// repaired, all replicas must hold the same, and each of them what a read might
// return.
//
// # Concurrency
//
// All methods are safe for concurrent use. An operation or query belongs to one
// goroutine. The package knows no clock: times come from Options.Now, order
// from a counter.
package history
