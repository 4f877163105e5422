package level

const (
	// First is the level of a cluster that has not agreed on a higher one.
	First uint16 = 1
	// Origins has records name the node that made them and table files say when
	// they were created.
	Origins uint16 = 2
)

// Lowest is the oldest level that this version reads and writes.
const Lowest = First
