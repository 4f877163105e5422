package vfs

import "strconv"

// OpKind names a call of FS or File, for hooks, fault rules and counts.
type OpKind uint8

// The calls. Those from OpCreate to OpPreallocate change the disk.
const (
	OpCreate OpKind = iota
	OpRename
	OpLink
	OpRemove
	OpRemoveAll
	OpMkdir
	OpSyncDir
	OpWrite
	OpSync // Sync and SyncData
	OpTruncate
	OpPreallocate

	OpOpen
	OpList
	OpStat
	OpLock
	OpDiskUsage
	OpRead
	OpSize
	OpMmap
	OpClose

	numOps
)

var opNames = [numOps]string{
	"create", "rename", "link", "remove", "remove all", "mkdir", "sync directory", "write", "sync", "truncate",
	"preallocate", "open", "list", "stat", "lock", "disk usage", "read", "size", "map", "close",
}

func (k OpKind) String() string {
	if k < numOps {
		return opNames[k]
	}
	return "op " + strconv.Itoa(int(k))
}

// Ops is a set of kinds; the empty set means all.
type Ops uint32

// OpsOf returns the set of the given kinds.
func OpsOf(kinds ...OpKind) Ops {
	var s Ops
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// WriteSide is the set of the calls that change the disk.
const WriteSide Ops = 1<<(OpPreallocate+1) - 1

// Has tells whether the set holds k; the empty set holds all.
func (s Ops) Has(k OpKind) bool { return s == 0 || s&(1<<k) != 0 }

// Call describes one call to a hook or a fault rule.
type Call struct {
	Op OpKind
	// Name is the path; of a rename or link the old one, NewName the new one.
	Name    string
	NewName string
	// Off and Len are those of a read, write, map or preallocation; of a
	// truncation Off is the size.
	Off int64
	Len int
	// After tells that the call has been made; Err is then what it returned.
	After bool
	Err   error
}
