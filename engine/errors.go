package engine

import (
	"errors"
	"fmt"

	"github.com/ilion-db/ilion/schema"
)

// Errors that callers compare with errors.Is.
var (
	// ErrFailed is the answer to writes once the log or the manifest could not
	// be written: what the disk holds is unknown until the engine is opened
	// again. Or the system has refused memory for what is in the log.
	ErrFailed = errors.New("engine: stopped, the node must be restarted")
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("engine: closed")
	// ErrDiskFull refuses writes while the disk is nearly full; they are
	// accepted again when there is space.
	ErrDiskFull = errors.New("engine: the disk is full, writes are refused until there is space")
)

// UnknownTableError is the answer to a request for a table that the engine
// does not have (any more).
type UnknownTableError struct{ ID schema.TableID }

func (e *UnknownTableError) Error() string {
	return fmt.Sprintf("engine: unknown table %x", e.ID)
}

// isDropped tells that a table is gone: one that somebody still had at hand.
func isDropped(err error) bool {
	var unknown *UnknownTableError
	return errors.As(err, &unknown)
}
