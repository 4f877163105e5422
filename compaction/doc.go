// Package compaction decides which table files of a table to merge, and merges
// streams of rows under the rules of purging.
//
// # Use
//
//	options, err := compaction.ParseOptions(def.Options.Compaction)
//	for _, task := range compaction.Pick(&options, &state) {
//		// open task.Tables, then
//		result, err := compaction.Run(ctx, &compaction.Job{...})
//	}
//
// Pick is a pure function of what is known about the files: the same state
// gives the same tasks. The tasks of one answer share no file and may run at
// the same time; the first is the most urgent.
//
// # Strategies
//
// Unified (UCS). The density of a file is its size over the share of the token
// space that it spans; the level is how often the density has grown by the
// fanout since a flush. Files of one level that overlap are merged when as
// many of them lie over one token as the threshold says: w > 0 gives fanout
// and threshold w+2 (tiered), w < 0 fanout 2-w and threshold 2 (levelled), 0
// both 2. Outputs are cut at fixed, equal parts of the token space, whose
// number doubles as data grows, so files of one level either share their cuts
// or nest.
//
// SizeTieredCompactionStrategy runs as UCS with T<min_threshold>, and
// LeveledCompactionStrategy with L<fanout_size>.
//
// Time windows (TWCS). Files belong to the window of their largest timestamp.
// In the newest window files of similar size are merged, in older ones all.
//
// All strategies drop files in which everything has expired without reading
// them, and rewrite a single file if enough of it are droppable tombstones.
//
// # Invariants
//
//   - Repaired files, those not repaired and those of each pending repair are
//     never in one task; nor are files of different format levels.
//   - A tombstone is purged only if its local time is below Job.GCBefore and
//     its timestamp below what Job.MaxPurgeable says of its partition: nothing
//     outside of the job is as old.
//   - A file is dropped unread only if nothing that it overlaps is as old as its
//     newest cell (unless unsafe_aggressive_sstable_expiration says so).
//   - At any time from Job.Now on, the live rows of inputs and outputs are equal.
//
// The package does no I/O and starts no goroutine: sources and writers are the
// engine's, and Job.Yield is how it throttles. Functions may be called from
// any goroutine; a Job belongs to one.
package compaction
