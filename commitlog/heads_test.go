package commitlog

import (
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

// TestHeads separates what was appended before and after the call, whatever
// the lane.
func TestHeads(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.Lanes = 3
	l, _, _ := mustOpen(t, o)
	defer mustClose(t, l)
	value := string(make([]byte, 5000))
	for turn := range 10 {
		var before []Position
		for i := range 7 + turn {
			before = append(before, mustAppend(t, l, fmt.Sprint(turn, i, value)))
		}
		heads, next := l.Heads()
		below := func(p Position) bool {
			for _, h := range heads {
				if h.Segment == p.Segment {
					return p.Offset < h.Offset
				}
			}
			return p.Segment < next
		}
		for _, p := range before {
			if !below(p) {
				t.Fatalf("%v was appended before %v, %d", p, heads, next)
			}
		}
		for i := range 7 {
			if p := mustAppend(t, l, fmt.Sprint(turn, i, value)); below(p) {
				t.Fatalf("%v was appended after %v, %d", p, heads, next)
			}
		}
	}
}
