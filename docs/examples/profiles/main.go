// Command profiles keeps profiles of users: collections and a user type in one
// row, changed a part at a time without reading it first.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

var schema = []string{
	`CREATE KEYSPACE IF NOT EXISTS profiles WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
	`CREATE TYPE IF NOT EXISTS profiles.address (street text, city text, zip int)`,
	`CREATE TABLE IF NOT EXISTS profiles.users (
		name text PRIMARY KEY,
		email text,
		interests set<text>,
		settings map<text, text>,
		phones list<text>,
		addresses map<text, frozen<address>>,
		note text)`,
}

const (
	workers = 32
	// patience is how long a request may take, and how long a write is tried again
	// while the server is away.
	patience = 5 * time.Minute
)

type address struct {
	Street string `cql:"street"`
	City   string `cql:"city"`
	Zip    int    `cql:"zip"`
}

type profile struct {
	email     string
	interests []string
	settings  map[string]string
	phones    []string
	addresses map[string]address
	note      *string
}

func nameOf(i int) string { return fmt.Sprintf("user-%07d", i) }

// initial is what user i signs up with.
func initial(i int) profile {
	note := "new here"
	return profile{
		email:     fmt.Sprintf("user%d@example.com", i),
		interests: []string{"go", "hiking", fmt.Sprintf("topic-%d", i%50)},
		settings:  map[string]string{"theme": "light", "language": "en"},
		phones:    []string{fmt.Sprintf("+1 555 %07d", i)},
		addresses: map[string]address{"home": {fmt.Sprintf("Elm Street %d", i%200), "Springfield", 10000 + i%90000}},
		note:      &note,
	}
}

// changed is the profile of user i after change.
func changed(i int) profile {
	p := initial(i)
	p.interests = []string{"chess", "go", fmt.Sprintf("topic-%d", i%50)}
	p.settings["theme"] = "dark"
	delete(p.settings, "language")
	p.settings["font"] = fmt.Sprint(10 + i%8)
	p.addresses["work"] = address{"Oak Avenue 1", "Shelbyville", 20000 + i%1000}
	p.note = nil
	return p
}

func main() {
	host := flag.String("host", "127.0.0.1", "server")
	port := flag.Int("port", 9042, "port of the server")
	rows := flag.Int("rows", 10_000, "how many users")
	verify := flag.Bool("verify", false, "read everything back instead of loading it")
	flag.Parse()
	cluster := gocql.NewCluster(*host)
	cluster.Port, cluster.Timeout, cluster.ConnectTimeout = *port, patience, patience
	cluster.ReconnectInterval = time.Second // not a minute after the server is back
	session, err := cluster.CreateSession()
	if err != nil {
		log.Fatal(err)
	}
	// The session ends with the process: Close of gocql 2.1 may wait for ever if the
	// node was away a moment ago and the driver is just connecting to it again.
	if *verify {
		err = check(session, *rows)
	} else {
		err = load(session, *rows)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d profiles are complete\n", *rows)
}

func load(session *gocql.Session, rows int) error {
	for _, s := range schema {
		if err := session.Query(s).Exec(); err != nil {
			return err
		}
	}
	return each(rows, func(i int) error {
		if err := persist(func() error { return signUp(session, i) }); err != nil {
			return err
		}
		return persist(func() error { return change(session, i) })
	})
}

func signUp(session *gocql.Session, i int) error {
	p := initial(i)
	return session.Query(`INSERT INTO profiles.users (name, email, interests, settings, phones, addresses, note) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		nameOf(i), p.email, p.interests, p.settings, p.phones, p.addresses, p.note).Exec()
}

// change touches parts of collections only. Doing it twice is the same as
// doing it once; appending to a list, for one, would not be.
func change(session *gocql.Session, i int) error {
	b := session.Batch(gocql.UnloggedBatch) // of one partition: atomic
	b.Query(`UPDATE profiles.users SET interests = interests + ?, settings = settings + ?, addresses['work'] = ? WHERE name = ?`,
		[]string{"chess"}, map[string]string{"theme": "dark", "font": fmt.Sprint(10 + i%8)}, changed(i).addresses["work"], nameOf(i))
	b.Query(`UPDATE profiles.users SET interests = interests - ?, note = ? WHERE name = ?`, []string{"hiking"}, nil, nameOf(i))
	b.Query(`DELETE settings['language'] FROM profiles.users WHERE name = ?`, nameOf(i))
	return b.Exec()
}

// persist tries an idempotent write until it is acknowledged.
func persist(write func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := write()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// check compares every profile with what it must be, and counts them all.
func check(session *gocql.Session, rows int) error {
	err := each(rows, func(i int) error {
		var p profile
		err := session.Query(`SELECT email, interests, settings, phones, addresses, note FROM profiles.users WHERE name = ?`, nameOf(i)).
			Scan(&p.email, &p.interests, &p.settings, &p.phones, &p.addresses, &p.note)
		if err != nil {
			return fmt.Errorf("%s: %w", nameOf(i), err)
		}
		want := changed(i)
		if p.email != want.email || !slices.Equal(p.interests, want.interests) || !maps.Equal(p.settings, want.settings) ||
			!slices.Equal(p.phones, want.phones) || !maps.Equal(p.addresses, want.addresses) || p.note != nil {
			return fmt.Errorf("%s: got %v, want %v", nameOf(i), p, want)
		}
		return nil
	})
	if err != nil {
		return err
	}
	iter := session.Query(`SELECT name FROM profiles.users`).PageSize(1000).Iter()
	n := 0
	for iter.Scan(new(string)) {
		n++
	}
	if err := iter.Close(); err != nil {
		return err
	}
	if n != rows {
		return fmt.Errorf("a scan finds %d profiles of %d", n, rows)
	}
	return nil
}

// each calls f with 0 to n-1, a few at a time, and returns the first error.
func each(n int, f func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
