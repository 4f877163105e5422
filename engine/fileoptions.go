package engine

import (
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/sstable"
)

// writerOptions are how files of the table are written, by its definition.
func (e *Engine) writerOptions(t *table) sstable.Options {
	def := t.def.Load()
	o := sstable.Options{
		BlockSize:   e.opts.BlockSize,
		Codec:       codecs[def.Options.Compressor()],
		FilterFP:    def.Options.BloomFilterFPChance,
		Direct:      true,
		Table:       def.ID,
		SchemaEpoch: def.Epoch,
		HostID:      e.opts.HostID,
		FormatLevel: e.level.Load(),
	}
	if len(def.Clustering) > 0 && o.BlockSize == pointBlockSize {
		// Slices read many rows of a partition: larger blocks cost them fewer
		// reads and compress better.
		o.BlockSize = wideBlockSize
	}
	if n := def.Options.ChunkLength(); o.Codec != sstable.None && n >= 4<<10 && n <= 64<<10 && n != 16<<10 {
		// 16 KiB is Cassandra's default and says nothing of what the user wants.
		o.BlockSize = n
	}
	for _, c := range def.Columns() {
		o.Columns = append(o.Columns, sstable.Column{ID: c.ID, Kind: c.Kind, Type: c.Type.String()})
	}
	for _, c := range def.Dropped {
		o.Columns = append(o.Columns, sstable.Column{ID: c.ID, Kind: c.Kind, Type: c.Type.String(), DroppedAt: c.DroppedAt})
	}
	return o
}

// Sizes of blocks unless the table or the options say another: for tables
// without clustering columns, which are read by key, and with.
const (
	pointBlockSize = 4 << 10
	wideBlockSize  = 16 << 10
)

var codecs = [...]sstable.Codec{
	schema.CompressNone:   sstable.None,
	schema.CompressLZ4:    sstable.LZ4,
	schema.CompressSnappy: sstable.Snappy,
	schema.CompressZstd:   sstable.Zstd,
}
