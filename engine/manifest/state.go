package manifest

import (
	"maps"

	"github.com/ilion-db/ilion/commitlog"
	"github.com/ilion-db/ilion/schema"
)

// File is a live table file.
type File struct {
	ID   uint64
	Size int64
}

// Table is what the manifest knows of one table.
type Table struct {
	Files       map[uint64]File
	Flushed     Mark   // records below it are in files
	Truncated   Mark   // records below it are gone
	TruncatedAt int64  // microseconds, 0 for never
	PurgedTo    uint32 // highest local deletion time ever purged at
}

// State is the content of a manifest.
type State struct {
	NextFileID uint64
	LogStart   commitlog.Position // no table needs a record below it
	Tables     map[schema.TableID]*Table
}

func newState() *State { return &State{NextFileID: 1, Tables: map[schema.TableID]*Table{}} }

func (s *State) table(id schema.TableID) *Table {
	t := s.Tables[id]
	if t == nil {
		t = &Table{Files: map[uint64]File{}}
		s.Tables[id] = t
	}
	return t
}

// Clone returns a deep copy.
func (s *State) Clone() *State {
	c := &State{NextFileID: s.NextFileID, LogStart: s.LogStart, Tables: make(map[schema.TableID]*Table, len(s.Tables))}
	for id, t := range s.Tables {
		n := *t
		n.Files = maps.Clone(t.Files)
		c.Tables[id] = &n
	}
	return c
}
