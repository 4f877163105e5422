package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/cluster/metadata"
	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/rpc"
)

// Recover begins a new generation of the cluster from what the data directory
// of a stopped node knows, for a cluster whose voters are lost for good in their
// majority. It returns the generation. The nodes of the older one are refused
// from then on, until they Rejoin.
func Recover(o Options) (generation uint16, err error) {
	s, err := metadata.Recover(o.FS, o.Config.DataDir, o.Config.ClusterName)
	if err != nil {
		return 0, err
	}
	return s.Generation, nil
}

// Rejoin brings the data directory of a stopped node, which was not part of a
// forced recovery, back to its cluster, of which a member answers at the first
// address of Config.Join. Its rows stay; what it knew of schema and members is
// replaced.
func Rejoin(ctx context.Context, o Options) (generation uint16, err error) {
	c := &o.Config
	id, err := metadata.ReadIdentity(o.FS, c.DataDir, c.ClusterName)
	if err != nil {
		return 0, err
	}
	if len(c.Join) == 0 {
		return 0, errors.New("--join must name a member of the cluster to return to")
	}
	at, err := c.Seed(c.Join[0])
	if err != nil {
		return 0, err
	}
	key, err := readKey(o.FS, c.ClusterKeyFile)
	if err != nil {
		return 0, err
	}
	endpoint, err := rpc.New(rpc.Config{
		Clock: o.Clock, Transport: o.Transport, Rand: o.Rand.Split(), Log: o.Log, Key: key,
		Hello: func(wire.Purpose) wire.Hello {
			// No cluster id: that of the older generation would be refused.
			return wire.Hello{
				ClusterName: id.ClusterName, HostID: id.HostID, DiskID: id.DiskID, BootCount: id.BootCount, ClockMark: id.ClockMark,
				Lowest: id.FormatLevel, Highest: level.Highest,
			}
		},
	})
	if err != nil {
		return 0, err
	}
	defer endpoint.Close()
	everything := wire.Pull{}
	hello, snapshot, err := endpoint.CallAddress(ctx, at, wire.PurposeJoin, &rpc.Message{Op: wire.OpPull, Lane: rpc.Bulk, Body: everything.Append(nil)})
	if err != nil {
		return 0, fmt.Errorf("rejoin: %w", err)
	}
	if hello.ClusterID != id.ClusterID {
		return 0, fmt.Errorf("rejoin: at %s is another cluster than that of %s", at, c.DataDir)
	}
	s, err := metadata.Rejoin(o.FS, c.DataDir, c.ClusterName, snapshot)
	if err != nil {
		return 0, err
	}
	return s.Generation, nil
}

// minKey and maxKey bound the file of the cluster's key in bytes.
const (
	minKey = 16
	maxKey = 64 << 10
)

// readKey reads the cluster's key, none if no file is named.
func readKey(fs vfs.FS, file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	key, err := vfs.ReadFile(fs, file, maxKey)
	if err != nil {
		return nil, fmt.Errorf("cluster-key-file: %w", err)
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("cluster-key-file: %s is empty", file)
	}
	if len(key) < minKey {
		return nil, fmt.Errorf("cluster-key-file: %s has %d bytes, which can be guessed: at least %d are needed, say of `head -c 32 /dev/urandom`", file, len(key), minKey)
	}
	return key, nil
}
