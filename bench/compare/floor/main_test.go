package main

import (
	"net"
	"sync"
	"testing"

	"github.com/gocql/gocql"
)

func TestDriverTakesTheAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var total counts
	var server sync.WaitGroup
	server.Go(func() { accept(l, newAnswers(), &total) })
	defer server.Wait()
	defer l.Close()

	cluster := gocql.NewCluster("127.0.0.1")
	cluster.Port = l.Addr().(*net.TCPAddr).Port
	cluster.ProtoVersion = 4
	cluster.Keyspace = "cqlload"
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	s, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var replication map[string]string
	err = s.Query(`SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?`, "cqlload").Scan(&replication)
	if err != nil || replication["replication_factor"] != "1" {
		t.Errorf("replication %v, %v", replication, err)
	}
	v := []byte("value")
	var got [5][]byte
	for range 100 {
		if err := s.Query(`INSERT INTO kv (pk, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?)`, v, v, v, v, v, v).Exec(); err != nil {
			t.Fatal(err)
		}
		err := s.Query(`SELECT c0, c1, c2, c3, c4 FROM kv WHERE pk = ?`, v).Scan(&got[0], &got[1], &got[2], &got[3], &got[4])
		if err != nil || len(got[0]) != 40 || len(got[4]) != 40 {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if frames, reads := total.frames.Load(), total.reads.Load(); frames < 200 || reads < 1 {
		t.Errorf("%d frames in %d reads", frames, reads)
	}
}

// chunks gives a frame in pieces and takes what is written.
type chunks struct {
	net.Conn
	in  [][]byte
	out []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(p, c.in[0])
	if c.in[0] = c.in[0][n:]; len(c.in[0]) == 0 {
		c.in = c.in[1:]
	}
	return n, nil
}

func (c *chunks) Write(p []byte) (int, error) { c.out = append(c.out, p...); return len(p), nil }

func TestFramesInPieces(t *testing.T) {
	big := append([]byte{4, 0, 1, 2, opBatch, 0, 3, 0, 0}, make([]byte, 3<<16)...)
	c := &chunks{in: [][]byte{{4, 0, 7, 8, opOptions, 0}, {0, 0, 0, 4, 0}, big[2:10], big[10:]}}
	var total counts
	if err := serve(c, newAnswers(), &total); err != nil {
		t.Fatal(err)
	}
	want := append(append([]byte(nil), newAnswers().supported...), newAnswers().void...)
	copy(want[2:], []byte{7, 8})
	copy(want[len(newAnswers().supported)+2:], []byte{1, 2})
	if string(c.out) != string(want) || total.frames.Load() != 2 {
		t.Errorf("%d frames, answers %x, want %x", total.frames.Load(), c.out, want)
	}
	huge := &chunks{in: [][]byte{{4, 0, 0, 0, opBatch, 0xff, 0, 0, 0}}}
	if err := serve(huge, newAnswers(), &total); err == nil {
		t.Error("a frame of 4 GiB was waited for")
	}
}
