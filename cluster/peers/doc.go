// Package peers remembers the disks of the other nodes: which disk a host came
// with, how often it had been started and up to which mark its clock had been
// made durable. A host that comes back with another disk, with an older mark of
// the same, or as another process with a start that was counted before, has lost
// writes that it had acknowledged, and must not answer for them. A hello that its
// process made a while ago, because it or the reader was stopped meanwhile, is
// not that: processes are told apart by their instance.
//
//	book, err := peers.Open(fs, dataDir+"/peers")
//	err = book.Check(peer)   // *LostError: refuse the node
//	book.Hear(peer)          // it said so; kept with the next Save
//	err = book.Save()
//
// What was heard and not saved is forgotten by a crash; the node says it again
// when it connects.
//
// # File
//
// Replaced whole by a rename; all integers are little-endian:
//
//	+0   8   "ILIONPRS"
//	+8   u16 version (2; 1 has no instances)
//	+10  u16 required features (0): a reader refuses a bit it does not know
//	+12  u32 number of peers, at most 65,536
//	+16  peers by host id, 56 bytes each:
//	     +0   16  host id
//	     +16  16  disk id
//	     +32  u64 boot count
//	     +40  i64 clock mark, microseconds
//	     +48  u64 instance of its process, 0 if not known
//	     u32 CRC32C of all before
//
// # Concurrency
//
// A Book is safe for concurrent use. Check and Hear take a mutex for a few
// instructions; Save writes without it, one at a time.
package peers
