package replicaread

import (
	"errors"
	"sync"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/fail"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// round asks the replicas of one section for one page: the counted record of a
// read. Whoever answers (a peer's connection, a worker, a timer) takes the
// record's lock, notes the answer and sees what is to be done next, so no
// goroutine waits for a replica.
//
//	ask       data from the best replica and digests from the others that the
//	          level needs; of ranges, data from all
//	full      the digests differ: data from all that are needed
//	resolve   pages that differ are merged; what a replica lacks is repaired
//	over      the owner is told
//
// It is pooled: the owner and every answer still to come hold a reference.
type round struct {
	rd *Reader
	// The owner waits for ready or, if async is set, is that.
	ready chan struct{}
	async *scan
	sec   section
	// narrowed tells that parts of the section have more replicas than those
	// that hold all of it.
	narrowed bool

	mu       sync.Mutex // protects what follows, until over
	phase    phase
	refs     int
	top      *cluster.Topology
	level    ring.ConsistencyLevel
	table    *schema.Table
	latency  *tableLatency
	targets  targets
	replicas []replica // as targets.nodes
	digests  bool      // the first replica alone is asked for data
	full     bool      // digests do not count any more
	deadline time.Duration
	stale    uint64 // epoch of a replica that refused the round
	repairs  int    // still to be acknowledged
	unsaved  int    // repairs that failed
	hedge    clock.Timer
	hedging  bool // the timer runs
	tell     bool // the owner is to be told

	read   wire.Read // decoded from body
	body   []byte    // of the request for data
	digest []byte    // of the request for a digest
	sum    mutation.Digest
	rows   wire.RowStream

	// The result, once it is over.
	err    error
	result result
}

type phase uint8

const (
	phaseAsk phase = iota
	phaseResolve
	phaseOver
)

type replicaState uint8

const (
	spare replicaState = iota
	toAsk
	asked
	hasDigest
	hasData
	failed
)

// replica is one replica's part in a round. It receives the answers.
type replica struct {
	round *round
	state replicaState
	data  bool // was asked for data
	local bool
	held  bool // the owner waits for it; the owner's
	host  schema.UUID
	load  *peerLoad
	sent  time.Duration
	// messages are those for data and for a digest: one is still being sent while
	// its answer makes us send the other.
	messages [2]rpc.Message
	body     []byte // of the answer
	reply    wire.ReadReply
	err      error
	store    store // of the local replica
}

func (rd *Reader) newRound() *round {
	r, _ := rd.rounds.Get().(*round)
	if r == nil {
		r = &round{rd: rd, ready: make(chan struct{}, 1)}
	}
	select {
	case <-r.ready: // nobody waited for it
	default:
	}
	r.refs = 1
	return r
}

// start asks the first replicas for the round's section. An error means that
// nothing was asked and the owner is not told. Otherwise the owner is told
// once, maybe before start returns, and has to release the round.
func (r *round) start(cmd *mutation.ReadCommand, replicas []int, p *cluster.Placement, bytes int, rows uint32) error {
	now := r.rd.now()
	if err := r.targets.choose(r.rd, r.top, p, replicas, r.level); err != nil {
		r.rd.stats.unavailable.Inc()
		return err
	}
	if r.table = r.rd.cfg.Schema().TableByID(cmd.Table); r.table == nil {
		return errUnknownTable()
	}
	r.latency = r.rd.latencyOf(r.table, now)
	if err := r.encode(cmd, bytes, rows); err != nil {
		return err
	}
	r.phase, r.tell = phaseAsk, false
	r.stale, r.repairs, r.unsaved, r.err = 0, 0, 0, nil
	r.prepare()
	r.digests = !r.sec.ranged && r.targets.blockFor > 1
	r.full = !r.digests
	r.mu.Lock()
	var missing [maxGroups]int32
	copy(missing[:], r.targets.need[:r.targets.groups])
	for i := range r.replicas {
		if g := r.targets.nodes[i].group; missing[g] > 0 {
			missing[g]--
			r.want(i, !r.digests || i == 0)
		}
	}
	r.startHedge(now)
	r.refs++ // ours, while we send
	r.mu.Unlock()
	r.send()
	r.release()
	return nil
}

// encode makes the bodies of the requests. What is read locally is decoded from
// them, so that nothing of the command's memory is needed later.
func (r *round) encode(cmd *mutation.ReadCommand, bytes int, rows uint32) error {
	c := wire.Read{ReadCommand: *cmd, Resume: r.sec.resume}
	c.Version, c.Digest, c.Epoch = mutation.DigestVersion, false, r.top.Epoch
	c.Keys, c.Range = r.sec.keys, r.sec.rangeOf()
	c.Bytes, c.Limit = bytes, rows
	if len(c.Filters) > 0 && !c.Distinct {
		// What passes the filters is known after the merge.
		c.PerPartitionLimit = 0
	}
	c.Filters = nil
	r.body = c.Append(r.body[:0])
	if !r.sec.ranged {
		c.Digest = true
		r.digest = c.Append(r.digest[:0])
	}
	return r.read.Decode(r.body)
}

// prepare makes room for the replicas' answers.
func (r *round) prepare() {
	n := len(r.targets.nodes)
	for cap(r.replicas) < n {
		r.replicas = append(r.replicas[:cap(r.replicas)], replica{})
	}
	r.replicas = r.replicas[:n]
	for i := range r.replicas {
		p, node := &r.replicas[i], &r.top.Nodes[r.targets.nodes[i].node]
		p.round, p.state, p.data, p.err = r, spare, false, nil
		p.local, p.host, p.load = node.Local, node.HostID, nil
		if !p.local {
			p.load = r.rd.peerOf(node.HostID)
		}
	}
}

// want marks a replica to be asked by send.
func (r *round) want(i int, data bool) {
	p := &r.replicas[i]
	p.state, p.data = toAsk, data
	r.refs++
}

// send asks the replicas that are marked. It is called without the lock and
// with a reference.
func (r *round) send() {
	for {
		r.mu.Lock()
		var p *replica
		for i := range r.replicas {
			if r.replicas[i].state == toAsk && r.phase != phaseOver {
				p = &r.replicas[i]
				p.state, p.sent = asked, r.rd.now()
				break
			}
		}
		r.mu.Unlock()
		switch {
		case p == nil:
			return
		case p.local:
			p.askLocal()
		default:
			p.askPeer()
		}
	}
}

func (p *replica) askPeer() {
	r := p.round
	m, body := &p.messages[0], r.body
	if !p.data {
		m, body = &p.messages[1], r.digest
	}
	*m = rpc.Message{Op: wire.OpRead, Lane: r.lane(), Epoch: r.top.Epoch, Deadline: int64(r.deadline), Body: body}
	p.load.waiting.Add(1)
	if err := r.rd.cfg.Send(p.host, m, p); err != nil {
		p.load.waiting.Add(-1)
		r.settle(p, err)
	}
}

// lane keeps the pages of ranges out of the way of small requests.
func (r *round) lane() rpc.Lane {
	if r.sec.ranged {
		return rpc.Bulk
	}
	return rpc.Small
}

// Receive implements rpc.Receiver.
func (p *replica) Receive(a *rpc.Answer) {
	r := p.round
	p.load.waiting.Add(-1)
	took := r.rd.now() - p.sent
	err := a.Err
	if err == nil && r.sec.ranged {
		p.load.since.Store(int64(p.sent + took))
	}
	if err == nil || errors.Is(err, rpc.ErrDeadline) {
		p.load.observe(took)
		r.latency.observe(took)
	}
	if err == nil {
		p.body = append(p.body[:0], a.Body...)
		err = p.reply.Decode(p.body)
	}
	r.settle(p, err)
}

// askLocal reads the local replica, here if its memory has it, else on a
// worker.
func (p *replica) askLocal() {
	r := p.round
	r.read.Digest = !p.data
	err := p.store.read(r.rd.ctx, r.rd, &r.read, true)
	if errors.Is(err, mutation.ErrWouldBlock) {
		if r.rd.workers.submit((*localRead)(p)) {
			return
		}
		err = errBusy
	}
	p.took(err)
}

// localRead is the task of reading the local replica from disk.
type localRead replica

func (l *localRead) run() {
	p := (*replica)(l)
	r := p.round
	if r.rd.now() >= r.deadline {
		p.took(rpc.ErrDeadline)
		return
	}
	p.took(p.store.read(r.rd.ctx, r.rd, &r.read, false))
}

// took makes what was read locally the replica's answer.
func (p *replica) took(err error) {
	if errors.Is(err, mutation.ErrCorrupt) {
		err = p.round.rd.wireError(err)
	}
	if err == nil {
		p.reply = p.store.reply
		p.reply.Rows = p.store.body
	}
	p.round.settle(p, err)
}

// settle notes an answer and goes on. It gives the answer's reference back.
func (r *round) settle(p *replica, err error) {
	damaged, host := false, p.host
	r.mu.Lock()
	if r.phase != phaseOver {
		switch {
		case err != nil:
			damaged = r.fails(p, err)
		case p.data:
			p.state = hasData
		case p.reply.HasDigest:
			p.state = hasDigest
		default:
			// The page is too long for a digest.
			p.state, r.full = hasDigest, true
		}
		r.step()
	}
	r.unlock()
	if damaged {
		r.rd.cfg.Log.Error("a replica has damaged data", "host", host, "error", err)
	}
	r.send()
	r.release()
}

// fails notes that a replica does not answer, and tells whether that is because
// what it has is damaged. The lock is held.
func (r *round) fails(p *replica, err error) (damaged bool) {
	p.state, p.err = failed, err
	r.rd.stats.failures.Inc()
	var e *wire.Error
	if !errors.As(err, &e) {
		return false
	}
	if e.Code == wire.CodeCorrupt {
		r.rd.stats.corrupt.Inc()
		damaged = true
	}
	if epoch := r.changedAt(err); epoch > 0 {
		r.stale = epoch
		r.finish(errStale)
	}
	return damaged
}

// changedAt is the epoch of a node that refuses what was planned before it; 0
// for another error, or if it is no later.
func (r *round) changedAt(err error) uint64 {
	var e *wire.Error
	if !errors.As(err, &e) || e.Epoch <= r.top.Epoch {
		return 0
	}
	switch e.Code {
	case wire.CodeStale, wire.CodeNotOwner, wire.CodeUnknownTable:
		return e.Epoch
	}
	return 0
}

// step sees what is to be done after an answer. The lock is held.
func (r *round) step() {
	if r.phase != phaseAsk {
		return
	}
	for {
		enough, hopeless := r.tally()
		switch {
		case hopeless:
			r.finish(r.failure())
			return
		case !enough:
			return
		case r.digests && !r.full && !r.agree():
			r.full = true
			continue
		}
		break
	}
	r.collected()
}

// tally counts what has come and asks more replicas if some have failed.
// enough means that the level is reached, with data; hopeless that it cannot be
// any more.
func (r *round) tally() (enough, hopeless bool) {
	enough = true
	data, coming := false, false
	for g := range r.targets.groups {
		var have, waiting int32
		for i := range r.replicas {
			p := &r.replicas[i]
			if int(r.targets.nodes[i].group) != g {
				continue
			}
			switch {
			case p.state == hasData:
				have++
				data = true
			case p.state == hasDigest && !r.full:
				have++
			case p.state == hasDigest:
				r.want(i, true)
				waiting++
				coming = true
			case p.state == asked || p.state == toAsk:
				if p.data || !r.full {
					coming = coming || p.data
				}
				waiting++
			}
		}
		for need := r.targets.need[g]; have+waiting < need; waiting++ {
			i := r.spare(g)
			if i < 0 {
				return false, true
			}
			r.want(i, r.full || !data && !coming)
			coming = coming || r.replicas[i].data
		}
		enough = enough && have >= r.targets.need[g]
	}
	if !data && !coming {
		// All that answered told digests, and whoever was to send data failed.
		for i := range r.replicas {
			if r.replicas[i].state == hasDigest {
				r.want(i, true)
				break
			}
		}
	}
	return enough && data, false
}

// spare finds a replica of the group that was not asked, or -1.
func (r *round) spare(group int) int {
	for i := range r.replicas {
		if r.replicas[i].state == spare && int(r.targets.nodes[i].group) == group {
			return i
		}
	}
	return -1
}

// agree tells whether the data and the digests that came are of one result.
func (r *round) agree() bool {
	var sum [16]byte
	known := false
	for i := range r.replicas {
		p := &r.replicas[i]
		if p.state != hasDigest {
			continue
		}
		if known && p.reply.Digest != sum && !fail.Mutant("ignore-digests") {
			return false
		}
		sum, known = p.reply.Digest, true
	}
	for i := range r.replicas {
		p := &r.replicas[i]
		if p.state != hasData {
			continue
		}
		d, ok := r.digestOf(p)
		if !ok || known && d != sum && !fail.Mutant("ignore-digests") {
			return false
		}
		sum, known = d, true
	}
	return true
}

// digestOf is the digest of a page; false if the page was cut for its bytes,
// so that no digest is comparable.
func (r *round) digestOf(p *replica) (sum [16]byte, ok bool) {
	r.rows.Init(p.reply.Rows, p.reply.More, r.read.Reverse)
	r.sum.Reset(r.read.Now, r.read.Columns)
	rows, _, err := digestOf(&r.sum, &r.rows, wire.Limits{Now: r.read.Now})
	if err != nil || p.reply.More && (r.read.Limit == 0 || rows < r.read.Limit) {
		return sum, false
	}
	return r.sum.Sum(), true
}

// collected has enough answers: if the pages differ they are merged on a
// worker, since that takes a while.
func (r *round) collected() {
	r.result.use(r)
	if r.digests && !r.full || r.result.same() {
		r.finish(nil)
		return
	}
	r.rd.stats.mismatches.Inc()
	r.phase = phaseResolve
	r.refs++
	if !r.rd.workers.submit(r) {
		r.refs--
		r.finish(errBusy)
	}
}

// run implements task: it resolves the pages.
func (r *round) run() {
	r.resolve()
	r.release()
}

// finish ends the round. The lock is held; unlock tells the owner.
func (r *round) finish(err error) {
	r.phase, r.err, r.tell = phaseOver, err, true
	for i := range r.replicas {
		if r.replicas[i].state == toAsk {
			r.replicas[i].state = spare
			r.refs--
		}
	}
	r.stopHedge()
}

// unlock gives the lock back and tells the owner if the round is over by now.
func (r *round) unlock() {
	tell := r.tell
	r.tell = false
	r.mu.Unlock()
	if tell {
		if r.async != nil {
			r.async.roundOver()
		} else {
			r.ready <- struct{}{}
		}
	}
}

// hold notes whom the owner waits for; false if it must not.
func (r *round) hold() (ok bool) {
	ok = true
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.replicas {
		p := &r.replicas[i]
		if p.load == nil || p.state != asked && p.state != toAsk {
			continue
		}
		p.held = true
		ok = p.load.hold(r.rd.now(), int32(r.rd.cfg.Waiting)) && ok
	}
	return ok
}

// letGo is the end of hold.
func (r *round) letGo() {
	for i := range r.replicas {
		if p := &r.replicas[i]; p.held {
			p.held = false
			p.load.release()
		}
	}
}

// abandon is the owner's release of a round that it does not wait for.
func (r *round) abandon() {
	r.mu.Lock()
	if r.phase != phaseOver {
		r.finish(nil)
	}
	r.tell = false
	r.mu.Unlock()
	r.release()
}

// release gives a reference back.
func (r *round) release() {
	r.mu.Lock()
	r.refs--
	last := r.refs == 0
	r.mu.Unlock()
	if last {
		r.recycle()
	}
}

// keepBytes bounds the buffers of a round that is kept for the next read.
const keepBytes = 64 << 10

func (r *round) recycle() {
	r.async, r.top, r.table, r.latency, r.err = nil, nil, nil, nil, nil
	for i := range r.replicas {
		p := &r.replicas[i]
		p.load, p.err = nil, nil
		if cap(p.body)+cap(p.store.body) > keepBytes {
			p.body, p.store.body, p.reply = nil, nil, wire.ReadReply{}
		}
	}
	r.result.drop()
	r.rd.rounds.Put(r)
}

// startHedge asks one replica more after the table's delay.
func (r *round) startHedge(now time.Duration) {
	if len(r.targets.nodes) == r.targets.blockFor {
		return
	}
	limit := (r.deadline - now) / 2
	switch d := r.latency.hedge(now, limit); {
	case d < 0 || d > limit:
	case d == 0:
		r.hedgeOne()
	default:
		r.refs++
		r.hedging = true
		if r.hedge == nil {
			r.hedge = r.rd.cfg.Clock.AfterFunc(d, r.hedgeNow)
		} else {
			r.hedge.Reset(d)
		}
	}
}

func (r *round) stopHedge() {
	if r.hedging && r.hedge.Stop() {
		r.refs--
	}
	r.hedging = false
}

// hedgeNow is called by the timer, which holds a reference.
func (r *round) hedgeNow() {
	r.mu.Lock()
	r.hedging = false
	if r.phase == phaseAsk {
		r.hedgeOne()
	}
	r.unlock()
	r.send()
	r.release()
}

// hedgeOne marks a replica that was not needed so far, of a group that waits.
func (r *round) hedgeOne() {
	for g := range r.targets.groups {
		var have int32
		data := false
		for i := range r.replicas {
			p := &r.replicas[i]
			if int(r.targets.nodes[i].group) == g && (p.state == hasData || p.state == hasDigest && !r.full) {
				have++
			}
			data = data || p.state == hasData
		}
		if have < r.targets.need[g] || !data {
			if i := r.spare(g); i >= 0 {
				r.rd.stats.hedges.Inc()
				r.want(i, r.full || !data)
				return
			}
		}
	}
}
