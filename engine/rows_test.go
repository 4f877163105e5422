package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// toldRows keeps what a mutation.RowReceiver is told.
type toldRows map[int]string

func (r toldRows) Row(i int, row []byte) {
	if _, twice := r[i]; twice {
		panic("told twice")
	}
	r[i] = ""
	if row != nil {
		r[i] = strings.TrimSpace(mutationtest.Row(row))
	}
}

// change makes a random record of one of few partitions.
func change(rnd *rand.Source, ts int64) mutation.Record {
	key := fmt.Sprint("p", rnd.Uint64()%40)
	c := int64(rnd.Uint64() % 3)
	var b mutation.Builder
	h := mutation.Header{Table: table0, Timestamp: ts, Token: ring.Murmur3([]byte(key)), Key: []byte(key)}
	b.Begin(nil, h)
	switch rnd.Uint64() % 20 {
	case 0:
		b.DeletePartition(mutation.Deletion{Timestamp: ts, LocalTime: 900, Set: true})
	case 1:
		b.DeleteRange(schema.BoundBefore(ck(0)), schema.BoundBefore(ck(2)), mutation.Deletion{Timestamp: ts, LocalTime: 900, Set: true})
	case 2:
		b.BeginRow(ck(c))
		b.DeleteRow(mutation.Deletion{Timestamp: ts, LocalTime: 900, Set: true})
		b.EndRow()
	case 3:
		b.BeginRow(ck(c))
		b.Cell(mutation.Cell{Column: 3, Flags: mutation.CellExpiring, Timestamp: ts, TTL: 50, LocalTime: 990, Value: []byte("dies")})
		b.EndRow()
	case 4:
		b.BeginRow(ck(c))
		b.Cell(mutation.Cell{Column: 3, Flags: mutation.CellTombstone, Timestamp: ts, LocalTime: 900})
		b.EndRow()
	default:
		b.BeginRow(ck(c))
		b.Marker(mutation.Marker{Timestamp: ts, Set: true})
		b.Cell(mutation.Cell{Column: 3, Timestamp: ts, Value: fmt.Append(nil, "v", ts)})
		b.EndRow()
	}
	return b.Finish()
}

// What TryRows tells of a row is what Read finds, whatever memory and files hold;
// most are told of.
func TestRowsAreAsRead(t *testing.T) {
	told, asked := 0, 0
	for seed := range uint64(6) {
		rnd := rand.NewSeeded(seed)
		e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
		ts := int64(1000)
		for range 8 {
			for range rnd.Uint64() % 60 {
				at := ts
				if rnd.Uint64()%4 == 0 {
					at -= int64(rnd.Uint64() % 200) // late
				}
				apply(t, e, change(rnd, at))
				ts++
			}
			if rnd.Uint64()%2 == 0 {
				flush(t, e)
			}
			var keys []mutation.RowKey
			for p := range 50 {
				for c := range int64(3) {
					keys = append(keys, mutation.RowKey{Key: keyOf(fmt.Sprint("p", p)), Clustering: ck(c)})
				}
			}
			got := toldRows{}
			e.TryRows(table0, keys, 1000, got)
			for i, k := range keys {
				asked++
				row, ok := got[i]
				if !ok {
					continue
				}
				told++
				if want := storedRow(t, e, pointRead(string(k.Key.Key), int64(i%3))); row != want && visible(row) != visible(want) {
					t.Fatalf("seed %d, row %d of %s: %q, want %q", seed, i%3, k.Key.Key, row, want)
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if told*2 < asked {
		t.Errorf("%d of %d rows were told", told, asked)
	}
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	e.Close()
	got := toldRows{}
	e.TryRows(table0, []mutation.RowKey{{Key: keyOf("p")}}, 1000, got)
	e.TryRows([16]byte{9}, []mutation.RowKey{{Key: keyOf("p")}}, 1000, got)
	if len(got) > 0 {
		t.Error("a closed engine and an unknown table have rows")
	}
}

// storedRow is readRow that passes over boundaries before the row.
func storedRow(t *testing.T, e *Engine, cmd *mutation.ReadCommand) string {
	src, err := e.Read(context.Background(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if !src.NextPartition() {
		return ""
	}
	for src.Seek(cmd.Slices[0].Lo); src.Next(); {
		it := src.Item()
		if it.Kind == mutation.ItemRow && within(it.Clustering, cmd.Slices[0]) {
			return strings.TrimSpace(mutationtest.Row(it.Row))
		}
	}
	if src.Err() != nil {
		t.Fatal(src.Err())
	}
	return ""
}

// visible leaves out of a row what a newer version of all columns makes of no
// account: older files may be left out, and with them an older marker.
func visible(row string) string {
	if at := strings.Index(row, " 3 @"); at >= 0 {
		return row[at:]
	}
	return row
}

// A row with a write that is not durable is not told.
func TestRowsUnsynced(t *testing.T) {
	e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
	defer e.Close()
	apply(t, e, insert(0, "p", 1, 10, "v"))
	keys := []mutation.RowKey{{Key: keyOf("p"), Clustering: ck(1)}, {Key: keyOf("q"), Clustering: ck(1)}}
	e.unsynced.of(keys[0].Token).Add(1)
	got := toldRows{}
	e.TryRows(table0, keys, 1000, got)
	e.unsynced.of(keys[0].Token).Add(-1)
	if _, ok := got[0]; ok || len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := e.log.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
}
