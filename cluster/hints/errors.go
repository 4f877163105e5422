package hints

import (
	"errors"

	"github.com/ilion-db/ilion/internal/journal"
)

// Errors that callers compare with errors.Is.
var (
	// ErrExpired refuses a hint that is older than Options.MaxAge.
	ErrExpired = errors.New("hint is older than the hint window")
	// ErrRefused is wrapped by a Sender whose target will never take the hint:
	// its table is gone, what may have deleted it has been purged, or the record
	// is not valid there.
	ErrRefused = errors.New("hint is refused by its target")

	// ErrFull refuses a hint over Options.MaxBytes.
	ErrFull = journal.ErrFull
	// ErrNoSpace is the answer while the disk is full.
	ErrNoSpace = journal.ErrNoSpace
)
