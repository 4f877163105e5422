package metadata

import (
	"errors"
	"time"

	"github.com/ilion-db/ilion/internal/vfs"
)

// patience is called after a write found the disk full, tells whether to try
// again and counts the tries from 0. Nil gives up.
type patience func(tries int, err error) bool

// writeAt writes all of p, again and again while the disk is full.
func (p patience) writeAt(f vfs.File, b []byte, off int64) error {
	return p.repeat(func() error { _, err := f.WriteAt(b, off); return err })
}

// writeFile is vfs.WriteFileAtomic, again and again while the disk is full.
func (p patience) writeFile(fs vfs.FS, name string, b []byte) error {
	return p.repeat(func() error { return vfs.WriteFileAtomic(fs, name, b) })
}

func (p patience) repeat(write func() error) error {
	for tries := 0; ; tries++ {
		err := write()
		if p == nil || !errors.Is(err, vfs.ErrNoSpace) || !p(tries, err) {
			return err
		}
	}
}

// spacePause is the pause before a full disk is tried again.
const spacePause = time.Second

// awaitSpace is the patience of a core that runs. What comes meanwhile waits, as
// for a slow disk: other voters go on without this one.
func (c *core) awaitSpace(tries int, err error) bool {
	if tries == 0 {
		c.l.opts.Warn("metadata: waiting for space on the disk: " + err.Error())
	}
	select {
	case <-c.l.clock.After(spacePause):
		return true
	case <-c.l.closing:
		return false
	}
}
