package netbuf

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// TestWriterWritesAllParts sends parts of all sizes, more than one call takes
// and more than the socket holds, to a peer that reads in small pieces.
func TestWriterWritesAllParts(t *testing.T) {
	const most = 3000
	for name, ends := range map[string]func(testing.TB) (net.Conn, net.Conn){
		"socket": sockets,
		"pipe":   func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() },
	} {
		t.Run(name, func(t *testing.T) {
			mine, theirs := ends(t)
			rnd := rand.New(rand.NewPCG(1, 2))
			data := make([]byte, 8<<20)
			for i := range data {
				data[i] = byte(rnd.Uint32())
			}
			got := make(chan []byte)
			go func() {
				b, err := io.ReadAll(theirs)
				if err != nil {
					t.Error(err)
				}
				got <- b
			}()
			var w Writer
			w.Open(mine)
			var sent []byte
			for range 6 {
				var parts [][]byte
				for range 1 + rnd.IntN(most) {
					n := 1 + rnd.IntN(100)
					if rnd.IntN(500) == 0 {
						n = 1 + rnd.IntN(2*maxWritten)
					}
					at := rnd.IntN(len(data) - n)
					parts = append(parts, data[at:at+n])
					sent = append(sent, data[at:at+n]...)
				}
				if err := w.Write(parts); err != nil {
					t.Fatal(err)
				}
			}
			mine.Close()
			if b := <-got; !bytes.Equal(b, sent) {
				t.Fatalf("%d bytes came of %d, or others", len(b), len(sent))
			}
		})
	}
}

// maxWritten is about the most that one call writes, whatever the system.
const maxWritten = 256 << 10

// A peer that does not read holds a writer up until the connection is closed.
func TestWriterEndsWithTheConnection(t *testing.T) {
	mine, _ := sockets(t)
	var w Writer
	w.Open(mine)
	done := make(chan error)
	go func() {
		for b := make([]byte, 1<<20); ; {
			if err := w.Write([][]byte{b, b}); err != nil {
				done <- err
				return
			}
		}
	}()
	mine.Close()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	if err := w.Write([][]byte{{1}}); err == nil {
		t.Error("no error after the end")
	}
}

func TestWriterToldOfAReset(t *testing.T) {
	mine, theirs := sockets(t)
	if err := theirs.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	var w Writer
	w.Open(mine)
	for b := make([]byte, 1<<20); ; {
		if w.Write([][]byte{b}) != nil {
			return
		}
	}
}
