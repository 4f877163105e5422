package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/rand"
)

// batchTable is the table of logged batches, each of which writes a row of its
// own number into some partitions.
const batchTable = "ks.batches"

// batchParts is how many partitions a batch writes.
const batchParts = 3

// batches is what became of logged batches. Safe for concurrent use.
type batches struct {
	mu  sync.Mutex // protects what follows
	all []*loggedBatch
}

// loggedBatch writes its number into the row of its number.
type loggedBatch struct {
	number     int
	partitions []int
	outcome    certainty // protected by batches.mu
}

// begin makes the next batch, over partitions from first on that r chooses.
func (b *batches) begin(r *rand.Source, first, end int) *loggedBatch {
	at := make([]int, end-first)
	for i := range at {
		j := int(r.Uint64N(uint64(i + 1)))
		at[i], at[j] = at[j], first+i
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	one := &loggedBatch{number: len(b.all), partitions: at[:batchParts]}
	b.all = append(b.all, one)
	return one
}

func (b *batches) settle(one *loggedBatch, as certainty) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one.outcome = as
}

// acked are the batches with a row in a partition that were acknowledged.
func (b *batches) acked(p int) (numbers []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.all {
		if one.outcome == present && slices.Contains(one.partitions, p) {
			numbers = append(numbers, one.number)
		}
	}
	return numbers
}

// writeBatch writes a logged batch through node i, over partitions with the
// clients of p.
func (s *simulation) writeBatch(i, p int, r *rand.Source) {
	n := s.nodes[i].node.Load()
	if n == nil {
		return
	}
	first, end := s.together(p)
	one := s.batches.begin(r, first, end)
	insert := "INSERT INTO " + batchTable + " (p, r, v) VALUES (?, ?, ?); "
	st := query.Statement{Text: "BEGIN BATCH " + strings.Repeat(insert, batchParts) + "APPLY BATCH", Consistency: s.level()}
	for _, p := range one.partitions {
		st.Values = append(st.Values, p, one.number, int64(one.number))
	}
	ctx, cancel := context.WithTimeout(context.Background(), simPatience)
	defer cancel()
	o := s.begin(i, everywhere)
	err := n.Query().Exec(ctx, st)
	s.finish(o, err, true)
	var refused *native.Error
	switch {
	case err == nil && s.runs(i, n):
		s.batches.settle(one, present)
	case errors.As(err, &refused) && refused.Code == native.CodeUnavailable:
		s.batches.settle(one, absent)
	}
}

// readBatches reads a partition of the batches through node i: what was
// acknowledged before is there.
func (s *simulation) readBatches(i, p int) error {
	numbers := s.batches.acked(p)
	rows, err := s.partition(batchTable, i, p, s.level())
	if err != nil {
		return nil
	}
	for _, number := range numbers {
		if rows[strconv.Itoa(number)] != int64(number) {
			return fmt.Errorf("batch %d was acknowledged, and node %d has nothing of it in partition %d", number, i, p)
		}
	}
	return nil
}

// judge wants all replicas of a partition to be equal, and of each batch all or
// nothing, as it was told. replicas are the rows of each one alone, by partition,
// which has a number of copies.
func (b *batches) judge(replicas map[int][]map[string]int64, copies int) error {
	for _, one := range b.all {
		row, rows := strconv.Itoa(one.number), 0
		var where []string
		for _, p := range one.partitions {
			for k, r := range replicas[p] {
				if v, there := r[row]; there && v == int64(one.number) {
					rows++
					where = append(where, fmt.Sprintf("partition %d replica %d", p, k))
				}
			}
		}
		all := batchParts * copies
		if rows != 0 && rows != all || rows == 0 && one.outcome == present || rows == all && one.outcome == absent {
			return fmt.Errorf("batch %d over partitions %v, %v, has %d rows of %d in its replicas: %v",
				one.number, one.partitions, one.outcome, rows, all, where)
		}
	}
	return nil
}

func (b *batches) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var n [3]int
	for _, one := range b.all {
		n[one.outcome]++
	}
	return fmt.Sprintf("logged batches: %d acknowledged, %d refused, %d unknown", n[present], n[absent], n[maybe])
}
