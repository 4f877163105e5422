package clustertest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// ErrUnknownTable is the Store's answer to a request for a table that its
// schema does not have.
var ErrUnknownTable = errors.New("clustertest: unknown table")

// Store is a cluster.Replica in memory. The zero value is empty and knows no
// table. Safe for concurrent use; the hooks must be set before that.
type Store struct {
	// BeforeApply, if not nil, may refuse a write: mutation.ErrWouldBlock from
	// a try, anything else from both.
	BeforeApply func(records []mutation.Record, try bool) error
	// BeforeRead may refuse a read likewise.
	BeforeRead func(cmd *mutation.ReadCommand, try bool) error
	// Acknowledge, if not nil, is given each write's outcome to pass on, at
	// once or later.
	Acknowledge func(done func())
	// Purged is what PurgedTo tells.
	Purged uint32

	mu        sync.Mutex // protects what follows
	tables    map[schema.TableID]map[string]*partition
	truncated map[schema.TableID]int64
	// Applied counts records.
	applied int
}

type partition struct {
	token ring.Token
	key   []byte
	model *mutationtest.Model
}

var _ cluster.Replica = (*Store)(nil)

// TryApply implements cluster.Replica.
func (s *Store) TryApply(records []mutation.Record, _ bool, done cluster.Completer) error {
	return s.apply(records, done, true)
}

// Apply implements cluster.Replica.
func (s *Store) Apply(ctx context.Context, records []mutation.Record, _ bool, done cluster.Completer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.apply(records, done, false)
}

func (s *Store) apply(records []mutation.Record, done cluster.Completer, try bool) error {
	if s.BeforeApply != nil {
		if err := s.BeforeApply(records, try); err != nil {
			return err
		}
	}
	if err := s.put(records); err != nil {
		return err
	}
	if s.Acknowledge != nil {
		s.Acknowledge(func() { done.Complete(nil) })
	} else {
		done.Complete(nil)
	}
	return nil
}

func (s *Store) put(records []mutation.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if err := r.Check(); err != nil {
			return err
		}
		if s.tables[r.Table()] == nil {
			return ErrUnknownTable
		}
	}
	for _, r := range records {
		t := s.tables[r.Table()]
		p := t[string(r.Key())]
		if p == nil {
			p = &partition{r.Token(), bytes.Clone(r.Key()), mutationtest.NewModel()}
			t[string(r.Key())] = p
		}
		p.model.Apply(r)
		s.applied++
	}
	return nil
}

// Applied is how many records have been applied.
func (s *Store) Applied() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied
}

// TryRows implements cluster.Replica: it tells nothing, as a store does that has
// nothing in memory.
func (s *Store) TryRows(schema.TableID, []mutation.RowKey, uint32, mutation.RowReceiver) {}

// TryRead implements cluster.Replica. As a store on disk would, it leaves
// ranges to Read.
func (s *Store) TryRead(cmd *mutation.ReadCommand) (mutation.Source, error) {
	if cmd.Keys == nil {
		return nil, mutation.ErrWouldBlock
	}
	return s.read(cmd, true)
}

// Read implements cluster.Replica.
func (s *Store) Read(ctx context.Context, cmd *mutation.ReadCommand) (mutation.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.read(cmd, false)
}

func (s *Store) read(cmd *mutation.ReadCommand, try bool) (mutation.Source, error) {
	if s.BeforeRead != nil {
		if err := s.BeforeRead(cmd, try); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[cmd.Table]
	if t == nil {
		return nil, ErrUnknownTable
	}
	var found []*partition
	for _, p := range t {
		if wanted(cmd, p) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *partition) int {
		return cmp.Or(cmp.Compare(a.token, b.token), bytes.Compare(a.key, b.key))
	})
	src := &source{}
	for _, p := range found {
		src.parts = append(src.parts, p.model.Source(cmd.Reverse))
	}
	return src, nil
}

func wanted(cmd *mutation.ReadCommand, p *partition) bool {
	if cmd.Keys == nil {
		return cmd.Range.Contains(p.token, p.key)
	}
	return slices.ContainsFunc(cmd.Keys, func(k mutation.Key) bool { return k.Token == p.token && bytes.Equal(k.Key, p.key) })
}

// Truncate implements cluster.Replica.
func (s *Store) Truncate(_ context.Context, table schema.TableID, _ uint64, at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables[table] == nil {
		return ErrUnknownTable
	}
	s.tables[table] = map[string]*partition{}
	if s.truncated == nil {
		s.truncated = map[schema.TableID]int64{}
	}
	s.truncated[table] = at
	return nil
}

// Truncated implements cluster.Replica.
func (s *Store) Truncated(table schema.TableID) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truncated[table]
}

// SetPurgeBound implements cluster.Replica: nothing is ever purged.
func (s *Store) SetPurgeBound(schema.TableID, mutation.PartitionRange, uint32) error { return nil }

// PurgedTo implements cluster.Replica.
func (s *Store) PurgedTo(schema.TableID) uint32 { return s.Purged }

// ApplySchema implements cluster.Replica.
func (s *Store) ApplySchema(snap *schema.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tables := map[schema.TableID]map[string]*partition{}
	for _, ks := range snap.Keyspaces {
		for _, t := range ks.Tables {
			if tables[t.ID] = s.tables[t.ID]; tables[t.ID] == nil {
				tables[t.ID] = map[string]*partition{}
			}
		}
	}
	s.tables = tables
	return nil
}

// source is one partition's source after the other.
type source struct {
	parts []*mutationtest.Source
	at    *mutationtest.Source
}

func (s *source) NextPartition() bool {
	for len(s.parts) > 0 {
		s.at, s.parts = s.parts[0], s.parts[1:]
		if s.at.NextPartition() {
			return true
		}
	}
	return false
}

func (s *source) Partition() *mutation.Partition { return s.at.Partition() }
func (s *source) Seek(bound []byte)              { s.at.Seek(bound) }
func (s *source) Open() mutation.Deletion        { return s.at.Open() }
func (s *source) Next() bool                     { return s.at.Next() }
func (s *source) Item() *mutation.Item           { return s.at.Item() }
func (s *source) Err() error                     { return nil }
func (s *source) Close()                         { s.parts, s.at = nil, nil }
