package sim

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ilion-db/ilion/internal/vfs"
)

// bubble runs a test in a world of machines that are all up.
func bubble(t *testing.T, machines int, f func(t *testing.T, w *World, env []*Environment)) {
	synctest.Test(t, func(t *testing.T) {
		w := New(1, machines)
		var env []*Environment
		for _, m := range w.Machines {
			env = append(env, m.Boot())
		}
		f(t, w, env)
	})
}

// connect returns both ends of a connection from machine a to b.
func connect(t *testing.T, a, b *Environment) (near, far net.Conn) {
	t.Helper()
	l, err := b.Transport.Listen(b.Transport.Address(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = a.Transport.Dial(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func mustWrite(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

// readFull reads n bytes and tells how long that took.
func readFull(t *testing.T, c net.Conn, n int) (string, time.Duration) {
	t.Helper()
	b, start := make([]byte, n), time.Now()
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b), time.Since(start)
}

func TestConversation(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		near, far := connect(t, env[0], env[1])
		if near.LocalAddr().String() != far.RemoteAddr().String() || near.RemoteAddr().String() != far.LocalAddr().String() {
			t.Fatalf("%v to %v, %v to %v", near.LocalAddr(), near.RemoteAddr(), far.RemoteAddr(), far.LocalAddr())
		}
		mustWrite(t, near, "hello")
		if s, took := readFull(t, far, 5); s != "hello" || took < latency || took > latency+jitter {
			t.Fatalf("%q after %v", s, took)
		}
		mustWrite(t, far, "bye")
		far.Close()
		b, err := io.ReadAll(near)
		if string(b) != "bye" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
		if _, err := far.Read(b); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("read after close: %v", err)
		}
	})
}

func TestDialErrors(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		at := env[1].Transport.Address(7000)
		if _, err := env[0].Transport.Dial(context.Background(), at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("nobody listens: %v", err)
		}
		l, err := env[1].Transport.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := env[1].Transport.Listen(at); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("an address in use: %v", err)
		}
		if _, err := env[0].Transport.Listen(at); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Fatalf("another's address: %v", err)
		}
		f := w.Net.Refuse(1)
		if _, err := env[0].Transport.Dial(context.Background(), at); !errors.Is(err, syscall.ECONNREFUSED) || f.Effects() != 1 {
			t.Fatalf("refused: %v, %d effects", err, f.Effects())
		}
		f.Heal()
		f = w.Net.Isolate(1)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := env[0].Transport.Dial(ctx, at); !errors.Is(err, context.DeadlineExceeded) || f.Effects() == 0 {
			t.Fatalf("isolated: %v, %d effects", err, f.Effects())
		}
		time.AfterFunc(20*time.Second, f.Heal)
		start := time.Now()
		c, err := env[0].Transport.Dial(context.Background(), at)
		if took := time.Since(start); err != nil || took < 20*time.Second || took > 22*time.Second {
			t.Fatalf("after the heal: %v, %v", err, took)
		}
		c.Close()
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("accept after close: %v", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		near, far := connect(t, env[0], env[1])
		// Deadlines are by the machine's clock, however wrong it is.
		w.Machines[1].SetOffset(-time.Minute)
		if err := far.SetReadDeadline(env[1].Clock.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		if w.Machines[1].Skewed() == 0 {
			t.Fatal("nobody has read the clock")
		}
		// A peer that does not read stops the writer.
		if err := near.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := near.Write(make([]byte, 2*window)); n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d bytes, %v", n, err)
		}
	})
}

func TestSplitStallsAndHeals(t *testing.T) {
	bubble(t, 3, func(t *testing.T, w *World, env []*Environment) {
		near, far := connect(t, env[0], env[1])
		other, third := connect(t, env[0], env[2])
		f := w.Net.Split([]int{0, 2}, []int{1})
		mustWrite(t, near, "one")
		mustWrite(t, far, "two")
		mustWrite(t, other, "three")
		if s, took := readFull(t, third, 5); s != "three" || took > time.Second {
			t.Fatalf("%q after %v on the same side", s, took)
		}
		time.AfterFunc(10*time.Second, f.Heal)
		for _, c := range []net.Conn{near, far} {
			if _, took := readFull(t, c, 3); took > 11*time.Second {
				t.Fatalf("after %v", took)
			}
		}
		if f.Effects() != 2 {
			t.Fatalf("%d effects", f.Effects())
		}
	})
}

func TestOneWay(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		near, far := connect(t, env[0], env[1])
		mustWrite(t, near, "0")
		f := w.Net.OneWay([]int{0}, []int{1}) // catches what is on its way
		mustWrite(t, near, "1")
		mustWrite(t, far, "2")
		if s, took := readFull(t, near, 1); s != "2" || took > time.Second {
			t.Fatalf("%q after %v", s, took)
		}
		time.AfterFunc(time.Minute, f.Heal)
		if s, took := readFull(t, far, 2); s != "01" || took < 59*time.Second {
			t.Fatalf("%q after %v", s, took)
		}
		if f.Effects() != 2 {
			t.Fatalf("%d effects", f.Effects())
		}
	})
}

func TestSlowLossyResetting(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		near, far := connect(t, env[0], env[1])
		send := func(n int) time.Duration {
			go near.Write(make([]byte, n))
			_, took := readFull(t, far, n)
			return took
		}
		f := w.Net.Slow(1, 50*time.Millisecond, 100_000)
		if took := send(100_000); took < time.Second || took > 2*time.Second {
			t.Fatalf("a slow link: %v", took)
		}
		f.Heal()
		f = w.Net.Lossy(30)
		var took time.Duration
		for range 100 {
			took += send(100)
		}
		if took < 10*retransmit || f.Effects() < 10 {
			t.Fatalf("losses: %v, %d effects", took, f.Effects())
		}
		f.Heal()
		w.Net.Resetting(100)
		if _, err := near.Write(make([]byte, 1000)); err == nil {
			_, err = near.Write([]byte("x"))
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("write: %v", err)
			}
		}
		b, err := io.ReadAll(far)
		if !errors.Is(err, syscall.ECONNRESET) || len(b) >= 1000 {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	})
}

func TestKillAndCrash(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		near, _ := connect(t, env[0], env[1])
		if n := w.Machines[1].Kill(); n != 1 {
			t.Fatalf("%d connections", n)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("the peer's process is dead: %v", err)
		}
		if _, err := env[0].Transport.Dial(context.Background(), w.Machines[1].Address(7000)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("a machine without the process: %v", err)
		}
		env[1] = w.Machines[1].Boot()
		near, far := connect(t, env[0], env[1])
		f, err := env[1].FS.Create("/f", vfs.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.Machines[1].Crash(vfs.CrashOptions{})
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Fatal("a dead machine writes")
		}
		if _, err := far.Write([]byte("x")); err == nil {
			t.Fatal("a dead machine sends")
		}
		if _, err := env[1].Transport.Listen(env[1].Transport.Address(1)); err == nil {
			t.Fatal("a dead machine listens")
		}
		// Nobody is told.
		if err := near.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read: %v", err)
		}
		mustWrite(t, near, "into the void")
		env[1] = w.Machines[1].Boot()
		if _, err := env[1].FS.Stat("/f"); !errors.Is(err, vfs.ErrNotExist) {
			t.Fatalf("what was not synced: %v", err)
		}
		// Who is there now does not know the connection.
		mustWrite(t, near, "anybody?")
		near.SetReadDeadline(time.Time{})
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("read: %v", err)
		}
	})
}

func TestHalfOpenAndReset(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *World, env []*Environment) {
		near, far := connect(t, env[0], env[1])
		if n := w.Net.HalfOpen(0, 1); n != 2 {
			t.Fatalf("%d ends cut", n)
		}
		mustWrite(t, near, "x")
		far.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read: %v", err)
		}
		near, far = connect(t, env[0], env[1])
		w.Net.Reset(1, 0)
		for _, c := range []net.Conn{near, far} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("read: %v", err)
			}
		}
	})
}
