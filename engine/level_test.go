package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/ilion-db/ilion/internal/level"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// fileLevels are the format levels of the files of a table, ascending.
func fileLevels(t *testing.T, e *Engine, table int) (levels []uint16) {
	t.Helper()
	v := e.allTables()[schema.TableID{15: byte(table + 1)}].pin()
	defer v.drop()
	for _, f := range v.files {
		l := uint16(f.Properties().FormatLevel)
		levels = append(levels, l)
		if says := f.CreatedAt() != 0; says != (l >= level.Origins) {
			t.Errorf("file of level %d was made at %d", l, f.CreatedAt())
		}
		if f.created == 0 {
			t.Errorf("file of level %d has no time", l)
		}
	}
	slices.Sort(levels)
	return levels
}

// Files are written in the level in force; those of the level below are read,
// and written anew in the higher one when they are merged.
func TestRaiseLevel(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	e := mustOpen(t, o)
	table := schema.TableID{15: 1}
	row := 0
	flush := func(want ...uint16) {
		t.Helper()
		row++
		apply(t, e, insert(0, "k", int64(row), 10, "v"))
		if err := e.Flush(table); err != nil {
			t.Fatal(err)
		}
		if got := fileLevels(t, e, 0); !slices.Equal(got, want) {
			t.Errorf("levels %v, want %v", got, want)
		}
	}
	flush(1)
	flush(1, 1)
	e.RaiseLevel(level.Origins)
	flush(1, 1, 2)
	e.RaiseLevel(level.First) // nothing lowers it
	flush(1, 1, 2, 2)
	if err := e.Compact(ctx, table); err != nil {
		t.Fatal(err)
	}
	if got := fileLevels(t, e, 0); slices.Contains(got, level.First) {
		t.Errorf("levels %v after a compaction", got)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	o.Level = level.Origins
	e = mustOpen(t, o)
	for _, l := range fileLevels(t, e, 0) { // which have kept their times
		if l != level.Origins {
			t.Errorf("level %d after a restart", l)
		}
	}
	if got, want := fmt.Sprint(dump(t, e, 0, "k")), "[1=v@10 2=v@10 3=v@10 4=v@10]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
