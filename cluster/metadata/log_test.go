package metadata

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const dir = "/data/metadata"

func keyspace(i int) schema.Change {
	return schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{
		Name: fmt.Sprintf("k%d", i), DurableWrites: true,
		Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"},
	}}
}

func open(t testing.TB, fs vfs.FS, o Options) Log {
	t.Helper()
	l, err := Open(fs, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func propose(t testing.TB, l Log, i int) {
	t.Helper()
	if _, err := l.Propose(context.Background(), keyspace(i)); err != nil {
		t.Fatal(err)
	}
}

// has is how many of k0, k1, ... there are; a gap is an error.
func has(t testing.TB, l Log) int {
	t.Helper()
	n := 0
	for ; l.Snapshot().Keyspace(fmt.Sprintf("k%d", n)) != nil; n++ {
	}
	if n != len(l.Snapshot().Keyspaces) {
		t.Fatalf("%d keyspaces, of which %d without a gap", len(l.Snapshot().Keyspaces), n)
	}
	return n
}

func TestProposeAndReopen(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, Options{Generation: 1, CompactAfter: 3})
	for i := range 10 {
		propose(t, l, i)
	}
	m := Member{HostID: [16]byte{1}, DC: "dc", Rack: "r", Tokens: []ring.Token{-5, 7}}
	if _, err := l.Register(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	if l.Epoch() != 1<<48|11 || l.Snapshot().Epoch != 1<<48|10 {
		t.Errorf("epoch %x", l.Epoch())
	}
	version := l.Snapshot().Version
	if _, err := l.Propose(context.Background(), keyspace(1)); err == nil || err.Error() != `Cannot add existing keyspace "k1"` {
		t.Error(err)
	}
	no := errors.New("no")
	if _, err := l.Propose(context.Background(), keyspace(11), nil, func(*schema.Snapshot) error { return no }); err != no {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Propose(context.Background(), keyspace(11)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	names, err := fs.List(dir)
	if err != nil || len(names) != 4 {
		t.Errorf("files %v, %v", names, err)
	}

	l = open(t, fs, Options{Generation: 1})
	defer l.Close()
	if has(t, l) != 10 || l.Snapshot().Version != version || l.Epoch() != 1<<48|11 || l.Snapshot().Epoch != 1<<48|10 {
		t.Errorf("epoch %x after the restart", l.Epoch())
	}
	if got := l.Members(); len(got) != 1 || got[0].DC != "dc" || !slices.Equal(got[0].Tokens, m.Tokens) {
		t.Errorf("members %v", got)
	}
}

func TestGeneration(t *testing.T) {
	fs := vfs.NewMem()
	for g := uint16(1); g <= 3; g++ {
		l := open(t, fs, Options{Generation: g})
		propose(t, l, int(g)-1)
		if want := uint64(g)<<48 | uint64(g); l.Snapshot().Epoch != want || has(t, l) != int(g) {
			t.Errorf("epoch %x, want %x", l.Snapshot().Epoch, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProposeInParallel(t *testing.T) {
	l := open(t, vfs.NewMem(), Options{CompactAfter: 5})
	defer l.Close()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := l.Propose(context.Background(), keyspace(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if has(t, l) != 20 || l.Epoch() != 20 {
		t.Errorf("epoch %d", l.Epoch())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	held := l.(*single)
	<-held.turn
	if _, err := l.Propose(ctx, keyspace(21)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	held.turn <- struct{}{}
}

// TestCrash cuts the power at every point of a run: what was acknowledged is
// there, and at most one entry more.
func TestCrash(t *testing.T) {
	fs := vfs.NewMem()
	type image struct {
		fs    *vfs.Mem
		acked int
	}
	var images []image
	acked := 0
	src := rand.NewSeeded(1)
	fs.OnWriteSide(func(vfs.Call) {
		for _, keep := range []int{0, 50, 100} {
			images = append(images, image{fs.CrashClone(vfs.CrashOptions{Keep: keep, Rand: src}), acked})
		}
	})
	l := open(t, fs, Options{CompactAfter: 3})
	for i := range 8 {
		propose(t, l, i)
		acked = i + 1
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	fs.OnWriteSide(nil)
	for i, im := range images {
		l, err := Open(im.fs, dir, Options{CompactAfter: 3})
		if err != nil {
			t.Fatalf("image %d, %d acknowledged: %v", i, im.acked, err)
		}
		got := has(t, l)
		if got < im.acked || got > im.acked+1 {
			t.Fatalf("image %d: %d entries, %d were acknowledged", i, got, im.acked)
		}
		propose(t, l, got)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, im.fs, Options{})
		if has(t, l) != got+1 {
			t.Fatalf("image %d: the entry after the crash is lost", i)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(images) < 50 {
		t.Fatalf("only %d images", len(images))
	}
}

// TestFaults fails each call of a run in turn: the log stops, and a restart
// finds what was acknowledged.
func TestFaults(t *testing.T) {
	run := func(fs vfs.FS) (acked int, err error) {
		l, err := Open(fs, dir, Options{CompactAfter: 3})
		if err != nil {
			return 0, err
		}
		defer l.Close()
		for i := range 8 {
			if _, err = l.Propose(context.Background(), keyspace(i)); err != nil {
				break
			}
			acked++
		}
		if err != nil {
			if _, again := l.Propose(context.Background(), keyspace(99)); !errors.Is(again, ErrStopped) {
				return acked, fmt.Errorf("a later proposal: %w", again)
			}
		}
		return acked, err
	}
	count := vfs.NewFault(vfs.NewMem(), nil)
	calls := count.Add(vfs.Rule{Ops: vfs.WriteSide})
	if _, err := run(count); err != nil {
		t.Fatal(err)
	}
	for nth := 1; nth <= calls.Seen(); nth++ {
		mem := vfs.NewMem()
		f := vfs.NewFault(mem, nil)
		f.Add(vfs.Rule{Ops: vfs.WriteSide, Nth: nth, Err: errors.New("EIO"), DropDirty: true})
		acked, err := run(f)
		if err != nil && strings.Contains(err.Error(), "a later proposal") {
			t.Fatalf("call %d: %v", nth, err)
		}
		l, err := Open(mem.CrashClone(vfs.CrashOptions{}), dir, Options{})
		if err != nil {
			t.Fatalf("call %d: %v", nth, err)
		}
		if got := has(t, l); got < acked || got > acked+1 {
			t.Fatalf("call %d: %d entries, %d were acknowledged", nth, got, acked)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRot damages every file of a small log at every place: the old state, an
// error, or a cut tail, and never anything else.
func TestRot(t *testing.T) {
	base := vfs.NewMem()
	l := open(t, base, Options{CompactAfter: 2})
	for i := range 5 {
		propose(t, l, i)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := base.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what, name string, p []byte, cut bool) {
		fs := base.CrashClone(vfs.CrashOptions{Keep: 100})
		if err := vfs.WriteFileAtomic(fs, name, p); err != nil {
			t.Fatal(err)
		}
		l, err := Open(fs, dir, Options{})
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnknownFeature) {
				t.Fatalf("%s: %v", what, err)
			}
			return
		}
		if got := has(t, l); got != 5 && !cut {
			t.Fatalf("%s: %d entries", what, got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range names {
		name := dir + "/" + n
		whole, err := vfs.ReadFile(base, name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			p := bytes.Clone(whole)
			p[i] ^= 1 << (i % 8)
			try(fmt.Sprintf("%s bit at %d", n, i), name, p, false)
			try(fmt.Sprintf("%s cut at %d", n, i), name, whole[:i], true)
			if i%64 == 0 {
				p := bytes.Clone(whole)
				clear(p[i:min(i+64, len(p))])
				try(fmt.Sprintf("%s zeros at %d", n, i), name, p, false)
			}
		}
	}
}

func TestGolden(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, Options{Generation: 1, HostID: [16]byte{0xaa}, CompactAfter: 2})
	propose(t, l, 0)
	if _, err := l.Register(context.Background(), Member{HostID: [16]byte{0xaa}, DC: "dc1", Rack: "r1", Tokens: []ring.Token{-1, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := OpenIdentity(fs, "/other", "Test Cluster", rand.NewSeeded(1))
	if err == nil {
		err = vfs.MkdirAllSync(fs, "/other/hints")
	}
	if err == nil {
		err = f.Own(PartHints)
	}
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range []string{logName(dir, 0), snapshotName(dir, 2), logName(dir, 2), "/other/identity", "/other/hints/owner"} {
		p, err := vfs.ReadFile(fs, name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(name + "\n" + hex.Dump(p))
	}
	golden(t, "testdata/files.txt", b.String())
}

// golden holds text against a file, or writes that anew.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *rewrite {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != text {
		t.Errorf("it differs from %s: %v\n%s", file, err, text)
	}
}

func FuzzReadLog(f *testing.F) {
	fs := vfs.NewMem()
	l := open(f, fs, Options{})
	propose(f, l, 0)
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	p, err := vfs.ReadFile(fs, logName(dir, 0), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		fs := vfs.NewMem()
		if err := vfs.MkdirAllSync(fs, dir); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFileAtomic(fs, logName(dir, 0), p); err != nil {
			t.Fatal(err)
		}
		l, err := Open(fs, dir, Options{})
		if err != nil {
			return
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add(appendSnapshot(nil, &State{Schema: schema.NewSnapshot(), Members: []Member{{DC: "a", Tokens: []ring.Token{1}}}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := readSnapshot("f", p)
		if err == nil {
			if _, err := readSnapshot("f", appendSnapshot(nil, s)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
