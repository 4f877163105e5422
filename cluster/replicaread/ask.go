package replicaread

import (
	"errors"
	"time"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
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
	sums  bool // a digest of that data is needed
	local bool
	held  bool // the owner waits for it; the owner's
	lacks int  // repairs of it that are still to be acknowledged
	host  schema.UUID
	load  *peerLoad
	sent  time.Duration
	// messages are those for data and for a digest: one is still being sent while
	// its answer makes us send the other.
	messages [2]rpc.Message
	body     []byte // of the answer
	reply    wire.ReadReply
	// sum is the digest told or, with sums, that of the data; it means nothing
	// if there is none because a page was cut for its bytes.
	sum    [16]byte
	summed bool
	err    error
	store  store // of the local replica, and what digests are made with
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
		p.round, p.state, p.data, p.sums, p.err = r, spare, false, false, nil
		p.local, p.host, p.load, p.lacks = node.Local, node.HostID, nil, 0
		if !p.local {
			p.load = r.rd.peerOf(node.HostID)
		}
	}
	r.stale, r.repairs, r.unsaved = 0, 0, false
	r.digests = !r.sec.ranged && r.targets.blockFor > 1
	r.full = !r.digests
}

// wantFirst marks the replicas that a round begins with. The lock is held.
func (r *round) wantFirst() {
	var missing [maxGroups]int32
	copy(missing[:], r.targets.need[:r.targets.groups])
	for i := range r.replicas {
		if g := r.targets.nodes[i].group; missing[g] > 0 {
			missing[g]--
			r.want(i, !r.digests || i == 0)
		}
	}
}

// want marks a replica to be asked by send. The lock is held.
func (r *round) want(i int, data bool) {
	p := &r.replicas[i]
	p.state, p.data, p.sums = toAsk, data, data && !r.full
	r.refs++
}

// send asks the replicas that are marked. It is called without the lock and
// with a reference.
func (r *round) send() {
	for {
		switch p := r.nextToAsk(); {
		case p == nil:
			return
		case p.local:
			p.askLocal()
		default:
			p.askPeer()
		}
	}
}

// nextToAsk takes a replica that is marked; nil if there is none.
func (r *round) nextToAsk() *replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == phaseOver {
		return nil
	}
	for i := range r.replicas {
		if p := &r.replicas[i]; p.state == toAsk {
			p.state, p.sent = asked, r.rd.now()
			return p
		}
	}
	return nil
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
		p.load.answered()
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
	p.load.answered()
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
		r.limitLocal()
		if r.rd.workers.Submit((*localRead)(p)) {
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

// took makes what was read locally the replica's answer. An error is what a peer
// would be told, so that the client is given the same reason for it.
func (p *replica) took(err error) {
	if err != nil {
		p.round.settle(p, p.round.rd.wireError(err))
		return
	}
	p.reply = p.store.reply
	p.reply.Rows = p.store.body
	p.round.settle(p, nil)
}
