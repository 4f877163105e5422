package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/query"
	"github.com/ilion-db/ilion/internal/sim"
	"github.com/ilion-db/ilion/ring"
)

// simSlow is longer than an operation mostly takes while nothing is wrong.
const simSlow = 50 * time.Millisecond

// operation is one of a client, under way.
type operation struct {
	at, partition int // partition is everywhere for all of them
	from          time.Duration
	calm          bool
}

const everywhere = -1

// outcome is an operation that has ended and that a fault may have changed.
type outcome struct {
	at       int
	machines [simMost]bool // that it went through
	from, to time.Duration
	// disturbed is one that failed, or that had to wait or to ask others; stamped
	// a write that has its timestamp of the node at.
	disturbed, stamped bool
}

// outcomes are what faults are judged by. Safe for concurrent use.
type outcomes struct {
	mu      sync.Mutex // protects what follows
	all     []outcome
	slowest time.Duration // of those that began while nothing was wrong
}

func (s *simulation) begin(i, p int) operation {
	return operation{i, p, s.w.Clock.Mono(), s.calm.Load()}
}

// finish takes note of the outcome of an operation. No fault explains any error
// while nothing is wrong, and at no time one that blames the statement, which
// changes of other tables must not bring about.
func (s *simulation) finish(o operation, err error, stamped bool) {
	var e *native.Error
	if err != nil && (o.calm || errors.As(err, &e) && e.Code >= native.CodeSyntax) {
		s.found.note(fmt.Errorf("node %d refuses an operation of partition %d, begun at %v and ended at %v, nothing wrong %v: %w", o.at, o.partition, o.from, s.w.Clock.Mono(), o.calm, err))
	}
	end := outcome{at: o.at, from: o.from, to: s.w.Clock.Mono(), stamped: stamped && err == nil}
	took := end.to - end.from
	end.disturbed = err != nil || took >= simSlow
	if o.partition == everywhere {
		for i := range end.machines {
			end.machines[i] = true
		}
	} else {
		end.machines = s.replicas[o.partition]
		end.machines[o.at] = true
	}
	out := &s.outcomes
	out.mu.Lock()
	defer out.mu.Unlock()
	if end.disturbed || end.stamped {
		out.all = append(out.all, end)
	}
	if o.calm {
		out.slowest = max(out.slowest, took)
	}
}

// changed tells whether an operation came out otherwise for a fault: it was in
// flight, went through a machine that the fault was about, and failed, or took
// longer than is usual without faults; a wrong clock has changed the timestamps that it gave.
func (out *outcomes) changed(f *sim.Past) bool {
	out.mu.Lock()
	defer out.mu.Unlock()
	clock := strings.HasPrefix(f.Kind, "clock")
	for i := range out.all {
		o := &out.all[i]
		if o.from > f.To || o.to < f.From {
			continue
		}
		for _, m := range f.Machines {
			if clock && o.stamped && o.at == m || o.disturbed && o.machines[m] {
				return true
			}
		}
	}
	return false
}

// findReplicas finds out who has which partition: who answers for itself alone.
func (s *simulation) findReplicas() error {
	var count [simPartitions]int
	for i := range s.nodes {
		cut := s.w.Net.Isolate(i)
		var all sync.WaitGroup
		for p := range simPartitions {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				err := s.nodes[i].node.Load().Query().Exec(ctx, query.Statement{
					Text: "SELECT p, r, v FROM " + batchTable + " WHERE p = ?", Values: []any{p}, Consistency: ring.One,
				})
				s.replicas[p][i] = err == nil
			})
		}
		all.Wait()
		cut.Heal()
		for p := range count {
			if s.replicas[p][i] {
				count[p]++
			}
		}
	}
	for p, n := range count {
		if n != s.copies() {
			return fmt.Errorf("partition %d is with %d replicas, not with %d", p, n, s.copies())
		}
	}
	return nil
}
