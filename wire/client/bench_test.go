package client_test

import (
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/wire/client"
)

// inFlight is how many statements the benchmarks have unanswered.
const inFlight = 64

// told is a Receiver that gives its query back.
type told struct {
	q    *client.Query
	free chan<- *told
	err  error
}

func (r *told) Receive(rows *client.Rows, err error) {
	for err == nil && rows.Next() {
	}
	r.err = err
	r.free <- r
}

// BenchmarkSend executes statements about one row by a session that talks to a
// node in the same process, through memory: what client and server cost
// together.
func BenchmarkSend(b *testing.B) {
	var net transport.Mem
	n, err := node.New(b.Context(), options(0, vfs.NewMem(), &net, 1))
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close(b.Context())
	s, err := client.Connect(b.Context(), client.Config{Transport: &net, Hosts: []string{address(0)}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, ddl := range []string{
		"CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE ks.t (k bigint PRIMARY KEY, v blob)",
	} {
		if err := s.Exec(b.Context(), ddl); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, text string
		bind       func(q *client.Query, i int)
	}{
		{"write", "INSERT INTO ks.t (k, v) VALUES (?, ?)", func(q *client.Query, i int) { q.Int(int64(i % 10000)).Bytes(value[:]) }},
		{"read", "SELECT v FROM ks.t WHERE k = ?", func(q *client.Query, i int) { q.Int(int64(i % 10000)) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			st, err := s.Prepare(b.Context(), c.text)
			if err != nil {
				b.Fatal(err)
			}
			free := make(chan *told, inFlight)
			for range inFlight {
				free <- &told{q: st.Query(), free: free}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r := <-free
				if r.err != nil {
					b.Fatal(r.err)
				}
				c.bind(r.q.Rebind(), i)
				if err := s.Send(r.q, r); err != nil {
					b.Fatal(fmt.Errorf("statement %d: %w", i, err))
				}
			}
			for range inFlight {
				if r := <-free; r.err != nil {
					b.Fatal(r.err)
				}
			}
		})
	}
}

var value [100]byte
