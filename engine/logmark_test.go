package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/schema"
)

// TestIdleTables recycles the log many times under tables that nobody writes
// to, that were written to once and flushed, and that hold an old record, and
// starts again: the segments in between are gone on purpose.
func TestIdleTables(t *testing.T) {
	for _, lanes := range []int{1, 3} {
		t.Run(fmt.Sprint(lanes), func(t *testing.T) {
			fs := vfs.NewMem()
			o := testOptions(t, fs, "/data", 4)
			o.SegmentSize, o.LogSize, o.Lanes = 64<<10, 256<<10, lanes
			e := mustOpen(t, o)
			apply(t, e, insert(1, "a", 1, 10, "flushed once"))
			if err := e.Flush(schema.TableID{15: 2}); err != nil {
				t.Fatal(err)
			}
			value := strings.Repeat("v", 8<<10)
			for round := range 4 {
				for i := range 100 {
					apply(t, e, insert(0, "a", int64(100*round+i), 10, value))
					if i == 50 {
						apply(t, e, insert(2, "a", int64(round), 10, "seldom"))
					}
				}
				if err := e.Flush(schema.TableID{15: 1}); err != nil {
					t.Fatal(err)
				}
				// Table 2 is flushed by the engine's own goroutine.
				eventually(t, "the log is let go", func() bool { return e.Stats().LogBytes <= 2<<20 })
				if round%2 == 0 {
					if err := e.Close(); err != nil {
						t.Fatal(err)
					}
				} else {
					fs = fs.CrashClone(vfs.CrashOptions{})
					o.FS = fs
				}
				e = mustOpen(t, o)
				if got := len(dump(t, e, 0, "a")); got != 100*(round+1) {
					t.Fatalf("round %d: %d rows", round, got)
				}
				if got := len(dump(t, e, 2, "a")); got != round+1 {
					t.Fatalf("round %d: %d rows of those written seldom", round, got)
				}
				if got := fmt.Sprint(dump(t, e, 1, "a")); got != "[1=flushed once@10]" {
					t.Fatalf("round %d: %s", round, got)
				}
			}
			if size := e.Stats().LogBytes; size > 2<<20 {
				t.Errorf("the log has %d bytes", size)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
