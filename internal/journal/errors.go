package journal

import (
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/internal/vfs"
)

// Errors that callers compare with errors.Is.
var (
	// ErrFull refuses an entry that would exceed Options.MaxBytes.
	ErrFull = errors.New("journal is full")
	// ErrBacklog refuses an entry because too much waits for the disk.
	ErrBacklog = errors.New("journal: too much waits to be written")
	// ErrTooLarge refuses an entry over MaxEntry.
	ErrTooLarge = errors.New("journal: entry is too large")
	// ErrNoSpace is the answer when the disk is full. The entry is not
	// acknowledged; appends work again once there is space.
	ErrNoSpace = errors.New("no space for the journal")
	// ErrFailed is the answer when a write or sync failed. Nobody can tell
	// whether the entry will be found.
	ErrFailed = errors.New("journal write failed")
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("journal is closed")
	// ErrCorrupt is matched by every *Damage.
	ErrCorrupt = errors.New("journal is corrupt")
	// ErrUnsupported means that a newer version wrote a segment.
	ErrUnsupported = errors.New("journal was written by a newer version")
)

// Damage is a part of a segment that cannot be read although it was durable.
type Damage struct {
	Stream  [16]byte
	Segment uint64
	File    string
	Offset  int64
	Length  int64 // 0 if whole frames are missing and nobody knows how many
	Detail  string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("journal: corrupt segment %s at offset %d: %s", d.File, d.Offset, d.Detail)
}

// Is matches ErrCorrupt.
func (d *Damage) Is(target error) bool { return target == ErrCorrupt }

// classify wraps the error of a write or sync as an append's answer.
func classify(err error) error {
	if errors.Is(err, vfs.ErrNoSpace) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}
