package metadata

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// metadataDir is where the log lies in a data directory, lockName what a
// running node holds, oldDir where Rejoin puts the log aside.
const (
	metadataDir = "metadata"
	oldDir      = "metadata.old"
	lockName    = "lock"
)

// lostColumns is how many column ids of each table a new generation leaves free:
// the lost nodes may have given them to columns that it does not know, and cells
// with these ids come back with the rows of a node that rejoins.
const lostColumns = 256

// Recover begins a new generation of the cluster from what this data directory
// knows, with only the given hosts as voters, or none for this node alone. It
// is for an operator whose cluster has lost the quorum of its voters for good:
// entries that only the lost ones have are gone, and nodes that have entries
// which this one has not are refused until they Rejoin. The node must not run.
func Recover(fs vfs.FS, dataDir, clusterName string, voters ...[16]byte) (*State, error) {
	return offline(fs, dataDir, clusterName, func(id *Identity) (*State, error) {
		// The generation is the files' own: one that began earlier is among their entries.
		h, s, err := openHistory(fs, path.Join(dataDir, metadataDir), 0, nil, 0)
		if err != nil {
			return nil, err
		}
		if s, err = beginGeneration(h, s, id.HostID, voters); err != nil {
			return nil, errors.Join(err, h.close())
		}
		return s, h.close()
	})
}

func beginGeneration(h *history, s *State, host [16]byte, voters [][16]byte) (*State, error) {
	if len(voters) == 0 {
		voters = [][16]byte{host}
	}
	if len(voters) > maxVoters {
		return nil, fmt.Errorf("%d voters, at most %d are possible", len(voters), maxVoters)
	}
	for _, v := range voters {
		if _, found := memberAt(s.Members, v); !found {
			return nil, fmt.Errorf("%w: %x", ErrNoMember, v)
		}
	}
	if s.Generation == 1<<16-1 {
		return nil, errors.New("no generation is left")
	}
	c := &command{term: max(s.term, 1) + 1, recovery: s.Generation + 1, voters: sortedHosts(voters), proposer: host, skipped: lostColumns}
	s, _, err := h.append(s, kindCommand, host, appendCommand(nil, c))
	return s, err
}

// Rejoin replaces what this data directory knows of the cluster by what a
// member's ServePull(0, ...) answered, after a forced recovery that this node
// was not part of. Rows stay. The node must be a member of the cluster that it
// returns to, and must not run. It is refused where its rows would be read as
// something else by the schema of the cluster.
func Rejoin(fs vfs.FS, dataDir, clusterName string, joined []byte) (*State, error) {
	return offline(fs, dataDir, clusterName, func(id *Identity) (*State, error) {
		p, err := decodePull(joined)
		if err != nil {
			return nil, err
		}
		s := p.snapshot
		if s == nil || s.Generation <= id.Generation {
			return nil, fmt.Errorf("the cluster is not of a later generation than %d", id.Generation)
		}
		if _, found := memberAt(s.Members, id.HostID); !found {
			return nil, fmt.Errorf("%w: %x", ErrNoMember, id.HostID)
		}
		old, err := knownSchema(fs, dataDir)
		if err == nil {
			err = readableBy(old, s.Schema)
		}
		if err != nil {
			return nil, err
		}
		return s, replaceHistory(fs, dataDir, id.DiskID, s)
	})
}

// knownSchema is the schema that the directory's rows were written by. After a
// crash in replaceHistory it may lie in the directory that was put aside.
func knownSchema(fs vfs.FS, dataDir string) (*schema.Snapshot, error) {
	for _, dir := range []string{metadataDir, oldDir} {
		there, err := vfs.Exists(fs, path.Join(dataDir, dir))
		if err != nil {
			return nil, fmt.Errorf("metadata of the cluster: %w", err)
		}
		if there {
			h, s, err := openHistory(fs, path.Join(dataDir, dir), 0, nil, 0)
			if err != nil {
				return nil, err
			}
			return s.Schema, h.close()
		}
	}
	return schema.NewSnapshot(), nil
}

// readableBy tells why rows that were written by the old schema would be read as
// something else by the new one: columns are told apart by their ids, fields of
// user types by their positions.
func readableBy(old, s *schema.Snapshot) error {
	for _, name := range slices.Sorted(maps.Keys(old.Keyspaces)) {
		ks := old.Keyspaces[name]
		for _, t := range ks.Tables {
			if err := columnsReadableBy(t, s.TableByID(t.ID)); err != nil {
				return err
			}
		}
		after := s.Keyspace(name)
		if after == nil {
			continue
		}
		for _, t := range ks.Types {
			if err := fieldsReadableBy(name, t, after.Types[t.Name()]); err != nil {
				return err
			}
		}
	}
	return nil
}

// columnsReadableBy is readableBy for a table, which may be no more.
func columnsReadableBy(old, now *schema.Table) error {
	if now == nil {
		return nil
	}
	for _, c := range old.Columns() {
		n := now.ColumnByID(c.ID)
		if n != nil && n.Kind != schema.PartitionKey && n.Kind != schema.Clustering && (n.Name != c.Name || n.Type.String() != c.Type.String()) {
			return fmt.Errorf("values of the column %s %s of table %s.%s here would be read as those of the column %s %s, "+
				"which the cluster has added since: drop that one in the cluster first", c.Name, c.Type, old.Keyspace, old.Name, n.Name, n.Type)
		}
	}
	return nil
}

// fieldsReadableBy is readableBy for a user type, which may be no more.
func fieldsReadableBy(keyspace string, old, now *schema.Type) error {
	if now == nil {
		return nil
	}
	for i, field := range old.Fields() {
		if i < len(now.Fields()) && now.Fields()[i] == field && now.Elems()[i].String() == old.Elems()[i].String() {
			continue
		}
		return fmt.Errorf("the user type %s.%s has %s %s as its field %d here and not in the cluster, which would read it as another one: "+
			"give it that field in the cluster first, by ALTER TYPE", keyspace, old.Name(), field, old.Elems()[i], i+1)
	}
	return nil
}

// replaceHistory makes the state in a directory of its own and puts that in
// the place of the old one. A crash leaves the old one, or none and the node
// refuses to start until the call is repeated.
func replaceHistory(fs vfs.FS, dataDir string, disk [16]byte, s *State) error {
	dir, fresh, old := path.Join(dataDir, metadataDir), path.Join(dataDir, "metadata.new"), path.Join(dataDir, oldDir)
	if err := errors.Join(fs.RemoveAll(fresh), fs.RemoveAll(old)); err != nil {
		return fmt.Errorf("metadata of the cluster: %w", err)
	}
	h, _, err := openHistory(fs, fresh, 0, nil, s.Generation)
	if err != nil {
		return err
	}
	votes := raftFile{fs: fs, dir: fresh, warn: h.warn}
	err = errors.Join(h.compact(s), h.close(), votes.replace(&raftBase{generation: s.Generation}, nil), votes.close())
	if err != nil {
		return fmt.Errorf("metadata of the cluster: %w", err)
	}
	if err := writeOwner(fs, fresh, disk); err != nil {
		return err
	}
	if there, err := vfs.Exists(fs, dir); err != nil {
		return fmt.Errorf("metadata of the cluster: %w", err)
	} else if there {
		if err := fs.Rename(dir, old); err != nil {
			return fmt.Errorf("metadata of the cluster: %w", err)
		}
	}
	if err := errors.Join(fs.Rename(fresh, dir), fs.SyncDir(dataDir), fs.RemoveAll(old)); err != nil {
		return fmt.Errorf("metadata of the cluster: %w", err)
	}
	return nil
}

// offline runs do on the data directory of a node that does not run, and then
// has the identity follow.
func offline(fs vfs.FS, dataDir, clusterName string, do func(*Identity) (*State, error)) (s *State, err error) {
	// Where there is no node nothing is made, not even the lock.
	if _, err := ReadIdentity(fs, dataDir, clusterName); err != nil {
		return nil, err
	}
	lock, err := fs.Lock(path.Join(dataDir, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("data directory %s is in use by a node: %w", dataDir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("metadata of the cluster: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	id, err := ReadIdentity(fs, dataDir, clusterName)
	if err != nil {
		return nil, err
	}
	if s, err = do(&id); err != nil {
		return nil, err
	}
	id.Generation = s.Generation
	if err := vfs.WriteFileAtomic(fs, path.Join(dataDir, identityName), appendIdentity(nil, &id)); err != nil {
		return nil, fmt.Errorf("write the identity: %w", err)
	}
	return s, nil
}
