// Package mem is memory off the Go heap and the accounting of all memory.
//
// # What is here
//
//   - Map and Unmap: anonymous mappings that the garbage collector never sees.
//   - Budget and Share: one number, the process's memory, split into shares.
//     Whoever needs memory reserves it first, and evicts, flushes or refuses if
//     the share is used up.
//   - ChunkPool: the node's pool of arena chunks of 4 KiB to 2 MiB, recycled
//     for ever and touched in the background ahead of need.
//
// # Use
//
//	budget := mem.NewBudget(1 << 30)
//	pool := mem.NewChunkPool(budget.Share(mem.Memtable))
//	defer pool.Close()
//	chunk, ok := pool.TryGet(mem.MinChunk)
//	...
//	pool.Put(chunk)
//
// # The shares of a budget
//
//	memtable 25 %   cache 35 %   metadata 10 %   in flight 8 %
//	heap     15 %, but at least 96 MiB (and never over half)
//	spare    the rest
//
// A budget so small that the heap's minimum eats more than the spare takes the
// difference from the other four in proportion.
//
// # Invariants
//
//   - used <= limit for every share, except by what Force added.
//   - Bytes of a chunk or mapping are used by one owner between TryGet and Put,
//     Map and Unmap. Their content at first is not defined.
//
// Under the build tags "race" and "invariants" all memory comes from the Go
// heap, because the race detector sees nothing in mapped memory, and what is
// given back is overwritten with 0xDB, so that a reader that comes late reads
// nonsense instead of yesterday's data.
//
// # Concurrency
//
// Everything may be used from any goroutine, and nothing waits.
//
// # What it does not do
//
// It does not measure: a share knows what was reserved, not what is resident.
// It never returns chunks to the operating system (the first touch of a page
// costs microseconds); only ChunkPool.Close does.
package mem
