package metadata

import (
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// refused tells whether a reader may answer so to bytes that nobody wrote.
func refused(err error) bool {
	var e *schema.Error
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknownFeature) || errors.Is(err, schema.ErrCorrupt) ||
		errors.Is(err, schema.ErrUnknownFeature) || errors.As(err, &e)
}

// sealed is p with the checksum that its last four bytes have to be.
func sealed(p []byte) []byte {
	if len(p) < 4 {
		return p
	}
	p = append([]byte(nil), p...)
	binary.LittleEndian.PutUint32(p[len(p)-4:], encoding.CRC32C(p[:len(p)-4]))
	return p
}

// FuzzEntries opens a log whose chain is sound and whose entries say anything.
func FuzzEntries(f *testing.F) {
	f.Add(kindSchema, uint16(1), schema.AppendChange(nil, keyspace(0)), kindMember, appendMember(nil, Member{DC: "a", Tokens: []ring.Token{1}}), uint16(0))
	f.Add(kindMember, uint16(0), []byte{}, uint16(7), []byte{1}, uint16(3))
	f.Add(kindSchema, uint16(1), schema.AppendChange(nil, keyspace(0)), kindSchema,
		schema.AppendChange(nil, schema.Change{Kind: schema.DropKeyspace, Keyspace: &schema.Keyspace{Name: "k0"}}), uint16(0))
	f.Add(kindMember, uint16(1), appendMember(nil, memberN(0)), kindMember, appendMember(nil, memberN(1)), uint16(0))
	f.Fuzz(func(t *testing.T, kind, flags uint16, payload []byte, kind2 uint16, payload2 []byte, cut uint16) {
		p := appendLogHeader(nil, 1, position{})
		var at position
		for i, e := range []entry{{kind: kind, flags: flags, payload: payload}, {kind: kind2, payload: payload2}} {
			e.index = uint64(i + 1)
			var hash chainHash
			p, hash = appendEntry(p, &e, at.hash)
			at = position{e.index, hash}
			p = append(p, make([]byte, markOffset(len(p))-len(p))...)
			p = appendMark(p, e.index)
		}
		p = p[:len(p)-int(cut)%len(p)/2]
		fs := vfs.NewMem()
		if err := errors.Join(vfs.MkdirAllSync(fs, dir), vfs.WriteFileAtomic(fs, logName(dir, 0), p)); err != nil {
			t.Fatal(err)
		}
		l, err := Open(fs, dir, Options{})
		if err != nil {
			// A log of several members is sound, and not for Open.
			if !refused(err) && !strings.Contains(err.Error(), "cannot be opened alone") {
				t.Fatal(err)
			}
			return
		}
		before := l.Snapshot()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err = Open(fs, dir, Options{}); err != nil || l.Snapshot().Version != before.Version || l.Snapshot().Epoch != before.Epoch {
			t.Fatalf("opened again: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzSealed reads snapshots and identities whose checksums are right.
func FuzzSealed(f *testing.F) {
	s := schema.NewSnapshot()
	for i := range 2 {
		s, _ = s.Apply(keyspace(i), uint64(i+1))
	}
	f.Add(appendSnapshot(nil, &State{Schema: s, Members: []Member{{DC: "a", Rack: "r", Tokens: []ring.Token{1, -1}}}}))
	id := appendIdentity(nil, &Identity{ClusterName: "c", FormatLevel: 1})
	f.Add(id)
	first := append([]byte(nil), id[:len(id)-2]...) // version 1, without its parts
	first[8] = 1
	f.Add(first)
	f.Add(appendSnapshot(nil, everyState(f)))
	f.Fuzz(func(t *testing.T, p []byte) {
		p = sealed(p)
		if s, err := readSnapshot("f", p); err == nil {
			again, err := readSnapshot("f", appendSnapshot(nil, s))
			if err != nil || again.at != s.at || again.Generation != s.Generation ||
				again.Schema.Version != s.Schema.Version || !reflect.DeepEqual(again.Members, s.Members) {
				t.Fatalf("%+v became %+v, %v", s, again, err)
			}
		} else if !refused(err) {
			t.Fatal(err)
		}
		id, err := decodeIdentity("f", p)
		if err != nil {
			if !refused(err) {
				t.Fatal(err)
			}
			return
		}
		// The bytes differ where p is of an older version.
		if again, err := decodeIdentity("f", appendIdentity(nil, &id)); err != nil || again != id {
			t.Fatalf("%+v became %+v, %v", id, again, err)
		}
	})
}
