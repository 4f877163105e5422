package node

import (
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/wireserver"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// statementBytes is about what a statement in work takes, which those of the
// wire protocol may do with half of what the share of bytes in flight has.
const statementBytes = 4 << 10

// clientOps are the operations of clients of the wire protocol.
var clientOps = []wire.Op{wire.OpPrepare, wire.OpExecute, wire.OpBatch, wire.OpQuery, wire.OpTopology}

// openClients makes the server of the wire protocol, whose connections come to
// the port of other nodes.
func (n *network) openClients(workers int) (err error) {
	inFlight := n.budget.Share(mem.InFlight).Limit()
	n.clients, err = wireserver.New(wireserver.Config{
		Topology:       n.cluster.Topology,
		RequestTimeout: n.opts.Config.RequestTimeout,
		MaxInFlight:    int(max(inFlight/2/statementBytes, 1024)),
		Workers:        workers,
		Clock:          n.opts.Clock,
		Metrics:        n.metrics,
		Log:            n.Node.log,
	}, n.query)
	if err != nil {
		return err
	}
	handlers := n.clients.Handlers()
	n.clientHandlers.Store(&handlers)
	return nil
}

// serveClient serves a client once there is what it takes.
func (n *network) serveClient(r *rpc.Request) {
	handlers := n.clientHandlers.Load()
	if handlers == nil || !n.up.Load() {
		r.Fail(starting())
		return
	}
	(*handlers)[r.Op()](r)
}
