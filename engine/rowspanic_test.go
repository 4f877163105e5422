package engine

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
)

// panicking is a receiver that panics.
type panicking struct{}

func (panicking) Row(int, []byte) { panic("as told") }

// A receiver that panics holds nothing back: neither the memory of rows that are
// written over, nor the block of a file.
func TestRowsLetGoOnPanic(t *testing.T) {
	key := mutation.RowKey{Key: keyOf("p"), Clustering: ck(1)}
	// grown is what a row that is written over and over takes.
	grown := func(before func(*Engine)) int64 {
		e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
		defer e.Close()
		apply(t, e, insert(0, "p", 1, 1, "v"))
		before(e)
		m := e.allTables()[table0].current.Load().mems[0]
		value := strings.Repeat("v", 200)
		for ts := range int64(5_000) {
			if err := m.Put(insert(0, "p", 1, 2+ts, value), nil); err != nil {
				t.Fatal(err)
			}
		}
		return m.Bytes()
	}
	usual := grown(func(*Engine) {})
	after := grown(func(e *Engine) {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		e.TryRows(table0, []mutation.RowKey{key}, 1000, panicking{})
	})
	if after > 2*usual {
		t.Errorf("the row takes %d bytes after a panic, else %d", after, usual)
	}
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	apply(t, e, insert(0, "p", 1, 1, "v"))
	flush(t, e)
	r := &rowReader{view: e.allTables()[table0].pin(), now: 1000}
	defer r.view.drop()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic at a row of a file")
			}
		}()
		r.read(e, []mutation.RowKey{key}, 0, panicking{})
	}()
	if r.opened {
		t.Error("the file is being read still")
	}
}
