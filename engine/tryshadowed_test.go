package engine

import (
	"errors"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
)

// Rows that a deletion shadows count among what a TryRead may look at, whether
// they lie beside it in a memtable or below it in a cached file.
func TestTryReadOfShadowedRows(t *testing.T) {
	for name, flushed := range map[string]bool{"in memory": false, "in a file": true} {
		t.Run(name, func(t *testing.T) {
			e := mustOpen(t, testOptions(t, vfs.NewMem(), "/d", 1))
			defer e.Close()
			fill := func(key string, rows int) {
				for c := range int64(rows) {
					apply(t, e, insert(0, key, c, 1, "v"))
				}
			}
			fill("few", tryItems)
			fill("many", tryItems+1)
			if flushed {
				flush(t, e)
			}
			for _, key := range []string{"few", "many"} {
				var b mutation.Builder
				b.Begin(nil, mutation.Header{Table: table0, Timestamp: 2, Token: ring.Murmur3([]byte(key)), Key: []byte(key)})
				b.DeletePartition(mutation.Deletion{Timestamp: 2, LocalTime: 2, Set: true})
				apply(t, e, b.Finish())
				if got := dump(t, e, 0, key); len(got) != 0 { // it is in the cache now
					t.Fatal(got)
				}
			}
			for key, want := range map[string]error{"few": nil, "many": mutation.ErrWouldBlock} {
				src, err := e.TryRead(&mutation.ReadCommand{Table: table0, Keys: []mutation.Key{keyOf(key)}})
				if err != nil {
					t.Fatal(err)
				}
				if !src.NextPartition() {
					t.Fatal(src.Err())
				}
				src.Seek(nil)
				if src.Next() || !errors.Is(src.Err(), want) {
					t.Errorf("%s: %v, want %v", key, src.Err(), want)
				}
				src.Close()
			}
		})
	}
}
