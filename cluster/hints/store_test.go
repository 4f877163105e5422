package hints

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

var (
	hostA = [16]byte{1, 2, 3}
	hostB = [16]byte{9}
)

// record returns one of about that size that says which it is.
func record(n, size int) mutation.Record {
	var b mutation.Builder
	key := binary.BigEndian.AppendUint32(nil, uint32(n))
	b.Begin(nil, mutation.Header{Table: tableOf(1), Timestamp: int64(n), Token: ring.Token(int64(n) << 54), Key: key})
	b.BeginRow([]byte("c"))
	b.Cell(mutation.Cell{Column: 1, Timestamp: int64(n), Value: make([]byte, size)})
	b.EndRow()
	return b.Finish()
}

func tableOf(n byte) (id schema.TableID) {
	id[0] = n
	return id
}

func numberOf(r mutation.Record) int { return int(binary.BigEndian.Uint32(r.Key())) }

// completion is a Completer that a test waits for.
type completion chan error

func (c completion) Complete(err error) { c <- err }

// addSync adds and waits until done.
func addSync(s *Store, host [16]byte, created int64, r mutation.Record) error {
	c := make(completion, 1)
	if err := s.Add(host, created, r, c); err != nil {
		return err
	}
	return <-c
}

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "/hints", Clock: clock.Real, Rand: rand.NewSeeded(1)}
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// peer is a Sender whose targets answer as a test wants.
type peer struct {
	mu      sync.Mutex // protects what follows
	down    error      // what Deliver returns
	answer  func(n int) (int64, error)
	got     []int
	created []int64
	at      []time.Time
}

func (p *peer) Deliver(_ [16]byte, created int64, r mutation.Record, done func(int64, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return p.down
	}
	n := numberOf(r)
	var rate int64
	var err error
	if p.answer != nil {
		rate, err = p.answer(n)
	}
	if err == nil {
		p.got = append(p.got, n)
		p.created = append(p.created, created)
		p.at = append(p.at, time.Now())
	}
	go done(rate, err)
	return nil
}

func (p *peer) set(f func(p *peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *peer) numbers() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.got...)
}

func TestDeliverInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		s := mustOpen(t, testOptions(fs))
		now := time.Now().UnixMicro()
		for i := range 100 {
			if err := addSync(s, hostA, now+int64(i), record(i, 10)); err != nil {
				t.Fatal(err)
			}
		}
		if n, b, oldest := s.Pending(hostA); n != 100 || b < 1000 || oldest != now {
			t.Fatalf("pending %d, %d bytes, oldest %d", n, b, oldest)
		}
		p := &peer{}
		s.Deliver(p)
		time.Sleep(time.Second)
		got := p.numbers()
		var created []int64
		p.set(func(p *peer) { created = p.created })
		if len(got) != 100 {
			t.Fatalf("%d delivered", len(got))
		}
		for i := range got {
			if got[i] != i || created[i] != now+int64(i) {
				t.Fatalf("delivered %v", got)
			}
		}
		if n, b, oldest := s.Pending(hostA); n != 0 || b != 0 || oldest != 0 {
			t.Fatalf("pending %d, %d bytes, oldest %d", n, b, oldest)
		}
		time.Sleep(5 * time.Second)
		names, err := fs.List("/hints")
		if err != nil || len(names) != 1 {
			t.Fatalf("files left: %v, %v", names, err)
		}
		mustClose(t, s)
	})
}

func TestDeadTargetAndWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		s := mustOpen(t, testOptions(fs))
		p := &peer{down: errors.New("down")}
		s.Deliver(p)
		for i := range 10 {
			if err := addSync(s, hostA, time.Now().UnixMicro(), record(i, 10)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		if n := len(p.numbers()); n != 0 {
			t.Fatalf("%d delivered to a dead target", n)
		}
		p.set(func(p *peer) { p.down = nil })
		s.Wake(hostA)
		time.Sleep(100 * time.Millisecond)
		if n := len(p.numbers()); n != 10 {
			t.Fatalf("%d delivered after it was woken", n)
		}
		mustClose(t, s)

		// What was delivered is not delivered again, by a later start neither.
		s = mustOpen(t, testOptions(fs))
		s.Deliver(p)
		time.Sleep(time.Hour)
		if n := len(p.numbers()); n != 10 {
			t.Fatalf("%d delivered after a restart", n)
		}
		mustClose(t, s)
	})
}

func TestRestartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		p := &peer{answer: func(n int) (int64, error) {
			if n >= 40 {
				return 0, errors.New("busy")
			}
			return 0, nil
		}}
		s := mustOpen(t, testOptions(fs))
		for i := range 100 {
			if err := addSync(s, hostA, time.Now().UnixMicro(), record(i, 100)); err != nil {
				t.Fatal(err)
			}
			if err := addSync(s, hostB, time.Now().UnixMicro(), record(1000+i, 100)); err != nil {
				t.Fatal(err)
			}
		}
		s.Deliver(p)
		time.Sleep(time.Minute)
		if n, _, _ := s.Pending(hostA); n != 60 {
			t.Fatalf("%d pending", n)
		}
		mustClose(t, s)
		s = mustOpen(t, testOptions(fs))
		if n, _, _ := s.Pending(hostA); n != 60 {
			t.Fatalf("%d pending after the restart", n)
		}
		if n, _, _ := s.Pending(hostB); n != 100 {
			t.Fatalf("%d pending for the other", n)
		}
		p.set(func(p *peer) { p.answer = nil })
		s.Deliver(p)
		time.Sleep(time.Minute)
		seen := map[int]int{}
		for _, n := range p.numbers() {
			seen[n]++
		}
		for i := range 100 {
			if seen[i] != 1 || seen[1000+i] != 1 {
				t.Fatalf("hint %d delivered %d times, %d for the other", i, seen[i], seen[1000+i])
			}
		}
		mustClose(t, s)
	})
}

func TestDropsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		o := testOptions(fs)
		o.MaxBytes = 8 << 10
		s := mustOpen(t, o)
		now := time.Now().UnixMicro()
		if err := addSync(s, hostA, now-4*time.Hour.Microseconds(), record(1, 10)); !errors.Is(err, ErrExpired) {
			t.Fatalf("an old hint: %v", err)
		}
		full := 0
		for i := range 20 {
			err := addSync(s, hostB, now, record(i, 1000))
			if errors.Is(err, ErrFull) {
				full++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if full == 0 {
			t.Fatal("never full")
		}
		mustClose(t, s)
		s = mustOpen(t, o)
		drops := s.Dropped()
		if len(drops) != 2 || drops[0].Target != hostA || drops[0].Reasons != Expired || drops[1].Reasons != Full || drops[1].Hints != uint64(full) {
			t.Fatalf("%+v", drops)
		}
		for i := range 20 {
			if d := drops[1]; i >= 20-full && !d.Range.Contains(record(i, 1).Token()) || d.First > now || d.Last < now {
				t.Fatalf("%+v does not cover %d", d, i)
			}
		}
		// The others expire where they are.
		p := &peer{down: errors.New("down")}
		s.Deliver(p)
		time.Sleep(4 * time.Hour)
		if n, _, _ := s.Pending(hostB); n != 0 {
			t.Fatalf("%d pending", n)
		}
		if d := s.Dropped()[1]; d.Reasons != Full|Expired || d.Hints != 20 {
			t.Fatalf("%+v", d)
		}
		mustClose(t, s)
	})
}

func TestRefusedIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, testOptions(vfs.NewMem()))
		p := &peer{answer: func(n int) (int64, error) {
			if n == 3 {
				return 0, fmt.Errorf("no such table: %w", ErrRefused)
			}
			return 0, nil
		}}
		s.Deliver(p)
		for i := range 6 {
			if err := addSync(s, hostA, time.Now().UnixMicro(), record(i, 10)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if n, _, _ := s.Pending(hostA); n != 0 {
			t.Fatalf("%d pending", n)
		}
		if d := s.Dropped(); len(d) != 1 || d[0].Reasons != Refused || d[0].Table != tableOf(1) {
			t.Fatalf("%+v", d)
		}
		mustClose(t, s)
	})
}

// TestRateOfTheReceiver has the target ask for 1000 bytes a second.
func TestRateOfTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, testOptions(vfs.NewMem()))
		p := &peer{answer: func(int) (int64, error) { return 1000, nil }}
		var bytes int
		for i := range 60 {
			r := record(i, 900)
			bytes += len(r)
			if err := addSync(s, hostA, time.Now().UnixMicro(), r); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		s.Deliver(p)
		time.Sleep(10 * time.Minute)
		if n := len(p.numbers()); n != 60 {
			t.Fatalf("%d delivered", n)
		}
		// The first ones go at the rate of the start, before the target has said
		// anything.
		var last time.Time
		p.set(func(p *peer) { last = p.at[59] })
		took, least := last.Sub(start), time.Duration(bytes-34*1000)*time.Millisecond
		if took < least {
			t.Fatalf("%d bytes within %v", bytes, took)
		}
		mustClose(t, s)
	})
}

func TestFullDiskRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		s := mustOpen(t, testOptions(fs))
		if err := addSync(s, hostA, time.Now().UnixMicro(), record(1, 100)); err != nil {
			t.Fatal(err)
		}
		u, err := fs.DiskUsage("/")
		if err != nil {
			t.Fatal(err)
		}
		fs.SetCapacity(int64(u.Total - u.Free))
		if err := addSync(s, hostA, time.Now().UnixMicro(), record(2, 8000)); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("on a full disk: %v", err)
		}
		if d := s.Dropped(); len(d) != 1 || d[0].Reasons != Disk {
			t.Fatalf("%+v", d)
		}
		fs.SetCapacity(0)
		if err := addSync(s, hostA, time.Now().UnixMicro(), record(3, 8000)); err != nil {
			t.Fatalf("after space was freed: %v", err)
		}
		p := &peer{}
		s.Deliver(p)
		time.Sleep(time.Second)
		if got := fmt.Sprint(p.numbers()); got != "[1 3]" {
			t.Fatalf("delivered %s", got)
		}
		mustClose(t, s)
	})
}
