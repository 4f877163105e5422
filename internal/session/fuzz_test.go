package session

import (
	"io"
	"net"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
)

// FuzzConnection feeds a connection with anything, after a good STARTUP if the
// first byte says so.
func FuzzConnection(f *testing.F) {
	q := native.AppendRequest(nil, native.Header{Version: 4, Opcode: native.OpQuery}, query("echo x"))
	five := native.AppendRequest(nil, native.Header{Version: 5, Opcode: native.OpQuery}, query("worker x"))
	f.Add(byte(4), q)
	f.Add(byte(4), append(q[:len(q):len(q)], q...))
	f.Add(byte(5), native.AppendSegments(nil, five, false))
	f.Add(byte(0), []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(byte(0), []byte{4, 0, 0, 0, 5, 0, 0, 0, 0})
	s, err := New(patient(Config{Log: quiet()}), newFakeHandler())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, version byte, b []byte) {
		mine, theirs := net.Pipe()
		s.ServeConn(theirs)
		c := &client{t: t, nc: mine, version: version}
		if native.Supported(version) {
			c.startup()
			c.recv()
		}
		panics := s.Stats().Panics.Load()
		done := make(chan struct{})
		go func() {
			io.Copy(io.Discard, mine)
			close(done)
		}()
		mine.Write(b)
		mine.Close()
		<-done
		eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
		if s.Stats().Panics.Load() != panics {
			t.Fatal("panic")
		}
	})
}
