package coordinator

import (
	"slices"

	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// own is a request of this node to itself.
type own struct {
	host [16]byte
	m    rpc.Message
	r    rpc.Receiver
}

var _ incoming = (*own)(nil)

// ServeOwn answers a request of this node to itself, by the same rules as Serve
// does one of another node: a hint for its own store. It never waits. The body of
// m must stay as it is until r has been told the answer, once, maybe before
// ServeOwn returns; m must have no Parts. Once the cluster is closed there may be
// no answer.
func (c *Cluster) ServeOwn(m *rpc.Message, r rpc.Receiver) {
	c.serve(&own{host: c.cfg.HostID, m: *m, r: r})
}

func (o *own) From() [16]byte  { return o.host }
func (o *own) Op() wire.Op     { return o.m.Op }
func (o *own) Epoch() uint64   { return o.m.Epoch }
func (o *own) Deadline() int64 { return o.m.Deadline }
func (o *own) Body() []byte    { return o.m.Body }

func (o *own) ReplyEpoch(epoch uint64, parts ...[]byte) {
	o.r.Receive(&rpc.Answer{Epoch: epoch, Body: slices.Concat(parts...)})
}

func (o *own) Fail(e *wire.Error) {
	refusal := *e // which is its owner's again
	o.r.Receive(&rpc.Answer{Epoch: e.Epoch, Err: &refusal})
}
