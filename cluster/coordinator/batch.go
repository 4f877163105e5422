package coordinator

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/internal/invariant"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// batch is a write of several partitions.
//
// Thread safety: mu protects what is marked so.
type batch struct {
	c        *Cluster
	level    ring.ConsistencyLevel
	kind     native.WriteType
	deadline int64
	records  []mutation.Record // of its own memory
	id       [16]byte
	created  int64
	replayed int64    // when it was made, if it is written again; else 0
	charged  int64    // bytes, of the pool
	keepers  []keeper // who keep it if it is logged

	mu   sync.Mutex // protects what follows
	done cluster.Completer
	kept int // keepers that have it
	left int // answers that this stage waits for
	err  error
	// unsettled are the writes of which not every replica has answered or got a
	// hint; missing tells that some replica has neither.
	unsettled int
	missing   bool
}

// keeper is a node whose batchlog keeps the batch.
type keeper struct {
	b *batch
	m *member
}

// writeBatch writes several partitions.
func (c *Cluster) writeBatch(ctx context.Context, w *cluster.Write) error {
	for {
		next := c.changed.announced()
		alone, err := c.planBatch(ctx, w)
		if err == errClosed && ctx != noWait {
			if err := wait(ctx, next); err != nil {
				return err
			}
			continue
		}
		if err != nil || alone {
			return err
		}
		return c.newBatch(w)
	}
}

// planBatch checks that all partitions can be written and, if this node alone
// holds all of them, hands them to the store as one group.
func (c *Cluster) planBatch(ctx context.Context, w *cluster.Write) (alone bool, err error) {
	tk := c.gate.enter(0)
	defer c.gate.leave(tk)
	v := c.view.Load()
	if w.Created != 0 {
		w.Records = slices.DeleteFunc(slices.Clone(w.Records), func(r mutation.Record) bool { return v.gone(r) || c.late(v, r, w.Created) })
	}
	if len(w.Records) == 0 {
		w.Done.Complete(nil)
		return true, nil
	}
	alone = true
	for _, r := range w.Records {
		t := v.tables[r.Table()]
		if t == nil {
			continue // the store says that it does not know the table
		}
		if t.closed {
			return false, errClosed
		}
		set := t.Replicas(r.Token())
		if err := v.available(t.placement, set, w.Consistency); err != nil {
			c.stats.Unavailable.Inc()
			return false, err
		}
		if len(set.Write) != 1 || set.Write[0] != 0 {
			alone = false
		}
	}
	if !alone {
		return false, nil
	}
	for _, r := range w.Records {
		if err := c.order(r, true); err != nil {
			return false, err
		}
	}
	if ctx == noWait {
		return true, c.cfg.Replica.TryApply(w.Records, w.Atomic, w.Done)
	}
	return true, c.cfg.Replica.Apply(ctx, w.Records, w.Atomic, w.Done)
}

// newBatch starts a batch over replicas.
func (c *Cluster) newBatch(w *cluster.Write) error {
	b := &batch{c: c, level: w.Consistency, kind: native.WriteUnloggedBatch, deadline: c.within(w.Deadline), done: w.Done, created: c.cfg.Clock.Now().UnixMicro(), replayed: w.Created}
	n := 0
	for _, r := range w.Records {
		n += len(r)
	}
	b.charged = int64(n) + writeOverhead
	if err := c.pool.charge(b.charged); err != nil {
		return err
	}
	buf := make([]byte, 0, n)
	for _, r := range w.Records {
		buf = append(buf, r...)
		b.records = append(b.records, mutation.Record(buf[len(buf)-len(r):]))
		if w.Created == 0 {
			b.records[len(b.records)-1].SetEpoch(c.Schema().Epoch)
		}
	}
	if !w.Atomic {
		b.write()
		return nil
	}
	b.kind = native.WriteBatch
	return b.keep()
}

// keep has the batch kept before any of it is written.
func (b *batch) keep() error {
	c := b.c
	binary.LittleEndian.PutUint64(b.id[:], c.cfg.Rand.Uint64())
	binary.LittleEndian.PutUint64(b.id[8:], c.cfg.Rand.Uint64())
	v := c.view.Load()
	for _, n := range v.keepers(c.cfg.Rand) {
		b.keepers = append(b.keepers, keeper{b, v.members[n]})
	}
	b.left = len(b.keepers) + 1
	store := wire.BatchStore{ID: b.id, Created: b.created, Records: b.records}
	msg := rpc.Message{Op: wire.OpBatchStore, Lane: rpc.Small, Epoch: v.epoch, Deadline: b.deadline}
	for i := range b.keepers {
		k := &b.keepers[i]
		if k.m.peer == nil {
			if err := c.cfg.Batchlog.Store(b.id, b.created, b.records, k); err != nil {
				k.Complete(err)
			}
			continue
		}
		if msg.Body == nil {
			msg.Body = store.Append(nil)
		}
		if err := k.m.peer.Send(&msg, k); err != nil {
			k.Complete(err)
		}
	}
	b.stored(false)
	return nil
}

// Receive implements rpc.Receiver.
func (k *keeper) Receive(a *rpc.Answer) {
	k.b.c.heard(k.m, a.Epoch)
	k.Complete(a.Err)
}

// Complete implements mutation.Completer.
func (k *keeper) Complete(err error) { k.b.stored(err == nil) }

// stored counts an answer of a keeper, or of the starter.
func (b *batch) stored(ok bool) {
	b.mu.Lock()
	b.left--
	if ok {
		b.kept++
	}
	last, kept := b.left == 0, b.kept
	invariant.Check(b.left >= 0 && kept <= len(b.keepers), "coordinator: a keeper of a batch answers twice")
	b.mu.Unlock()
	switch {
	case !last:
	case kept < len(b.keepers):
		b.c.pool.giveBack(b.charged)
		b.c.stats.Timeouts.Inc()
		b.done.Complete(native.WriteTimeout(native.Consistency(b.level), kept, len(b.keepers), native.WriteBatchLog))
	default:
		if fail.Mutant("batch-done-first") {
			b.forget()
		}
		b.write()
	}
}

// write starts a write for each partition.
func (b *batch) write() {
	b.left, b.unsettled = len(b.records)+1, len(b.records)
	for i := range b.records {
		q := request{records: b.records[i : i+1], level: b.level, kind: b.kind, batched: true, replayed: b.replayed, deadline: b.deadline, done: b}
		if len(b.keepers) > 0 {
			q.part = b
		}
		w, err := b.c.pool.get(&q)
		if err != nil {
			b.Complete(err)
			b.settled(false)
			continue
		}
		w.arm()
		w.proceed()
	}
	b.Complete(nil)
}

// Complete implements mutation.Completer for the writes of the partitions. The
// first error is the batch's.
func (b *batch) Complete(err error) {
	b.mu.Lock()
	b.left--
	var done cluster.Completer
	if b.err == nil && (err != nil || b.left == 0) {
		done = b.done
	}
	if b.err == nil {
		b.err = err
	}
	last := b.left == 0
	invariant.Check(b.left >= 0, "coordinator: the write of a partition of a batch is completed twice")
	b.mu.Unlock()
	if last {
		b.c.pool.giveBack(b.charged)
	}
	if done != nil {
		done.Complete(err)
	}
}

// settled is told that nothing more comes of the write of a partition, and
// whether every replica has it or gets it by a durable hint. Only then need the
// batch not be kept any more: that its level was met is not enough.
func (b *batch) settled(whole bool) {
	b.mu.Lock()
	b.unsettled--
	b.missing = b.missing || !whole
	forget := b.unsettled == 0 && !b.missing
	invariant.Check(b.unsettled >= 0, "coordinator: the write of a partition of a batch ends twice")
	b.mu.Unlock()
	if forget {
		b.forget()
	}
}

// forget tells the keepers that the batch is done. Who does not hear it writes
// the batch again, which changes nothing.
func (b *batch) forget() {
	done := wire.BatchDone{ID: b.id}
	msg := rpc.Message{Op: wire.OpBatchDone, Lane: rpc.Small, Body: done.Append(nil)}
	for i := range b.keepers {
		m := b.keepers[i].m
		if m.peer == nil {
			b.c.cfg.Batchlog.Done(b.id)
		} else if m.peer.Notify(&msg) != nil {
			b.c.stats.BatchesKept.Inc()
		}
	}
}

// keepers are the nodes whose batchlogs keep a batch: two live ones of this
// data centre but this one, in other racks where there are; fewer if there are
// no more, and this one if it is alone.
func (v *view) keepers(rand interface{ Uint64() uint64 }) []int {
	rack := v.topology.Nodes[0].Rack
	var others, same []int
	for i := 1; i < len(v.members); i++ {
		switch {
		case v.dc[i] != 0 || !v.members[i].live():
		case v.topology.Nodes[i].Rack == rack:
			same = append(same, i)
		default:
			others = append(others, i)
		}
	}
	shuffle(others, rand)
	shuffle(same, rand)
	// Two of one rack only if there is no other.
	if len(others) > 2 {
		first := v.topology.Nodes[others[0]].Rack
		if at := slices.IndexFunc(others, func(n int) bool { return v.topology.Nodes[n].Rack != first }); at > 0 {
			others[1], others[at] = others[at], others[1]
		}
	}
	all := append(others, same...)
	if len(all) == 0 {
		return []int{0}
	}
	return all[:min(len(all), 2)]
}

func shuffle(list []int, rand interface{ Uint64() uint64 }) {
	for i := len(list) - 1; i > 0; i-- {
		j := int(rand.Uint64() % uint64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}
