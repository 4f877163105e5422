package ring

import "fmt"

// ConsistencyLevel says how many replicas must answer a request. The numbers
// are those of the native protocol.
type ConsistencyLevel uint16

// Consistency levels.
const (
	Any         ConsistencyLevel = 0x0
	One         ConsistencyLevel = 0x1
	Two         ConsistencyLevel = 0x2
	Three       ConsistencyLevel = 0x3
	Quorum      ConsistencyLevel = 0x4
	All         ConsistencyLevel = 0x5
	LocalQuorum ConsistencyLevel = 0x6
	EachQuorum  ConsistencyLevel = 0x7
	Serial      ConsistencyLevel = 0x8
	LocalSerial ConsistencyLevel = 0x9
	LocalOne    ConsistencyLevel = 0xA
)

var levelNames = [...]string{"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"}

func (c ConsistencyLevel) String() string {
	if int(c) < len(levelNames) {
		return levelNames[c]
	}
	return fmt.Sprintf("UNKNOWN(%d)", uint16(c))
}

// ParseConsistency returns the level of an upper case name.
func ParseConsistency(name string) (ConsistencyLevel, bool) {
	for i, n := range levelNames {
		if n == name {
			return ConsistencyLevel(i), true
		}
	}
	return 0, false
}

// Valid tells whether the protocol knows the number.
func (c ConsistencyLevel) Valid() bool { return int(c) < len(levelNames) }

// IsSerial tells whether it is a level of conditional requests.
func (c ConsistencyLevel) IsSerial() bool { return c == Serial || c == LocalSerial }

// IsLocal tells whether only replicas of the coordinator's data centre count.
func (c ConsistencyLevel) IsLocal() bool {
	return c == LocalQuorum || c == LocalSerial || c == LocalOne
}

// BlockFor is the number of replicas that must answer out of rf: the replicas
// in all data centres, or for a local level in the coordinator's. EachQuorum
// counts once per data centre, each with its own rf. Any counts a hint too.
func (c ConsistencyLevel) BlockFor(rf int) int {
	switch c {
	case Two:
		return 2
	case Three:
		return 3
	case Quorum, LocalQuorum, EachQuorum, Serial, LocalSerial:
		return QuorumOf(rf)
	case All:
		return rf
	}
	return 1
}

// QuorumOf is the least majority of rf.
func QuorumOf(rf int) int { return rf/2 + 1 }
