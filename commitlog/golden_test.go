package commitlog

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// hexdump prints the lines of b that are not all zeros.
func hexdump(b []byte) string {
	var out strings.Builder
	skipped := false
	for off := 0; off < len(b); off += 16 {
		line := b[off:min(off+16, len(b))]
		if len(bytes.Trim(line, "\x00")) == 0 {
			skipped = true
			continue
		}
		if skipped {
			out.WriteString("*\n")
			skipped = false
		}
		text := []byte(nil)
		for _, c := range line {
			if c < ' ' || c > '~' {
				c = '.'
			}
			text = append(text, c)
		}
		fmt.Fprintf(&out, "%08x  % -48x  %s\n", off, line, text)
	}
	fmt.Fprintf(&out, "%08x\n", len(b))
	return out.String()
}

// TestGoldenSegment pins the format: what it says on disk today must be read
// for ever.
func TestGoldenSegment(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.Clock = stillClock{o.Clock}
	l, _, _ := mustOpen(t, o)
	mustAppend(t, l, "a record")
	mustAppend(t, l, "first of a group", "second of a group", "")
	mustClose(t, l)
	b, err := vfs.ReadFile(fs, "/log/"+segmentName(1), maxSegment)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/segment.golden"
	got := hexdump(b)
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
