package client_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire/client"
)

// startNode starts a node in memory and returns what a session needs to reach
// it; of a real one that is Hosts alone. However slow the machine is, no
// statement gets too old.
func startNode() (cfg client.Config, stop func()) {
	net := &transport.Mem{}
	o := options(0, vfs.NewMem(), net, 1)
	c := &o.Config
	c.RequestTimeout, c.ReadTimeout, c.RangeTimeout, c.WriteTimeout = time.Hour, time.Hour, time.Hour, time.Hour
	n, err := node.New(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	cfg = client.Config{Hosts: []string{"127.0.0.1:7000"}, Transport: net, Timeout: time.Hour, ConnectTimeout: time.Hour}
	return cfg, func() { n.Close(context.Background()) }
}

func Example() {
	cfg, stop := startNode()
	defer stop()
	ctx := context.Background()

	s, err := client.Connect(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for _, text := range []string{
		"CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE shop.items (id bigint PRIMARY KEY, name text, tags set<text>)",
	} {
		if err := s.Exec(ctx, text); err != nil {
			log.Fatal(err)
		}
	}
	if err := s.Exec(ctx, "INSERT INTO shop.items (id, name, tags) VALUES (?, ?, ?)", 7, "lamp", []string{"light", "home"}); err != nil {
		log.Fatal(err)
	}
	rows, err := s.Query(ctx, "SELECT name, tags FROM shop.items WHERE id = ?", 7)
	if err != nil {
		log.Fatal(err)
	}
	for rows.Next() {
		var name string
		var tags []string
		if err := rows.Scan(&name, &tags); err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, tags)
	}
	if err := rows.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: lamp [home light]
}

// sum adds up the first column of all answers.
type sum struct {
	wg    sync.WaitGroup
	mu    sync.Mutex // protects what follows
	total int64
	err   error
}

// Receive implements client.Receiver.
func (s *sum) Receive(rows *client.Rows, err error) {
	defer s.wg.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.err = err
		return
	}
	for rows.Next() {
		s.total += rows.Int(0)
	}
}

// Many statements are under way at once, and share frames.
func ExampleSession_Send() {
	cfg, stop := startNode()
	defer stop()
	ctx := context.Background()
	s, err := client.Connect(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	_ = s.Exec(ctx, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	_ = s.Exec(ctx, "CREATE TABLE ks.counts (k int PRIMARY KEY, n bigint)")

	insert, err := s.Prepare(ctx, "INSERT INTO ks.counts (k, n) VALUES (?, ?)")
	if err != nil {
		log.Fatal(err)
	}
	read, err := s.Prepare(ctx, "SELECT n FROM ks.counts WHERE k = ?")
	if err != nil {
		log.Fatal(err)
	}
	var all sum
	q := insert.Query().SetIdempotent(true)
	for i := range int64(100) {
		all.wg.Add(1)
		if err := s.Send(q.Rebind().Int(i).Int(i), &all); err != nil {
			log.Fatal(err)
		}
	}
	all.wg.Wait()
	q = read.Query()
	for i := range int64(100) {
		all.wg.Add(1)
		if err := s.Send(q.Rebind().Int(i), &all); err != nil {
			log.Fatal(err)
		}
	}
	all.wg.Wait()
	fmt.Println(all.total, all.err)
	// Output: 4950 <nil>
}

// A logged batch is done in the end whole or not at all.
func ExampleSession_ExecuteBatch() {
	cfg, stop := startNode()
	defer stop()
	ctx := context.Background()
	s, err := client.Connect(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	_ = s.Exec(ctx, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	_ = s.Exec(ctx, "CREATE TABLE ks.users (name text PRIMARY KEY, mail text)")
	_ = s.Exec(ctx, "CREATE TABLE ks.mails (mail text PRIMARY KEY, name text)")
	user, err := s.Prepare(ctx, "INSERT INTO ks.users (name, mail) VALUES (?, ?)")
	if err != nil {
		log.Fatal(err)
	}
	mail, err := s.Prepare(ctx, "INSERT INTO ks.mails (mail, name) VALUES (?, ?)")
	if err != nil {
		log.Fatal(err)
	}
	b := client.NewBatch(client.Logged).SetConsistency(ring.Quorum)
	b.Add(user.Query().Text("ann").Text("ann@example.com"))
	b.Add(mail.Query().Text("ann@example.com").Text("ann"))
	fmt.Println(s.ExecuteBatch(ctx, b))
	// Output: <nil>
}
