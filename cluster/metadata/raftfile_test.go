package metadata

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// someRaftFile writes a file of a few records, the last of which replaces an
// entry, and returns what it adds up to.
func someRaftFile(t testing.TB, fs vfs.FS) (raftpb.HardState, []raftpb.Entry) {
	t.Helper()
	if err := vfs.MkdirAllSync(fs, dir); err != nil {
		t.Fatal(err)
	}
	f := &raftFile{fs: fs, dir: dir, warn: func(string) {}}
	entry := func(index, term uint64, data string) raftpb.Entry {
		return raftpb.Entry{Index: index, Term: term, Data: []byte(data)}
	}
	base := &raftBase{generation: 3, index: 7, term: 2, hard: raftpb.HardState{Term: 2, Vote: 9}}
	err := errors.Join(
		f.replace(base, []raftpb.Entry{entry(8, 2, "eight")}),
		f.write(raftpb.HardState{Term: 3, Vote: 11}, nil),
		f.write(raftpb.HardState{Term: 3, Vote: 11}, []raftpb.Entry{entry(9, 3, "nine"), {Index: 10, Term: 3, Type: raftpb.EntryConfChangeV2, Data: []byte("ten")}}),
		f.write(raftpb.HardState{Term: 4}, []raftpb.Entry{entry(9, 4, "other")}),
		f.close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	return raftpb.HardState{Term: 4}, []raftpb.Entry{entry(8, 2, "eight"), entry(9, 4, "other")}
}

// loadRaft reads the newest file of dir.
func loadRaft(fs vfs.FS) (*raftBase, []raftpb.Entry, error) {
	f := &raftFile{fs: fs, dir: dir, warn: func(string) {}}
	base, entries, err := f.load()
	return base, entries, errors.Join(err, f.close())
}

func TestRaftFile(t *testing.T) {
	fs := vfs.NewMem()
	hard, want := someRaftFile(t, fs)
	for range 2 { // loading changes nothing
		base, got, err := loadRaft(fs)
		if err != nil || base.hard != hard || base.generation != 3 || base.index != 7 || base.term != 2 || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %+v, %v", base, got, err)
		}
	}
	f := &raftFile{fs: fs, dir: dir, warn: func(string) {}}
	if _, _, err := f.load(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.replace(&raftBase{generation: 3, index: 8, term: 2, hard: hard}, want[1:]), f.close()); err != nil {
		t.Fatal(err)
	}
	if names, err := fs.List(dir); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
	base, got, err := loadRaft(fs)
	if err != nil || base.index != 8 || base.hard != hard || !reflect.DeepEqual(got, want[1:]) {
		t.Errorf("%+v, %+v, %v", base, got, err)
	}
	if err := f.write(hard, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestRaftFileEveryBitFlipped flips each bit: all is there all the same, or the
// error names the file. A vote or an entry that was acknowledged is never
// forgotten.
func TestRaftFileEveryBitFlipped(t *testing.T) {
	base := vfs.NewMem()
	hard, want := someRaftFile(t, base)
	name := raftName(dir, 1)
	whole, err := vfs.ReadFile(base, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	refusals, spared := 0, 0
	try := func(what string, p []byte) {
		t.Helper()
		fs := base.CrashClone(vfs.CrashOptions{Keep: 100})
		if err := vfs.WriteFileAtomic(fs, name, p); err != nil {
			t.Fatal(err)
		}
		b, got, err := loadRaft(fs)
		if err != nil {
			if !refused(err) || !strings.Contains(err.Error(), name) {
				t.Fatalf("%s: %v", what, err)
			}
			refusals++
			return
		}
		if b.hard != hard || b.index != 7 || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %+v, %+v", what, b, got)
		}
		spared++
		if b, got, err = loadRaft(fs); err != nil || b.hard != hard || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s, read again: %+v, %+v, %v", what, b, got, err)
		}
	}
	everyBit(whole, func(at, bit int) { try(fmt.Sprintf("bit %d of byte %d", bit, at), whole) })
	for at := 0; at < len(whole); at += 64 {
		p := bytes.Clone(whole)
		clear(p[at:min(at+64, len(p))])
		try(fmt.Sprintf("zeros at %d", at), p)
	}
	if refusals == 0 || spared == 0 {
		t.Errorf("%d refused, %d spared", refusals, spared)
	}
}

// TestRaftFileEveryLengthCut cuts the file at each length: what a crash can
// leave is the records that are whole.
func TestRaftFileEveryLengthCut(t *testing.T) {
	base := vfs.NewMem()
	someRaftFile(t, base)
	name := raftName(dir, 1)
	whole, err := vfs.ReadFile(base, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for cut := range whole {
		fs := base.CrashClone(vfs.CrashOptions{Keep: 100})
		if err := vfs.WriteFileAtomic(fs, name, whole[:cut]); err != nil {
			t.Fatal(err)
		}
		_, entries, err := loadRaft(fs)
		switch {
		case err != nil && (cut >= raftHeaderLen || !errors.Is(err, ErrCorrupt)):
			t.Fatalf("cut at %d: %v", cut, err)
		case err == nil && cut < raftHeaderLen:
			t.Fatalf("cut at %d: no error", cut)
		}
		last = max(last, len(entries))
	}
	if last != 3 {
		t.Errorf("%d entries at most", last)
	}
}

// aloneRun founds a cluster, proposes five keyspaces and closes. It returns how
// many were acknowledged.
func aloneRun(fs vfs.FS, acked func(int)) error {
	o, m := testOptions(0), memberN(0)
	o.Found, o.CompactAfter = &m, 3
	l, err := OpenReplicated(fs, dir, o)
	if err != nil {
		return err
	}
	l.Start(noNetwork{})
	for i := range 5 {
		ctx, cancel := within(time.Minute)
		_, err = l.Propose(ctx, keyspace(i))
		cancel()
		if err != nil {
			break
		}
		acked(i + 1)
	}
	if err == nil {
		return l.Close()
	}
	if _, again := l.Propose(context.Background(), keyspace(99)); !errors.Is(again, ErrStopped) {
		err = fmt.Errorf("a later proposal: %w", again)
	}
	return errors.Join(err, l.Close())
}

// reopened is how many keyspaces there are after a restart, which then takes
// one more.
func reopened(t *testing.T, fs vfs.FS) int {
	t.Helper()
	l := founder(t, fs)
	got := has(t, l)
	before := l.Epoch()
	l.Start(noNetwork{})
	// An entry may be in the raft file only: it comes with the leader's own.
	if err := l.Wait(context.Background(), before+1); err != nil {
		t.Fatal(err)
	}
	got = max(got, has(t, l))
	ctx, cancel := within(time.Minute)
	defer cancel()
	if _, err := l.Propose(ctx, keyspace(50)); err != nil {
		t.Fatal(err)
	}
	for got < 5 && l.Snapshot().Keyspace(fmt.Sprintf("k%d", got)) != nil {
		got++
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestReplicatedCrash cuts the power at every write of a run, with none, some
// and all of what was not synced kept.
func TestReplicatedCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		if err := aloneRun(fs, func(n int) { synctest.Wait(); acked = n }); err != nil {
			t.Fatal(err)
		}
		fs.OnWriteSide(nil)
		for i, im := range images {
			if got := reopened(t, im.fs); got < im.acked || got > im.acked+1 {
				t.Fatalf("image %d: %d entries, %d were acknowledged", i, got, im.acked)
			}
		}
		if len(images) < 100 {
			t.Errorf("%d images", len(images))
		}
	})
}

// TestReplicatedFaults fails each write-side call of a run in turn: the log
// stops, and a restart finds what was acknowledged.
func TestReplicatedFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := vfs.NewFault(vfs.NewMem(), nil)
		calls := count.Add(vfs.Rule{Ops: vfs.WriteSide})
		if err := aloneRun(count, func(int) {}); err != nil {
			t.Fatal(err)
		}
		for nth := 1; nth <= calls.Seen(); nth++ {
			mem := vfs.NewMem()
			f := vfs.NewFault(mem, nil)
			f.Add(vfs.Rule{Ops: vfs.WriteSide, Nth: nth, Err: errors.New("EIO"), DropDirty: true})
			acked := 0
			if err := aloneRun(f, func(n int) { acked = n }); err != nil && strings.Contains(err.Error(), "a later proposal") {
				t.Fatalf("call %d: %v", nth, err)
			}
			if got := reopened(t, mem.CrashClone(vfs.CrashOptions{})); got < acked || got > acked+1 {
				t.Fatalf("call %d: %d entries, %d were acknowledged", nth, got, acked)
			}
		}
	})
}

func FuzzReadRaftFile(f *testing.F) {
	fs := vfs.NewMem()
	someRaftFile(f, fs)
	p, err := vfs.ReadFile(fs, raftName(dir, 1), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Add(p[:raftHeaderLen])
	f.Fuzz(func(t *testing.T, p []byte) {
		fs := vfs.NewMem()
		if err := errors.Join(vfs.MkdirAllSync(fs, dir), vfs.WriteFileAtomic(fs, raftName(dir, 1), p)); err != nil {
			t.Fatal(err)
		}
		base, entries, err := loadRaft(fs)
		if err != nil {
			if !refused(err) {
				t.Fatal(err)
			}
			return
		}
		again, same, err := loadRaft(fs)
		if err != nil || *again != *base || !reflect.DeepEqual(same, entries) {
			t.Fatalf("%+v became %+v, %v", base, again, err)
		}
	})
}

func FuzzRaftRecord(f *testing.F) {
	f.Add(appendRaftRecord(nil, 1, raftpb.HardState{Term: 1, Vote: 2}, []raftpb.Entry{{Index: 3, Term: 1, Data: []byte("x")}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) >= raftRecordHead {
			p = bytes.Clone(p)
			for i, b := range entryChecksum(p) {
				p[4+i] = b
			}
		}
		hard, entries, size, ok := readRaftRecord(p, 1)
		if ok && !bytes.Equal(appendRaftRecord(nil, 1, hard, entries), p[:size]) {
			t.Fatalf("%+v, %+v is not %x", hard, entries, p[:size])
		}
	})
}

// entryChecksum is the checksum that makes p, or as much of it as it says, a
// sound record.
func entryChecksum(p []byte) []byte {
	n := raftRecordHead + int(uint32(p[0])|uint32(p[1])<<8|uint32(p[2])<<16)
	crc := entryCRC(p[:min(n, len(p))])
	return []byte{byte(crc), byte(crc >> 8), byte(crc >> 16), byte(crc >> 24)}
}

func TestGoldenRaftFile(t *testing.T) {
	fs := vfs.NewMem()
	someRaftFile(t, fs)
	p, err := vfs.ReadFile(fs, raftName(dir, 1), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/raft.txt", hex.Dump(p))
}

// TestReplicatedEveryByteFlipped flips bits in all of a voter's files: state and
// vote are the same, or the error says which file is damaged.
func TestReplicatedEveryByteFlipped(t *testing.T) {
	base := vfs.NewMem()
	synctest.Test(t, func(t *testing.T) {
		if err := aloneRun(base, func(int) {}); err != nil {
			t.Fatal(err)
		}
	})
	open := func(fs vfs.FS) (*Replicated, error) {
		o, m := testOptions(0), memberN(0)
		o.Found = &m
		return OpenReplicated(fs, dir, o)
	}
	good, err := open(base.CrashClone(vfs.CrashOptions{Keep: 100}))
	if err != nil {
		t.Fatal(err)
	}
	want, hard := good.State(), good.core.hard
	if err := good.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := base.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	refusals, spared := 0, 0
	for _, n := range names {
		name := dir + "/" + n
		whole, err := vfs.ReadFile(base, name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		everyBit(whole, func(at, bit int) {
			if bit != at%8 || at%5 != 0 && !strings.Contains(name, "raft-") {
				return // TestEveryBitFlipped has the other files
			}
			fs := base.CrashClone(vfs.CrashOptions{Keep: 100})
			if err := vfs.WriteFileAtomic(fs, name, whole); err != nil {
				t.Fatal(err)
			}
			l, err := open(fs)
			if err != nil {
				if !refused(err) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("%s, byte %d: %v", name, at, err)
				}
				refusals++
				return
			}
			if s := l.State(); s.at != want.at || s.Schema.Version != want.Schema.Version || s.term != want.term || l.core.hard != hard {
				t.Fatalf("%s, byte %d: %+v", name, at, s)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			spared++
		})
	}
	if refusals == 0 || spared == 0 {
		t.Errorf("%d refused, %d spared", refusals, spared)
	}
}
