package netbuf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
)

const size = 16 << 10

// purse is an account that tells when nothing is charged any more.
type purse struct {
	used, most atomic.Int64
	empty      chan struct{} // capacity 1
}

func newPurse() *purse { return &purse{empty: make(chan struct{}, 1)} }

func (p *purse) Charge(n int64) {
	used := p.used.Add(n)
	for most := p.most.Load(); used > most && !p.most.CompareAndSwap(most, used); most = p.most.Load() {
	}
	if used == 0 {
		select {
		case p.empty <- struct{}{}:
		default:
		}
	}
}

// script is a connection that is no socket: each read brings one part, or what
// of it there is room for.
type script struct {
	net.Conn
	parts [][]byte
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.parts[0])
	if s.parts[0] = s.parts[0][n:]; len(s.parts[0]) == 0 {
		s.parts = s.parts[1:]
	}
	return n, nil
}

// cut makes parts of b whose lengths next tells.
func cut(b []byte, next func() int) (parts [][]byte) {
	for len(b) > 0 {
		n := min(max(1, next()), len(b))
		parts = append(parts, b[:n])
		b = b[n:]
	}
	return parts
}

// sockets returns both ends of a connection.
func sockets(t testing.TB) (mine, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if mine, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mine.Close()
		theirs.Close()
	})
	return mine, theirs
}

// A frame of the tests is the length of its body in 4 bytes, little-endian, and
// the body.
const head = 4

func appendFrame(b, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(body))), body...)
}

// request is a frame that is kept.
type request struct {
	body []byte
	from *Chunk
}

// side is the receiving side of a connection.
type side struct {
	Reader
	purse    *purse
	inflight atomic.Int64
}

func open(nc net.Conn, g Gate) *side {
	s := &side{purse: newPurse()}
	s.Open(nc, Config{Size: size, Account: s.purse, Gate: g, InFlight: &s.inflight})
	return s
}

// next takes a frame and keeps it.
func (s *side) next() (r request, ok bool) {
	b := s.Bytes()
	if len(b) < head {
		s.Want(head)
		return r, false
	}
	n := head + int(binary.LittleEndian.Uint32(b))
	if len(b) < n {
		s.Want(n)
		return r, false
	}
	r = request{b[head:n:n], s.Take(n)}
	r.from.Retain()
	s.inflight.Add(1)
	return r, true
}

func (s *side) end(r request) {
	r.from.Release()
	if s.inflight.Add(-1) == 0 {
		s.DropParked()
	}
}

// receive reads to the end of the connection and hands on what came.
func (s *side) receive(f func(request)) error {
	for {
		if _, err := s.Fill(); err != nil {
			s.Release()
			return err
		}
		for r, ok := s.next(); ok; r, ok = s.next() {
			f(r)
		}
	}
}

// Whatever is read at once and however long requests are kept, each has its own
// bytes until it is answered, and nothing is held in the end.
func TestRequestsAlias(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var bodies [][]byte
	var stream []byte
	for i := range 3000 {
		n := rnd.IntN(300)
		switch {
		case i%500 == 0:
			n = 100_000 + rnd.IntN(2<<20)
		case i%50 == 0:
			n = rnd.IntN(60_000)
		}
		body := bytes.Repeat([]byte{byte(i), byte(i >> 8), byte(n)}, n/3+1)[:n]
		bodies = append(bodies, body)
		stream = appendFrame(stream, body)
	}
	parts := cut(stream, func() int { return 1 << rnd.IntN(18) })
	run := func(t *testing.T, nc net.Conn) {
		s := open(nc, nil)
		var kept []request
		n, ended := 0, 0
		end := func() {
			if !bytes.Equal(kept[0].body, bodies[ended]) {
				t.Fatalf("the bytes of request %d have changed", ended)
			}
			s.end(kept[0])
			kept = kept[1:]
			ended++
		}
		if err := s.receive(func(r request) {
			n++
			for kept = append(kept, r); len(kept) > 1+n%97; {
				end()
			}
		}); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for len(kept) > 0 {
			end()
		}
		if n != len(bodies) {
			t.Errorf("%d requests came, want %d", n, len(bodies))
		}
		if used := s.purse.used.Load(); used != 0 {
			t.Errorf("%d bytes are held in the end", used)
		}
	}
	t.Run("plain", func(t *testing.T) { run(t, &script{parts: slices.Clone(parts)}) })
	t.Run("socket", func(t *testing.T) {
		mine, theirs := sockets(t)
		go func() {
			for _, b := range parts {
				mine.Write(b)
			}
			mine.Close()
		}()
		run(t, theirs)
	})
}

// A connection that waits holds no chunk, and one with lone requests in work
// the one that they are in.
func TestIdleHoldsNothing(t *testing.T) {
	mine, theirs := sockets(t)
	s := open(theirs, nil)
	got, done := make(chan request, 1), make(chan struct{})
	go func() {
		defer close(done)
		s.receive(func(r request) { got <- r })
	}()
	frame := appendFrame(nil, []byte("request"))
	for range 3 {
		var kept []request
		for range 64 {
			mine.Write(frame)
			kept = append(kept, <-got)
		}
		if used := s.purse.used.Load(); used > 2*size {
			t.Errorf("64 small requests hold %d bytes", used)
		}
		for _, r := range kept {
			s.end(r)
		}
		<-s.purse.empty
	}
	mine.Close()
	<-done
	if used := s.purse.used.Load(); used != 0 {
		t.Errorf("%d bytes are held in the end", used)
	}
}

// What a length promises costs nothing before it comes.
func TestLengthCostsNoMemory(t *testing.T) {
	promise := binary.LittleEndian.AppendUint32(nil, 1<<30)
	for _, come := range []int{0, 10_000, 100_000, 1 << 20} {
		b := append(promise[:head:head], make([]byte, come)...)
		s := open(&script{parts: cut(b, func() int { return 1000 })}, nil)
		s.receive(func(request) { t.Error("a request that never came") })
		// The chunk before the last is held while it is copied.
		if most := s.purse.most.Load(); most > 6*int64(max(len(b), size)) {
			t.Errorf("%d bytes are held for %d that came", most, come)
		}
	}
}

// gate lets one connection through at a time.
type gate struct {
	full   atomic.Bool
	waits  chan struct{}
	opened chan struct{}
}

func (g *gate) Full() bool { return g.full.Load() }

func (g *gate) Wait() {
	if g.full.Load() {
		g.waits <- struct{}{}
		<-g.opened
	}
}

// A connection without a chunk waits at the gate.
func TestGate(t *testing.T) {
	run := func(t *testing.T, mine, theirs net.Conn) {
		g := &gate{waits: make(chan struct{}), opened: make(chan struct{})}
		g.full.Store(true)
		s := open(theirs, g)
		got := make(chan request, 1)
		go s.receive(func(r request) { got <- r })
		go mine.Write(appendFrame(nil, []byte("request")))
		<-g.waits
		if used := s.purse.used.Load(); used != 0 {
			t.Errorf("%d bytes are held at the gate", used)
		}
		g.full.Store(false)
		close(g.opened)
		if r := <-got; string(r.body) != "request" {
			t.Errorf("the request is %q", r.body)
		}
		mine.Close()
	}
	t.Run("socket", func(t *testing.T) {
		mine, theirs := sockets(t)
		run(t, mine, theirs)
	})
	t.Run("plain", func(t *testing.T) {
		mine, theirs := net.Pipe()
		run(t, mine, theirs)
	})
}

// FuzzReader cuts a stream of frames as the input tells, keeps requests as it
// tells, and looks whether all come and keep their bytes.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{5}, byte(0))
	f.Add([]byte{200, 0, 255, 7, 130}, []byte{255, 1, 90}, byte(3))
	f.Add(bytes.Repeat([]byte{255, 3}, 20), []byte{14, 15, 3}, byte(40))
	f.Fuzz(func(t *testing.T, lengths, cuts []byte, keep byte) {
		if len(lengths) > 64 || len(cuts) == 0 {
			return
		}
		var bodies [][]byte
		var stream []byte
		for i, n := range lengths {
			body := bytes.Repeat([]byte{byte(i + 1)}, int(n)*int(n))
			bodies, stream = append(bodies, body), appendFrame(stream, body)
		}
		i := 0
		s := open(&script{parts: cut(stream, func() int {
			i++
			return 1 << (cuts[i%len(cuts)] % 18)
		})}, nil)
		var kept []request
		ended := 0
		end := func() {
			if !bytes.Equal(kept[0].body, bodies[ended]) {
				t.Fatalf("the bytes of request %d have changed", ended)
			}
			s.end(kept[0])
			kept, ended = kept[1:], ended+1
		}
		s.receive(func(r request) {
			for kept = append(kept, r); len(kept) > int(keep); {
				end()
			}
		})
		for len(kept) > 0 {
			end()
		}
		if ended != len(bodies) || s.purse.used.Load() != 0 {
			t.Errorf("%d of %d requests came, %d bytes are held", ended, len(bodies), s.purse.used.Load())
		}
	})
}
