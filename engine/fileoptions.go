package engine

import (
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/sstable"
)

// writerOptions are how files of the table are written, by its definition.
func (e *Engine) writerOptions(t *table) sstable.Options {
	def := t.def.Load()
	o := sstable.Options{
		BlockSize:   e.opts.BlockSize,
		Codec:       sstable.LZ4,
		FilterFP:    def.Options.BloomFilterFPChance,
		Direct:      true,
		Table:       def.ID,
		SchemaEpoch: def.Epoch,
		HostID:      e.opts.HostID,
	}
	o.Codec = codecOf(def.Options.Compression)
	if len(def.Clustering) > 0 && o.BlockSize == pointBlockSize {
		// Slices read many rows of a partition: larger blocks cost them fewer
		// reads and compress better.
		o.BlockSize = wideBlockSize
	}
	if kb, err := strconv.Atoi(def.Options.Compression["chunk_length_in_kb"]); err == nil && o.Codec != sstable.None && kb >= 4 && kb <= 64 && kb != 16 {
		// 16 is Cassandra's default and says nothing of what the user wants.
		o.BlockSize = kb << 10
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

func codecOf(compression map[string]string) sstable.Codec {
	if compression["enabled"] == "false" {
		return sstable.None
	}
	switch compression["class"][strings.LastIndexByte(compression["class"], '.')+1:] {
	case "SnappyCompressor":
		return sstable.Snappy
	case "ZstdCompressor", "DeflateCompressor", "ZstdDictionaryCompressor":
		return sstable.Zstd
	case "LZ4Compressor":
		return sstable.LZ4
	}
	return sstable.None
}
