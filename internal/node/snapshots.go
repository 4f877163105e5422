package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ilion-db/ilion/engine"
	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/schema"
)

// store is a node as the administration commands change it.
type store Node

var _ admin.Store = (*store)(nil)

// named are the tables that the names mean, in their order.
func (s *store) named(keyspace, table string) (all []*schema.Table, err error) {
	now := s.cluster.Schema()
	switch {
	case keyspace != "" && now.Keyspace(keyspace) == nil:
		return nil, fmt.Errorf("the keyspace %s does not exist", keyspace)
	case table != "" && now.Table(keyspace, table) == nil:
		return nil, fmt.Errorf("the table %s.%s does not exist", keyspace, table)
	}
	for _, ks := range now.Keyspaces {
		for _, t := range ks.Tables {
			if (keyspace == "" || t.Keyspace == keyspace) && (table == "" || t.Name == table) {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b *schema.Table) int {
		return cmp.Or(cmp.Compare(a.Keyspace, b.Keyspace), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// TakeSnapshot implements admin.Store. One that fails is not there.
func (s *store) TakeSnapshot(tag, keyspace, table string) (string, error) {
	if tag == "" {
		tag = strconv.FormatInt(s.opts.Clock.Now().UnixMilli(), 10)
	}
	all, err := s.named(keyspace, table)
	if err != nil {
		return "", err
	}
	taken := map[schema.TableID]bool{}
	for _, t := range all {
		var unknown *engine.UnknownTableError
		switch err := s.engine.Snapshot(t.ID, tag); {
		case errors.As(err, &unknown): // dropped meanwhile
		case err != nil:
			if len(taken) > 0 {
				err = errors.Join(err, s.engine.DropSnapshot(tag, func(id schema.TableID) bool { return taken[id] }))
			}
			return "", err
		default:
			taken[t.ID] = true
		}
	}
	if len(taken) == 0 {
		return "", errors.New("there is no table to take a snapshot of")
	}
	return tag, nil
}

// Snapshots implements admin.Store.
func (s *store) Snapshots() ([]admin.Snapshot, error) {
	list, err := s.engine.Snapshots()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(s.opts.Config.DataDir)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	now := s.cluster.Schema()
	all := make([]admin.Snapshot, 0, len(list))
	for _, x := range list {
		id := hex.EncodeToString(x.Table[:])
		shown := admin.Snapshot{Tag: x.Tag, Keyspace: "?", Table: id, Bytes: x.Bytes, Own: x.Own, Path: dir + "/snapshots/" + x.Tag + "/" + id}
		if t := now.TableByID(x.Table); t != nil {
			shown.Keyspace, shown.Table = t.Keyspace, t.Name
		}
		all = append(all, shown)
	}
	slices.SortFunc(all, func(a, b admin.Snapshot) int {
		return cmp.Or(cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Keyspace, b.Keyspace), cmp.Compare(a.Table, b.Table))
	})
	return all, nil
}

// ClearSnapshot implements admin.Store. Without a keyspace tables that were
// dropped are among them.
func (s *store) ClearSnapshot(tag, keyspace string) error {
	all, err := s.named(keyspace, "")
	if err != nil {
		return err
	}
	match := func(id schema.TableID) bool {
		return keyspace == "" || slices.ContainsFunc(all, func(t *schema.Table) bool { return t.ID == id })
	}
	if tag != "" {
		err := s.engine.DropSnapshot(tag, match)
		if errors.Is(err, engine.ErrNoSnapshot) {
			return fmt.Errorf("there is no snapshot %q", tag)
		}
		return err
	}
	list, err := s.engine.Snapshots()
	if err != nil {
		return err
	}
	for _, x := range list {
		if err := s.engine.DropSnapshot(x.Tag, match); err != nil && !errors.Is(err, engine.ErrNoSnapshot) {
			return err
		}
	}
	return nil
}

// Import implements admin.Store.
func (s *store) Import(ctx context.Context, keyspace, table, dir string) (files int, err error) {
	if keyspace == "" || table == "" || !filepath.IsAbs(dir) {
		return 0, errors.New("an import wants a keyspace, a table and an absolute path")
	}
	all, err := s.named(keyspace, table)
	if err != nil {
		return 0, err
	}
	return s.engine.Import(ctx, all[0].ID, filepath.Clean(dir))
}
