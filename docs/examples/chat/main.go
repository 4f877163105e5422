// Command chat keeps the messages of a few busy rooms: wide partitions, read
// backwards a page at a time as a user scrolls up.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

var schema = []string{
	`CREATE KEYSPACE IF NOT EXISTS chat WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
	`CREATE TABLE IF NOT EXISTS chat.messages (
		room text, id timeuuid, author text, body text, topic text static,
		PRIMARY KEY (room, id)
	) WITH CLUSTERING ORDER BY (id DESC)`,
}

const (
	rooms = 10
	// page is what fits a screen.
	page    = 50
	workers = 32
	// patience is how long a request may take, and how long a write is tried again
	// while the server is away.
	patience = 5 * time.Minute
)

var first = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// message is row i of the data set, the same in every run.
type message struct {
	room, author, body string
	id                 gocql.UUID
}

func messageOf(i int) message {
	return message{
		room:   roomOf(i % rooms),
		id:     timeUUID(first.Add(time.Duration(i)*time.Second), uint64(i)),
		author: fmt.Sprintf("author-%d", (i*31)%97),
		body:   fmt.Sprintf("message %d: %.*s", i, i%120, filler),
	}
}

const filler = "and so it goes on and on, with words upon words, until the line is as long as people make lines in rooms like these and not longer"

func roomOf(r int) string { return fmt.Sprintf("room-%02d", r) }

// timeUUID makes an id that is the same in every run. A real application takes
// gocql.TimeUUID() or the server's now().
func timeUUID(at time.Time, node uint64) gocql.UUID {
	ticks := at.UnixNano()/100 + 0x01B21DD213814000
	var u gocql.UUID
	binary.BigEndian.PutUint32(u[0:], uint32(ticks))
	binary.BigEndian.PutUint16(u[4:], uint16(ticks>>32))
	binary.BigEndian.PutUint16(u[6:], uint16(ticks>>48)&0x0fff|0x1000)
	binary.BigEndian.PutUint64(u[8:], 0x8000<<48|node&(1<<48-1))
	return u
}

func main() {
	host := flag.String("host", "127.0.0.1", "server")
	port := flag.Int("port", 9042, "port of the server")
	rows := flag.Int("rows", 10_000, "how many messages")
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
	fmt.Printf("%d messages in %d rooms are complete\n", *rows, rooms)
}

func load(session *gocql.Session, rows int) error {
	for _, s := range schema {
		if err := session.Query(s).Exec(); err != nil {
			return err
		}
	}
	err := each(rooms, func(r int) error {
		return persist(func() error {
			return session.Query(`UPDATE chat.messages SET topic = ? WHERE room = ?`, "all about "+roomOf(r), roomOf(r)).Exec()
		})
	})
	if err != nil {
		return err
	}
	return each(rows, func(i int) error {
		m := messageOf(i)
		return persist(func() error {
			return session.Query(`INSERT INTO chat.messages (room, id, author, body) VALUES (?, ?, ?, ?)`, m.room, m.id, m.author, m.body).Exec()
		})
	})
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

// check scrolls through every room from its newest message up to its oldest,
// and then reads it once in the order in which it was written.
func check(session *gocql.Session, rows int) error {
	return each(min(rooms, rows), func(r int) error {
		if err := scrollUp(session, r, rows); err != nil {
			return err
		}
		return readDown(session, r, rows)
	})
}

// newest is the last row of a room.
func newest(room, rows int) int { return room + (rows-1-room)/rooms*rooms }

// scrollUp asks for the messages before the oldest it has, a screen at a time,
// as an application does that keeps no state between requests.
func scrollUp(session *gocql.Session, room, rows int) error {
	before := timeUUID(first.AddDate(100, 0, 0), 0)
	for i := newest(room, rows); i >= 0; {
		iter := session.Query(`SELECT room, id, author, body, topic FROM chat.messages WHERE room = ? AND id < ? LIMIT ?`, roomOf(room), before, page).Iter()
		var m message
		var topic string
		n := 0
		for ; iter.Scan(&m.room, &m.id, &m.author, &m.body, &topic); i -= rooms {
			if m != messageOf(i) || topic != "all about "+roomOf(room) {
				iter.Close()
				return fmt.Errorf("scrolling: got %v, want %v", m, messageOf(i))
			}
			n++
		}
		if err := iter.Close(); err != nil {
			return err
		}
		if n < page && i >= 0 {
			return fmt.Errorf("%s ends %d messages early", roomOf(room), i/rooms+1)
		}
		before = m.id
	}
	return nil
}

// readDown reads a room from its first message on, against the order in which
// the table keeps it; the driver fetches page after page.
func readDown(session *gocql.Session, room, rows int) error {
	iter := session.Query(`SELECT room, id, author, body FROM chat.messages WHERE room = ? ORDER BY id ASC`, roomOf(room)).PageSize(500).Iter()
	var m message
	i := room
	for ; iter.Scan(&m.room, &m.id, &m.author, &m.body); i += rooms {
		if m != messageOf(i) {
			iter.Close()
			return fmt.Errorf("reading: got %v, want %v", m, messageOf(i))
		}
	}
	if err := iter.Close(); err != nil {
		return err
	}
	if last := newest(room, rows); i != last+rooms {
		return fmt.Errorf("%s: the last message is %d, want %d", roomOf(room), i-rooms, last)
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
