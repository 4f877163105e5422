package engine

import (
	"context"
	"slices"

	"github.com/ilion-db/ilion/mutation"
)

// ReadDigest is the fingerprint (mutation.Digest) of the live result of cmd:
// of its columns, slices and limits.
func (e *Engine) ReadDigest(ctx context.Context, cmd *mutation.ReadCommand) ([16]byte, error) {
	src, err := e.Read(ctx, cmd)
	if err != nil {
		return [16]byte{}, err
	}
	defer src.Close()
	d := digester{src: src, cmd: cmd, slices: cmd.Slices}
	if cmd.Reverse {
		d.slices = slices.Clone(cmd.Slices)
		slices.Reverse(d.slices)
	}
	if d.slices == nil {
		d.slices = []mutation.Slice{{}}
	}
	d.digest.Reset(cmd.Now, cmd.Columns)
	for !d.full() && src.NextPartition() {
		if err := ctx.Err(); err != nil {
			return [16]byte{}, err
		}
		if err := d.partition(); err != nil {
			return [16]byte{}, err
		}
	}
	if err := src.Err(); err != nil {
		return [16]byte{}, err
	}
	return d.digest.Sum(), nil
}

type digester struct {
	src    mutation.Source
	cmd    *mutation.ReadCommand
	slices []mutation.Slice // in the direction of the read
	digest mutation.Digest
	rows   uint32
}

func (d *digester) full() bool { return d.cmd.Limit > 0 && d.rows >= d.cmd.Limit }

func (d *digester) partition() error {
	p := d.src.Partition()
	d.digest.Partition(p)
	if d.cmd.Static && p.Static != nil {
		if err := d.digest.Static(p.Static); err != nil {
			return err
		}
	}
	var rows uint32
	for _, s := range d.slices {
		from, to := s.Lo, s.Hi
		if d.cmd.Reverse {
			from, to = s.Hi, s.Lo
		}
		d.src.Seek(from)
		for d.src.Next() {
			it := d.src.Item()
			if d.beyond(it.Clustering, to) {
				break
			}
			if it.Kind != mutation.ItemRow {
				continue
			}
			var r mutation.RowReader
			if err := r.Init(it.Row); err != nil {
				return err
			}
			if !r.Live(d.cmd.Now) {
				continue
			}
			if err := d.digest.Row(it.Clustering, it.Row); err != nil {
				return err
			}
			rows++
			d.rows++
			if d.full() || d.cmd.PerPartitionLimit > 0 && rows >= d.cmd.PerPartitionLimit {
				return nil
			}
		}
	}
	return d.src.Err()
}

// beyond tells whether an item lies behind the end of a slice.
func (d *digester) beyond(clustering, to []byte) bool {
	if len(to) == 0 {
		return false
	}
	if d.cmd.Reverse {
		return string(clustering) < string(to)
	}
	return string(clustering) >= string(to)
}
