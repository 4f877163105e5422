package journal

import (
	"encoding/hex"
	"flag"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGoldenSegment pins the format: what it says on disk today must be read
// for ever.
func TestGoldenSegment(t *testing.T) {
	fs := vfs.NewMem()
	j, _ := mustOpen(t, stillOptions(fs))
	mustAppend(t, j, streamB, 1, 9)
	mustAppend(t, j, streamB, 2, 30)
	mustClose(t, j)
	b, err := vfs.ReadFile(fs, "/j/"+segmentName(streamB, 1), maxSegment)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/segment.golden"
	got := hex.Dump(b)
	if *rewrite {
		if err := vfs.WriteFileAtomic(vfs.OS, golden, []byte(got)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := vfs.ReadFile(vfs.OS, golden, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("the format has changed:\n%s\nwant:\n%s", got, want)
	}
}
