package coordinator

import (
	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// TryWriteEach implements cluster.Cluster: the store takes all records at once if
// nobody else holds their partitions.
func (c *Cluster) TryWriteEach(w *cluster.Write) error {
	if !w.Consistency.Valid() || w.Consistency.IsSerial() {
		return mutation.ErrWouldBlock
	}
	tk := c.gate.enter(w.Records[0].Token())
	defer c.gate.leave(tk)
	v := c.view.Load()
	if !v.holdsAlone(w.Records, w.Consistency) {
		return mutation.ErrWouldBlock
	}
	for _, r := range w.Records {
		if err := c.order(r, false); err != nil {
			return err
		}
	}
	return c.cfg.Replica.TryApply(w.Records, false, w.Done)
}

// holdsAlone tells whether this node is the only one to hold any of the records,
// which can be written at the level.
func (v *view) holdsAlone(records []mutation.Record, level ring.ConsistencyLevel) bool {
	var t *table
	var id schema.TableID
	for i, r := range records {
		if now := r.Table(); i == 0 || now != id {
			id, t = now, v.tables[now]
			if t == nil || t.closed {
				return false
			}
		} else if len(v.members) == 1 {
			continue // all ranges are alike
		}
		set := t.Replicas(r.Token())
		if len(set.Write) != 1 || set.Write[0] != 0 || v.available(t.placement, set, level) != nil {
			return false
		}
	}
	return true
}

// TryRows implements cluster.Cluster.
func (c *Cluster) TryRows(table schema.TableID, keys []mutation.RowKey, now uint32, level ring.ConsistencyLevel, to mutation.RowReceiver) {
	c.cfg.Reader.TryRows(table, keys, now, level, to)
}
