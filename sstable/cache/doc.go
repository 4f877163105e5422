// Package cache keeps decoded blocks of tables in memory off the Go heap.
//
//	c := cache.New(256 << 20)
//	if h, ok := c.Get(file, offset); ok {
//		use(h.Bytes())
//		h.Release()
//	} else if h, ok := c.Reserve(file, offset, size); ok {
//		fill(h.Bytes())       // or h.Discard()
//		h.Publish(file, offset)
//		use(h.Bytes())
//		h.Release()
//	}
//
// # Structure
//
// Memory is cut into slabs of 64 KiB, and a slab into frames of one size
// class. The cache is up to 16 shards by the hash of (file, offset); a shard owns
// slabs, their entries (one for each frame, off the heap as well, without Go
// pointers), an open-addressed index of 4-byte slots and, for each class, the
// two queues of S3-FIFO: what is new goes through a small queue and into the
// main one only if it was asked for meanwhile, or if it had been evicted a
// short while ago, as fingerprints of evicted blocks tell. So a scan does not
// wash out what is hot, and a hit writes no list.
//
// # Thread safety
//
// Everything may be called from any goroutine. A hit takes no lock: it probes
// the index, pins the entry and then looks whether the entry is still the one
// it was looking for. A miss looks once more under the shard's lock.
//
// # Invariants
//
//   - pins < 0: the frame is free or being changed, nobody reads it.
//     pins >= 0: key and bytes of the entry do not change.
//   - Only pins == 0 may become -1, under the shard's lock.
//   - An entry is in the index, in one queue and has pins >= 0, or else in no
//     queue; a reserved one is pinned and in neither.
//   - Slabs in use <= limit, but for pinned ones after the limit was lowered.
//
// The order of locks is shard, then pool. No lock is held over I/O.
//
// It does not read blocks, does not know what they mean, does not join two
// readers of one missing block, and takes no block over 64 KiB.
package cache
