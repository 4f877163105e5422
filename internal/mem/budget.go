package mem

import "strconv"

// Kind names a share of a Budget.
type Kind uint8

// The shares.
const (
	Memtable Kind = iota // arenas of memtables
	Cache                // block cache, both tiers, and mapped tables
	Metadata             // indexes, filters and properties of tables
	InFlight             // requests and responses
	Heap                 // the Go heap and stacks: the limit for GOMEMLIMIT
	Spare                // what the operating system and fragmentation may take
	numKinds
)

var kindNames = [numKinds]string{"memtable", "cache", "metadata", "in_flight", "heap", "spare"}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "share " + strconv.Itoa(int(k))
}

// percent of the total, of the shares before Heap.
var percent = [Heap]int64{Memtable: 25, Cache: 35, Metadata: 10, InFlight: 8}

const (
	heapPercent = 15
	// heapMin is what the Go heap needs however small the budget.
	heapMin = 96 << 20
)

// Budget is the memory of a process in shares.
type Budget struct {
	total  int64
	shares [numKinds]*Share
}

// NewBudget splits total bytes as the package comment says.
func NewBudget(total int64) *Budget {
	b := &Budget{total: total}
	heap := min(max(total*heapPercent/100, heapMin), total/2)
	var sum int64
	for _, p := range percent {
		sum += p
	}
	rest := total - heap
	for k, p := range percent {
		limit := total / 100 * p
		if total/100*sum > rest {
			limit = rest / sum * p
		}
		b.shares[k] = NewShare(kindNames[k], limit)
	}
	for _, s := range b.shares[:Heap] {
		rest -= s.limit
	}
	b.shares[Heap] = NewShare(kindNames[Heap], heap)
	b.shares[Spare] = NewShare(kindNames[Spare], rest)
	return b
}

// Total is the whole budget in bytes.
func (b *Budget) Total() int64 { return b.total }

// Share returns the share of that kind.
func (b *Budget) Share(k Kind) *Share { return b.shares[k] }

// Shares returns all of them in the order of their kinds, for metrics.
func (b *Budget) Shares() []*Share { return b.shares[:] }
