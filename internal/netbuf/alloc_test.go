//go:build !race

package netbuf

import (
	"io"
	"net"
	"testing"
)

// endless is a connection on which the same frames come for ever.
type endless struct {
	net.Conn
	b  []byte
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	return n, nil
}

// Small frames and large ones allocate nothing once the pools have chunks.
func TestReaderAllocatesNothing(t *testing.T) {
	for _, size := range []int{100, 100_000} {
		s := open(&endless{b: appendFrame(nil, make([]byte, size))}, nil)
		turn := func() {
			s.Fill()
			for r, ok := s.next(); ok; r, ok = s.next() {
				s.end(r)
			}
		}
		for range 1000 {
			turn()
		}
		// Pools may be emptied by the collector meanwhile: on average, not one.
		if n := testing.AllocsPerRun(2000, turn); n > 0 {
			t.Errorf("%v allocations a turn with frames of %d bytes", n, size)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	s := open(&endless{b: appendFrame(nil, make([]byte, 100))}, nil)
	b.ReportAllocs()
	b.SetBytes(head + 100)
	for b.Loop() {
		s.Fill()
		for r, ok := s.next(); ok; r, ok = s.next() {
			s.end(r)
		}
	}
}

func TestWriterAllocatesNothing(t *testing.T) {
	mine, theirs := sockets(t)
	var w Writer
	w.Open(mine)
	one, two, in := make([]byte, 100), make([]byte, 5000), make([]byte, 5100)
	parts := make([][]byte, 2)
	if n := testing.AllocsPerRun(100, func() {
		parts[0], parts[1] = one, two
		if err := w.Write(parts); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(theirs, in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
