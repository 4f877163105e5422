package cache

import "testing"

// FuzzCache drives a cache by bytes: each block that it gives back has the
// bytes that were put there, whatever is pinned, discarded or over the limit.
func FuzzCache(f *testing.F) {
	f.Add([]byte{0, 1, 8, 1, 16, 2, 3, 40, 1, 4, 5, 6, 7})
	f.Add([]byte{3, 1, 3, 2, 3, 3, 7, 0, 3, 1, 7, 9, 0, 1, 4, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		c := New(1 << 20)
		defer c.Close()
		type pin struct {
			h            Handle
			file, offset uint64
		}
		var pins []pin
		for ; len(ops) >= 2; ops = ops[2:] {
			file, offset := uint64(ops[0]>>3&3), uint64(ops[1])
			size := sizeOf(file, offset)
			switch ops[0] & 7 {
			case 0, 1, 2:
				use(t, c, file, offset)
			case 3: // stays pinned
				h, ok := c.Get(file, offset)
				if !ok && len(pins) < 8 {
					if h, ok = c.Reserve(file, offset, size); ok {
						fill(h.Bytes(), file, offset)
						h.Publish(file, offset)
					}
				}
				if ok {
					pins = append(pins, pin{h, file, offset})
				}
			case 4:
				if h, ok := c.Reserve(file, offset, size); ok {
					fill(h.Bytes(), file+1, offset)
					h.Discard()
				}
			case 5:
				if h, ok := c.Reserve(file, offset, int(ops[1])<<10); ok != (ops[1] > 0 && ops[1] <= 64) && len(pins) == 0 && c.Stats().Limit >= 1<<20 {
					t.Fatalf("reserve of %d KiB: %v, %+v", ops[1], ok, c.Stats())
				} else if ok {
					h.Discard()
				}
			case 6:
				if len(pins) > 0 {
					p := pins[len(pins)-1]
					pins = pins[:len(pins)-1]
					check(t, p.h.Bytes(), p.file, p.offset)
					p.h.Release()
				}
			case 7:
				c.SetLimit(int64(ops[1]) << 14)
				if st := c.Stats(); len(pins) == 0 && st.Bytes > st.Limit {
					t.Fatalf("%+v", st)
				}
			}
		}
		for _, p := range pins {
			check(t, p.h.Bytes(), p.file, p.offset)
			p.h.Release()
		}
		if c.SetLimit(0); c.Stats().Bytes != 0 || c.Stats().Blocks != 0 {
			t.Fatalf("%+v", c.Stats())
		}
	})
}
