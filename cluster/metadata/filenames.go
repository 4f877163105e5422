package metadata

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/internal/vfs"
)

func logName(dir string, index uint64) string {
	return path.Join(dir, fmt.Sprintf("log-%016x.meta", index))
}

func snapshotName(dir string, index uint64) string {
	return path.Join(dir, fmt.Sprintf("snapshot-%016x.meta", index))
}

// files are the indexes in the names of a directory, ascending.
type files struct {
	logs, snapshots, rafts []uint64
}

func listFiles(fs vfs.FS, dir string) (f files, err error) {
	names, err := fs.List(dir)
	if errors.Is(err, vfs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("metadata: list %s: %w", dir, err)
	}
	for _, n := range names {
		if i, ok := parseName(n, "log-"); ok {
			f.logs = append(f.logs, i)
		}
		if i, ok := parseName(n, "snapshot-"); ok {
			f.snapshots = append(f.snapshots, i)
		}
		if i, ok := parseName(n, "raft-"); ok {
			f.rafts = append(f.rafts, i)
		}
	}
	slices.Sort(f.rafts)
	slices.Sort(f.logs)
	slices.Sort(f.snapshots)
	return f, nil
}

func parseName(name, prefix string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	s, ok2 := strings.CutSuffix(s, ".meta")
	if !ok || !ok2 || len(s) != 16 {
		return 0, false
	}
	i, err := strconv.ParseUint(s, 16, 64)
	return i, err == nil
}
