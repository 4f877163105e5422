//go:build clients || long

package clienttest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestKillUnderLoad kills a loaded server again and again. After each start
// every acknowledged write is there, and every logged batch whole or not at
// all.
func TestKillUnderLoad(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) { killUnderLoad(t, d) })
	}
}

const (
	killWriters = 16
	// killAfter is how many acknowledged writes a round has before the kill,
	// and rounds differ by killStep, so that the kill meets other work.
	killAfter = 400
	killStep  = 137
)

// history is what a client knows of its writes, over all rounds.
type history struct {
	tried atomic.Int64 // numbers handed out; each is written once
	acked sync.Map     // number to true
	count atomic.Int64 // of acked
}

func killUnderLoad(t *testing.T, d driver) {
	s := startServer(t, serverOptions{args: []string{"--commitlog-segment-size", "1MiB"}})
	e := newEnv(t, s, d)
	e.must("CREATE TABLE KS.a (k int, c int, v text, PRIMARY KEY (k, c))")
	e.must("CREATE TABLE KS.b (k int PRIMARY KEY, v text)")
	e.must("CREATE TABLE KS.batched (k int PRIMARY KEY, v text)")
	var h history
	for round := range killRounds {
		db, err := d.connect(s.port, connectOptions{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		var stop atomic.Bool
		var writers sync.WaitGroup
		for range killWriters {
			writers.Go(func() { h.write(e, db, &stop) })
		}
		target := h.count.Load() + killAfter + int64(round)*killStep
		err = poll(startTimeout, func() error {
			if n := h.count.Load(); n < target {
				return fmt.Errorf("%d of %d writes are acknowledged", n, target)
			}
			return nil
		})
		s.kill()
		stop.Store(true)
		writers.Wait()
		db.close()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s.start()
		h.verify(t, e, s, d, round)
	}
	t.Logf("%d writes tried, %d acknowledged", h.tried.Load(), h.count.Load())
}

// write writes numbers, each once, until the server is gone.
func (h *history) write(e *env, db session, stop *atomic.Bool) {
	a, b, batched := e.in("INSERT INTO KS.a (k, c, v) VALUES (?, ?, ?)"), e.in("INSERT INTO KS.b (k, v) VALUES (?, ?)"), e.in("INSERT INTO KS.batched (k, v) VALUES (?, ?)")
	for !stop.Load() {
		i := int(h.tried.Add(1))
		var err error
		if i%3 == 0 { // a logged batch over two tables and partitions
			err = db.batch(true, []statement{{a, []any{i % 7, i, valueOf(i)}}, {batched, []any{i, valueOf(i)}}})
		} else if i%3 == 1 {
			err = db.exec(a, i%7, i, valueOf(i))
		} else {
			err = db.exec(b, i, valueOf(i))
		}
		if err == nil {
			h.acked.Store(i, true)
			h.count.Add(1)
		}
	}
}

func (h *history) verify(t *testing.T, e *env, s *server, d driver, round int) {
	t.Helper()
	db, err := d.connect(s.port, connectOptions{})
	if err != nil {
		t.Fatalf("round %d: connect after the restart: %v", round, err)
	}
	defer db.close()
	read := func(table, column string) map[int]bool {
		found := map[int]bool{}
		it := db.query(paging{size: 1000}, e.in("SELECT "+column+", v FROM KS."+table))
		var k int
		var v string
		for it.Scan(&k, &v) {
			if v != valueOf(k) {
				t.Fatalf("round %d: %s %d has a wrong value", round, table, k)
			}
			found[k] = true
		}
		if err := it.Close(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		return found
	}
	a, b, batched := read("a", "c"), read("b", "k"), read("batched", "k")
	h.acked.Range(func(key, _ any) bool {
		i := key.(int)
		if i%3 == 2 && !b[i] || i%3 != 2 && !a[i] || i%3 == 0 && !batched[i] {
			t.Errorf("round %d: write %d was acknowledged and is gone", round, i)
		}
		return !t.Failed()
	})
	for i := 3; i <= int(h.tried.Load()); i += 3 {
		if a[i] != batched[i] {
			t.Fatalf("round %d: half of the logged batch %d is there", round, i)
		}
	}
}
