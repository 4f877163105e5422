package replicaread

import (
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// TryRows tells what the local replica's memory has of rows if that replica
// alone is enough for all of them, as cluster.Cluster says.
func (rd *Reader) TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, level ring.ConsistencyLevel, to mutation.RowReceiver) {
	top := rd.cfg.Topology()
	p, err := placement(top, table)
	if err != nil || checkLevel(p, level) != nil || p.BlockFor(level, top.Nodes[0].DC) != 1 || p.RF > 1 && rd.isDamaged(table) {
		return
	}
	for i := range keys {
		if !holds(p.Replicas(keys[i].Token)) {
			return
		}
		if len(top.Nodes) == 1 {
			break // all ranges are alike
		}
	}
	rd.cfg.Replica.TryRows(table, keys, now, to)
}
