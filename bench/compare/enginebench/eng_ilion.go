package main

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/engine"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/mem"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// ilionEng stores a row per partition: the key's first 8 bytes stand for its
// token, so that token order is key order and scans mean the same as elsewhere.
type ilionEng struct {
	e    *engine.Engine
	id   schema.TableID
	pool sync.Pool // of *ilionScratch
}

// ilionScratch is what one call needs, kept for the next.
type ilionScratch struct {
	b    mutation.Builder
	recs []mutation.Record
	cmd  mutation.ReadCommand
	keys [1]mutation.Key
	row  mutation.RowReader
}

func init() { register("ilion", func() Engine { return &ilionEng{} }) }

func (x *ilionEng) Open(o Options) error {
	x.id = schema.TableID{15: 1}
	x.pool.New = func() any { return new(ilionScratch) }
	def := &schema.Table{
		ID: x.id, Keyspace: "bench", Name: "kv",
		PartitionKey: []*schema.Column{{ID: 1, Name: "k", Kind: schema.PartitionKey, Type: schema.TypeBlob}},
		Regular:      []*schema.Column{{ID: 2, Name: "v", Kind: schema.Regular, Position: -1, Type: schema.TypeBlob}},
		NextColumnID: 3, Options: schema.DefaultOptions(),
	}
	def.Options.Compression = map[string]string{"class": "org.apache.cassandra.io.compress.SnappyCompressor", "chunk_length_in_kb": "4"}
	def.Init()
	s := schema.NewSnapshot()
	ks := &schema.Keyspace{Name: "bench", Replication: map[string]string{"class": "SimpleStrategy", "replication_factor": "1"}, DurableWrites: true}
	for i, c := range []schema.Change{{Kind: schema.CreateKeyspace, Keyspace: ks}, {Kind: schema.CreateTable, Table: def}} {
		next, err := s.Apply(c, uint64(i+1))
		if err != nil {
			return err
		}
		s = next
	}
	mode := commitlog.Periodic
	if o.Sync {
		mode = commitlog.Batch
	}
	// The shares are fractions of one number: 35 % for the cache, 25 % for all
	// memtables, of which one may be flushed while the next fills.
	budget := max(o.CacheBytes*100/35, 2*o.MemBytes*100/25)
	e, err := engine.Open(engine.Options{
		FS: vfs.OS, Dir: o.Dir, Clock: clock.Real, Rand: rand.NewSecure(), Schema: s,
		Budget: mem.NewBudget(budget), Sync: mode, MemtableSize: o.MemBytes,
	})
	x.e = e
	return err
}

func (x *ilionEng) scratch() *ilionScratch { return x.pool.Get().(*ilionScratch) }

func (x *ilionEng) free(s *ilionScratch) { x.pool.Put(s) }

func token(key []byte) ring.Token { return ring.TokenFromOrdered(binary.BigEndian.Uint64(key)) }

func (x *ilionEng) PutBatch(keys, vals [][]byte) error {
	s := x.scratch()
	defer x.free(s)
	now := clock.Real.Now().UnixMicro()
	for len(s.recs) < len(keys) {
		s.recs = append(s.recs, nil)
	}
	for i, k := range keys {
		s.b.Begin(s.recs[i], mutation.Header{Table: x.id, Timestamp: now, Token: token(k), Key: k})
		s.b.BeginRow(nil)
		s.b.Cell(mutation.Cell{Column: 2, Timestamp: now, Value: vals[i]})
		s.b.EndRow()
		s.recs[i] = s.b.Finish()
	}
	return x.e.ApplySync(context.Background(), s.recs[:len(keys)]...)
}

func (x *ilionEng) Get(key, dst []byte) ([]byte, bool, error) {
	s := x.scratch()
	defer x.free(s)
	s.keys[0] = mutation.Key{Token: token(key), Key: key}
	s.cmd = mutation.ReadCommand{Table: x.id, Keys: s.keys[:]}
	src, err := x.e.Read(context.Background(), &s.cmd)
	if err != nil {
		return nil, false, err
	}
	defer src.Close()
	if !src.NextPartition() {
		return dst[:0], false, src.Err()
	}
	src.Seek(nil)
	if !src.Next() {
		return dst[:0], false, src.Err()
	}
	if err := s.row.Init(src.Item().Row); err != nil {
		return nil, false, err
	}
	ok := s.row.NextCell()
	return append(dst[:0], s.row.Cell.Value...), ok, s.row.Err()
}

func (x *ilionEng) Scan(start []byte, n int, fn func(k, v []byte)) (int, error) {
	s := x.scratch()
	defer x.free(s)
	s.cmd = mutation.ReadCommand{Table: x.id, Range: mutation.PartitionRange{Start: &mutation.PartitionBound{Token: token(start), Key: start}}}
	src, err := x.e.Read(context.Background(), &s.cmd)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	i := 0
	for i < n && src.NextPartition() {
		src.Seek(nil)
		if !src.Next() {
			break
		}
		if err := s.row.Init(src.Item().Row); err != nil {
			return i, err
		}
		s.row.NextCell()
		fn(src.Partition().Key, s.row.Cell.Value)
		i++
	}
	return i, src.Err()
}

func (x *ilionEng) Close() error { return x.e.Close() }
