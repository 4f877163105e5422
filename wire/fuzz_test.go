package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/ilion-db/ilion/internal/encoding"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/wire"
)

func mustBeKnown(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, wire.ErrCorrupt) && !errors.Is(err, wire.ErrUnknownFeature) {
		t.Fatal(err)
	}
}

// FuzzFrame repairs the checksums, so that what lies behind them is reached.
func FuzzFrame(f *testing.F) {
	f.Add(wire.AppendFrame(nil, wire.Header{Stream: 7, Op: wire.OpApply}, &wire.Prologue{Epoch: 5, Left: 6, Trace: []byte("t")}, []byte("body")), true)
	f.Add(wire.AppendFrame(nil, wire.Header{Op: wire.OpPing}, &wire.Prologue{}), false)
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		if repair && len(b) >= wire.HeaderSize {
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint32(b[12:], encoding.CRC32C(b[:12]))
			if n := len(b) - wire.CheckSize; n >= wire.HeaderSize {
				binary.LittleEndian.PutUint32(b[n:], encoding.CRC32C(b[wire.HeaderSize:n]))
			}
		}
		h, err := wire.ParseHeader(b)
		if mustBeKnown(t, err); err != nil {
			return
		}
		var p wire.Prologue
		body, err := wire.ParsePayload(b[wire.HeaderSize:], &p)
		if mustBeKnown(t, err); err != nil {
			return
		}
		again := wire.AppendFrame(nil, h, &p, body)
		var q wire.Prologue
		got, err := wire.ParsePayload(again[wire.HeaderSize:], &q)
		if err != nil || !bytes.Equal(got, body) || p.Epoch != q.Epoch || p.Left != q.Left || !bytes.Equal(p.Trace, q.Trace) {
			t.Fatalf("%v: %+v became %+v", err, p, q)
		}
	})
}

// FuzzBodies decodes as every body; what is accepted must mean the same when it
// is encoded again.
func FuzzBodies(f *testing.F) {
	for _, b := range bodies() {
		f.Add(b.Append(nil))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, pair := range [][2]body{
			{&wire.Hello{}, &wire.Hello{}},
			{&wire.Error{}, &wire.Error{}},
			{&wire.Apply{}, &wire.Apply{}},
			{&wire.Applied{}, &wire.Applied{}},
			{&wire.HintReply{}, &wire.HintReply{}},
			{&wire.BatchStore{}, &wire.BatchStore{}},
			{&wire.BatchDone{}, &wire.BatchDone{}},
			{&wire.Pull{}, &wire.Pull{}},
			{&wire.Read{}, &wire.Read{}},
			{&wire.ReadReply{}, &wire.ReadReply{}},
			{&wire.Prepare{}, &wire.Prepare{}},
			{&wire.Prepared{}, &wire.Prepared{}},
			{&executeBody{}, &executeBody{}},
			{&wire.Batch{}, &wire.Batch{}},
			{&wire.Query{}, &wire.Query{}},
			{&answersBody{}, &answersBody{}},
			{&wire.Rows{}, &wire.Rows{}},
			{&wire.Failure{}, &wire.Failure{}},
			{&wire.Topology{}, &wire.Topology{}},
		} {
			err := pair[0].Decode(p)
			if mustBeKnown(t, err); err != nil {
				continue
			}
			enc := pair[0].Append(nil)
			if err := pair[1].Decode(enc); err != nil {
				t.Fatalf("%T: %x became %x: %v", pair[0], p, enc, err)
			}
			if again := pair[1].Append(nil); !bytes.Equal(again, enc) {
				t.Fatalf("%T: %x became %x", pair[0], enc, again)
			}
		}
	})
}

// FuzzRows reads a stream whole, over a cut, and with seeks.
func FuzzRows(f *testing.F) {
	for seed := range uint64(10) {
		m := mutationtest.NewModel(mutationtest.NewGen(seed).Records(6)...)
		for _, reverse := range []bool{false, true} {
			rows, _, err := new(wire.RowWriter).Append(nil, m.Source(reverse), &wire.Position{}, wire.Limits{Reverse: reverse})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(rows, uint16(seed*20), reverse)
		}
	}
	f.Fuzz(func(t *testing.T, rows []byte, cut uint16, reverse bool) {
		var s wire.RowStream
		s.Init(rows, false, reverse)
		for s.NextPartition() {
			for s.Next() {
			}
		}
		mustBeKnown(t, s.Err())
		n := min(int(cut), len(rows))
		s.Init(bytes.Clone(rows[:n]), true, reverse)
		for s.NextPartition() {
			s.Seek(mutationtest.Clustering(3))
			for s.Next() {
			}
		}
		mustBeKnown(t, s.Err())
		if s.Cut() {
			s.Continue(rows[n:], false)
			for s.Next() || s.NextPartition() {
			}
			mustBeKnown(t, s.Err())
		}
	})
}

func FuzzCompressed(f *testing.F) {
	packed, _ := wire.AppendCompressed(nil, bytes.Repeat([]byte("abc"), 100))
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := wire.DecompressedSize(b)
		if mustBeKnown(t, err); err != nil {
			return
		}
		mustBeKnown(t, wire.Decompress(make([]byte, n), b))
	})
}
