package plan

import (
	"bytes"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/schema"
)

// ListCell is one live element of a list.
type ListCell struct {
	Column schema.ColumnID
	Path   []byte
	Value  []byte
}

// Prior is what a write has to have read of lists before it can name their
// elements: per row the live elements, by column and in list order.
type Prior struct {
	rows map[string][]ListCell
}

func priorKey(key, clustering []byte, static bool) string {
	kind := "r"
	if static {
		kind = "s"
	}
	return kind + string(be32(uint32(len(key)))) + string(key) + string(clustering)
}

// Load reads the rows that the command named. It does not close src.
func (p *Prior) Load(src mutation.Source, cmd *mutation.ReadCommand) error {
	if p.rows == nil {
		p.rows = make(map[string][]ListCell)
	}
	for src.NextPartition() {
		part := src.Partition()
		if part.Static != nil {
			if err := p.add(priorKey(part.Key, nil, true), part.Static, part.Deletion, cmd.Now); err != nil {
				return err
			}
		}
		if err := p.loadRows(src, cmd); err != nil {
			return err
		}
	}
	return src.Err()
}

func (p *Prior) loadRows(src mutation.Source, cmd *mutation.ReadCommand) error {
	part := src.Partition()
	pending := false // the current item lies behind the last slice
	for _, s := range cmd.Slices {
		ok := pending && bytes.Compare(src.Item().Clustering, s.Lo) >= 0
		if !ok {
			src.Seek(s.Lo)
		}
		cover := part.Deletion.Max(src.Open())
		if !ok {
			ok = src.Next()
		}
		for pending = false; ok; ok = src.Next() {
			it := src.Item()
			if pending = len(s.Hi) > 0 && bytes.Compare(it.Clustering, s.Hi) >= 0; pending {
				break
			}
			if it.Kind == mutation.ItemBoundary {
				cover = part.Deletion.Max(it.After)
				continue
			}
			if err := p.add(priorKey(part.Key, it.Clustering, false), it.Row, cover, cmd.Now); err != nil {
				return err
			}
		}
	}
	return src.Err()
}

func (p *Prior) add(key string, row []byte, cover mutation.Deletion, now uint32) error {
	var r mutation.RowReader
	if err := r.Init(row); err != nil {
		return err
	}
	cover = cover.Max(r.Deletion)
	var cells []ListCell
	for r.NextCell() {
		c := &r.Cell
		if c.Flags&mutation.CellPath != 0 && len(c.Path) == 16 && c.Live(now) && !cover.Covers(c.Timestamp) {
			cells = append(cells, ListCell{Column: c.Column, Path: append([]byte(nil), c.Path...), Value: append([]byte(nil), c.Value...)})
		}
	}
	p.rows[key] = cells
	return r.Err()
}

// prior returns what was read of a row or of the static row.
func (b *Binder) prior(k mutation.Key, clustering []byte, static bool) []ListCell {
	if b.opts.Prior == nil {
		return nil
	}
	return b.opts.Prior.rows[priorKey(k.Key, clustering, static)]
}

// ReadCommand says what has to be read before Bind, see NeedsRead.
func (m *Modification) ReadCommand(b *Binder, values []Value, o *Options) (*mutation.ReadCommand, error) {
	b.start(values, o)
	cmd := &mutation.ReadCommand{Table: m.Table.ID, Epoch: m.epoch, Now: o.now(), Static: len(m.static) > 0}
	if m.key != nil {
		k, err := m.singleKey(b)
		if err != nil {
			return nil, err
		}
		cmd.Keys = []mutation.Key{{Token: k.Token, Key: append([]byte(nil), k.Key...)}}
	} else {
		keys, err := partitionKeys(&b.binding, m.partition)
		if err != nil {
			return nil, err
		}
		cmd.Keys = keys
	}
	if len(m.row) == 0 {
		return cmd, nil
	}
	var err error
	if len(m.clustering.rs) > 0 {
		cmd.Slices, err = m.clustering.slices(&b.binding)
	} else {
		cmd.Slices = []mutation.Slice{{}}
	}
	return cmd, err
}
