// Command sensors keeps readings of sensors for a month: one partition per
// sensor and day, the newest reading first, expiry by the table's TTL.
package main

import (
	"flag"
	"fmt"
	"log"
	"math"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

var schema = []string{
	`CREATE KEYSPACE IF NOT EXISTS sensors WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
	// Whole files of one day expire together and are removed unread.
	`CREATE TABLE IF NOT EXISTS sensors.readings (
		sensor text, day date, at timestamp, celsius double, humidity int,
		PRIMARY KEY ((sensor, day), at)
	) WITH CLUSTERING ORDER BY (at DESC)
		AND compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}
		AND default_time_to_live = 2592000`,
}

const (
	sensors    = 100
	interval   = time.Minute
	timeToLive = 30 * 24 * time.Hour
	workers    = 32
	// patience is how long a request may take, and how long a write is tried again
	// while the server is away.
	patience = 5 * time.Minute
)

// first is when the readings begin. Their age does not matter to the TTL,
// which counts from the write.
var first = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// reading is row i of the data set, the same in every run.
type reading struct {
	sensor   string
	at       time.Time
	celsius  float64
	humidity int
}

func readingOf(i int) reading {
	n := i / sensors // of this sensor
	return reading{
		sensor:   fmt.Sprintf("sensor-%03d", i%sensors),
		at:       first.Add(time.Duration(n) * interval),
		celsius:  math.Round(200+100*math.Sin(float64(n)/229)) / 10,
		humidity: 30 + (i*7)%60,
	}
}

func day(at time.Time) time.Time { return at.Truncate(24 * time.Hour) }

func main() {
	host := flag.String("host", "127.0.0.1", "server")
	port := flag.Int("port", 9042, "port of the server")
	rows := flag.Int("rows", 10_000, "how many readings")
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
	fmt.Printf("%d readings of %d sensors are complete\n", *rows, sensors)
}

func load(session *gocql.Session, rows int) error {
	for _, s := range schema {
		if err := session.Query(s).Exec(); err != nil {
			return err
		}
	}
	const insert = `INSERT INTO sensors.readings (sensor, day, at, celsius, humidity) VALUES (?, ?, ?, ?, ?)`
	return each(rows, func(i int) error {
		r := readingOf(i)
		return persist(func() error {
			return session.Query(insert, r.sensor, day(r.at), r.at, r.celsius, r.humidity).Exec()
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

// check reads every partition from its newest reading to its oldest and
// compares each with what was written.
func check(session *gocql.Session, rows int) error {
	return each(min(sensors, rows), func(s int) error {
		last := s + (rows-1-s)/sensors*sensors // the sensor's newest row
		for last >= 0 {
			n, err := checkDay(session, last)
			if err != nil {
				return err
			}
			last -= n * sensors
		}
		return nil
	})
}

// checkDay reads the partition that begins with row i and returns how many
// readings it has.
func checkDay(session *gocql.Session, i int) (int, error) {
	newest := readingOf(i)
	iter := session.Query(`SELECT at, celsius, humidity, TTL(celsius) FROM sensors.readings WHERE sensor = ? AND day = ?`,
		newest.sensor, day(newest.at)).PageSize(500).Iter()
	var got reading
	var ttl, n int
	for iter.Scan(&got.at, &got.celsius, &got.humidity, &ttl) {
		want := readingOf(i - n*sensors)
		if !got.at.Equal(want.at) || got.celsius != want.celsius || got.humidity != want.humidity {
			iter.Close()
			return 0, fmt.Errorf("%s: got %v, want %v", newest.sensor, got, want)
		}
		if ttl <= 0 || ttl > int(timeToLive.Seconds()) {
			iter.Close()
			return 0, fmt.Errorf("%s at %v expires in %d s", newest.sensor, got.at, ttl)
		}
		n++
	}
	if err := iter.Close(); err != nil {
		return 0, err
	}
	// The partition goes back to the day's first minute or the first row.
	if want := int(newest.at.Sub(day(newest.at))/interval) + 1; n != want {
		return 0, fmt.Errorf("%s on %s: %d readings, want %d", newest.sensor, newest.at.Format(time.DateOnly), n, want)
	}
	return n, nil
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
