package journal

import (
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

// FuzzSegment opens a file of any bytes: there is no panic, and what a cursor
// reads is what the visitor was shown.
func FuzzSegment(f *testing.F) {
	_, whole := smallJournal(f, vfs.NewMem())
	f.Add(whole)
	f.Add(whole[:2000])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("/j"); err != nil {
			t.Fatal(err)
		}
		put(t, fs, "/j/"+segmentName(streamA, 1), b)
		v := &counter{}
		j, err := Open(testOptions(fs), v)
		if err != nil {
			return
		}
		defer j.Close()
		c := j.Cursor(streamA, Position{})
		defer c.Close()
		read := 0
		for calls := 0; ; calls++ {
			_, _, err := c.Next()
			if err == nil {
				read++
				continue
			}
			if _, ok := err.(*Damage); !ok {
				break
			}
			if calls > len(b)+10 {
				t.Fatal("a cursor that does not end")
			}
		}
		if read < v.entries {
			t.Fatalf("%d entries read, %d visited", read, v.entries)
		}
	})
}

type counter struct{ entries int }

func (c *counter) Entry([16]byte, Position, []byte) { c.entries++ }
func (c *counter) Damage(*Damage)                   {}
