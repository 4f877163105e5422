package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/golden"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
	"github.com/ilion-db/ilion/wire"
)

// body is what every body of a message can do.
type body interface {
	Append(dst []byte) []byte
	Decode(b []byte) error
}

func id(b byte) [16]byte {
	return [16]byte(bytes.Repeat([]byte{b}, 16))
}

func records(n int) []mutation.Record {
	g := mutationtest.NewGen(1)
	g.NoDeletions = true
	return g.Records(n)
}

func table() (t schema.TableID) {
	copy(t[:], "a table's 16-ids")
	return t
}

func hello() *wire.Hello {
	h := &wire.Hello{
		ClusterID: id(1), ClusterName: "Test Cluster", Generation: 2, HostID: id(3), DiskID: id(4),
		Instance: 5, BootCount: 6, ClockMark: 1_700_000_000_000_000, Lowest: 1, Highest: 2,
		Purpose: wire.PurposePeer, Lane: 1, Features: wire.FeatureLZ4, Now: 1_700_000_000_000_001, Epoch: 1<<48 | 9,
	}
	copy(h.Nonce[:], bytes.Repeat([]byte{0xee}, 32))
	return h
}

func deletion() mutation.Deletion {
	return mutation.Deletion{Timestamp: -3, LocalTime: 1_700_000_000, Set: true}
}

// bodies are examples of each body, with as many of its parts as possible.
func bodies() map[string]body {
	return map[string]body{
		"hello":               hello(),
		"error":               &wire.Error{Code: wire.CodeNewer, Message: "meh", Epoch: 7, Timestamp: -8, Detail: []byte{9}},
		"apply":               &wire.Apply{Records: records(1)},
		"apply, all":          &wire.Apply{Atomic: true, Hinted: 1_700_000_000_000_000, Records: records(2), Forward: [][16]byte{id(5), id(6)}, ID: 7},
		"applied":             &wire.Applied{ID: 7, Host: id(5)},
		"applied, newer":      &wire.Applied{ID: 7, Host: id(6), Code: wire.CodeNewer, Epoch: 1 << 48, Timestamp: 1_700_000_000_000_000},
		"hint reply":          &wire.HintReply{Rate: 1 << 20},
		"batch store":         &wire.BatchStore{ID: id(7), Created: 1_700_000_000_000_000, Records: records(2)},
		"batch done":          &wire.BatchDone{ID: id(7)},
		"pull":                &wire.Pull{After: 1<<48 | 8, Hash: [32]byte{1, 2, 3}},
		"read, one key":       &wire.Read{ReadCommand: mutation.ReadCommand{Version: 1, Table: table(), Epoch: 3, Now: 1_700_000_000, Keys: []mutation.Key{{Token: -5, Key: []byte("key")}}, Limit: 1}},
		"read, all":           &wire.Read{ReadCommand: fullCommand(), Resume: wire.Position{Place: wire.PlaceRow, Token: 5, Key: []byte("k"), Clustering: []byte("c"), Open: deletion()}},
		"read, range":         &wire.Read{ReadCommand: mutation.ReadCommand{Range: mutation.PartitionRange{Start: &mutation.PartitionBound{Token: ring.Token(-1 << 63), After: true}, End: &mutation.PartitionBound{Token: 5, Key: []byte("k")}}}},
		"read, nothing":       &wire.Read{ReadCommand: mutation.ReadCommand{Columns: []schema.ColumnID{}, Keys: []mutation.Key{}, Slices: []mutation.Slice{}}},
		"read reply":          &wire.ReadReply{Rows: []byte("rows")},
		"read reply, digest":  &wire.ReadReply{HasDigest: true, Digest: id(9)},
		"read reply, cut":     &wire.ReadReply{More: true, Last: wire.Position{Place: wire.PlaceBoundary, Token: -1, Key: []byte("k"), Clustering: []byte("c")}, Rows: []byte("rows")},
		"read reply, cut end": &wire.ReadReply{More: true, Last: wire.Position{Place: wire.PlaceEnd, Token: -1, Key: []byte("k")}},
		"prepare":             &wire.Prepare{Keyspace: "ks", Text: "SELECT * FROM t WHERE k = ?"},
		"prepared":            &wire.Prepared{Ref: ref(1), Read: true, Bind: columns()[:2], PartitionKey: []uint16{1, 0}, Result: columns()},
		"prepared, bare":      &wire.Prepared{Ref: ref(3)},
		"execute":             executions(),
		"batch":               clientBatch(),
		"query":               &wire.Query{Keyspace: "ks", Text: "SELECT * FROM t", Options: wire.ExecuteOptions{Consistency: 6}},
		"answers":             &answersBody{{Index: 1, Kind: wire.AnswerVoid}, {Index: 0, Kind: wire.AnswerRows, Body: []byte("rows")}, {Index: 300, Kind: wire.AnswerError, Body: []byte("error")}},
		"rows":                &wire.Rows{Count: 2, Values: []byte("\x00\x00\x00\x01a\xff\xff\xff\xff")},
		"rows, all":           &wire.Rows{Count: 1, PagingState: []byte("state"), ResultID: id(4), Columns: columns(), Warnings: []string{"careful"}, Values: []byte("values")},
		"failure":             &wire.Failure{CQL: 0x1100, Consistency: 4, Required: 2, Received: 1, Data: true, WriteType: "SIMPLE", Keyspace: "ks", Name: "t"},
		"topology":            topology(),
	}
}

func ref(b byte) wire.StatementRef { return wire.StatementRef{ID: id(b), Result: id(b + 1)} }

func columns() []wire.Column {
	inner := schema.UDTOf("ks", "inner", []string{"a"}, []*schema.Type{schema.TypeInt}, true)
	outer := schema.UDTOf("ks", "Outer", []string{"i", "s"}, []*schema.Type{inner, schema.SetOf(schema.TypeText, true)}, true)
	return []wire.Column{
		{Keyspace: "ks", Table: "t", Name: "k", Type: schema.TypeInt},
		{Keyspace: "ks", Table: "t", Name: "m", Type: schema.MapOf(schema.TypeText, outer, false)},
		{Keyspace: "ks", Table: "t", Name: "u", Type: inner},
		{Keyspace: "ks", Table: "t", Name: "v", Type: schema.VectorOf(schema.TypeFloat, 3)},
	}
}

func topology() *wire.Topology {
	return &wire.Topology{
		Epoch: 1<<48 | 3,
		Hosts: []wire.Host{
			{ID: id(1), Address: "10.0.0.1:7000", Native: "10.0.0.1:9042", DC: "dc1", Rack: "r1", Up: true, Tokens: []ring.Token{-5, 5}},
			{ID: id(2), Address: "10.0.0.2:7000", Native: "10.0.0.2:9042", DC: "dc2", Rack: "r1", Tokens: []ring.Token{0}},
		},
		Keyspaces: []wire.KeyspaceRanges{{Name: "ks", Ranges: []wire.HostRange{{End: -5, Hosts: []uint32{0, 1}}, {End: 5, Hosts: []uint32{1}}}}},
	}
}

func clientBatch() *wire.Batch {
	return &wire.Batch{
		Kind: wire.BatchUnlogged, Options: wire.ExecuteOptions{Consistency: 1, Timestamp: -7, HasTimestamp: true},
		Statements: []wire.StatementRef{ref(1), ref(2)},
		Entries: []wire.BatchEntry{
			{Statement: 1, Values: []native.Value{{Bytes: []byte("x")}, {}, {Unset: true}}}, {Statement: 0}, {Statement: 1, Values: []native.Value{{Bytes: []byte{}}}},
		},
	}
}

func executions() *executeBody {
	return &executeBody{
		Statements: []wire.StatementRef{ref(1), ref(2)},
		Executions: []wire.Execution{
			{Statement: 1, Values: []native.Value{{Bytes: []byte("key")}, {}, {Unset: true}}},
			{Statement: 0, Options: wire.ExecuteOptions{
				Consistency: 10, PageSize: 100, PagingState: []byte("state"), Timestamp: 5, HasTimestamp: true, Serial: 8, HasSerial: true,
			}},
		},
	}
}

// executeBody is the body of OpExecute as a whole.
type executeBody struct {
	Statements []wire.StatementRef
	Executions []wire.Execution
}

func (b *executeBody) Append(dst []byte) []byte {
	dst = wire.AppendStatements(dst, b.Statements)
	for i := range b.Executions {
		e := &b.Executions[i]
		var values []byte
		for _, v := range e.Values {
			values = wire.AppendValue(values, v)
		}
		dst = wire.AppendExecution(dst, e.Statement, wire.AppendBinding(nil, &e.Options, len(e.Values), values))
	}
	return dst
}

func (b *executeBody) Decode(p []byte) error {
	var x wire.Executions
	if err := x.Init(p); err != nil {
		return err
	}
	*b = executeBody{Statements: x.Statements}
	for e := (wire.Execution{}); x.Next(&e); e = (wire.Execution{}) {
		b.Executions = append(b.Executions, e)
	}
	return x.Err()
}

// answersBody is a body of answers as a whole.
type answersBody []wire.Answer

func (b *answersBody) Append(dst []byte) []byte {
	for _, a := range *b {
		dst = append(wire.AppendAnswer(dst, a.Index, a.Kind, len(a.Body)), a.Body...)
	}
	return dst
}

func (b *answersBody) Decode(p []byte) error {
	*b = nil
	var w wire.Answers
	w.Init(p)
	for a := (wire.Answer{}); w.Next(&a); {
		*b = append(*b, a)
	}
	return w.Err()
}

func fullCommand() mutation.ReadCommand {
	return mutation.ReadCommand{
		Version: 1, Digest: true, Table: table(), Epoch: 3, Now: 1_700_000_000, Columns: []schema.ColumnID{1, 2, 1 << 20},
		Keys:   []mutation.Key{{Token: -5, Key: []byte("a")}, {Token: 6, Key: []byte("b")}},
		Slices: []mutation.Slice{{Lo: []byte("x"), Hi: []byte("y")}, {Lo: []byte("z")}}, Reverse: true, Static: true, Distinct: true,
		Filters: []mutation.Filter{
			{Column: 1, Op: mutation.FilterElement, Key: []byte("k"), Value: []byte("v")}, {Column: 2, Op: mutation.FilterEQ},
		},
		Limit: 10, PerPartitionLimit: 2, Bytes: 1 << 20,
	}
}

// same compares bodies; empty byte strings and lists of a decoded one may be
// nil, except where nil means something else.
var same = cmp.Options{
	cmpopts.IgnoreUnexported(wire.Read{}, wire.Batch{}),
	cmp.Comparer(func(a, b *schema.Type) bool { return a == b || a != nil && b != nil && a.Equal(b) }),
	// An empty value is no null.
	cmp.Comparer(func(a, b native.Value) bool {
		return a.Unset == b.Unset && (a.Bytes == nil) == (b.Bytes == nil) && bytes.Equal(a.Bytes, b.Bytes)
	}),
	cmpopts.EquateEmpty(),
}

// toTheEnd are bodies of which a part may be a body, too.
var toTheEnd = map[string]bool{"execute": true, "batch": true, "answers": true, "rows": true, "rows, all": true}

func TestBodies(t *testing.T) {
	all := bodies()
	for name, b := range all {
		enc := b.Append([]byte("before"))
		if !bytes.HasPrefix(enc, []byte("before")) {
			t.Fatal(name)
		}
		enc = enc[len("before"):]
		got := reflect.New(reflect.TypeOf(b).Elem()).Interface().(body)
		// Twice, into the same: nothing of before may be left.
		for _, other := range all {
			if reflect.TypeOf(other) == reflect.TypeOf(b) {
				if err := got.Decode(other.Append(nil)); err != nil {
					t.Fatal(name, err)
				}
			}
		}
		if err := got.Decode(enc); err != nil {
			t.Fatal(name, err)
		}
		if d := cmp.Diff(b, got, same); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if again := got.Append(nil); !bytes.Equal(again, enc) {
			t.Errorf("%s: encoded again\n%x, not\n%x", name, again, enc)
		}
		for n := range enc {
			// What ends early is an error, but for a list without a length.
			err := got.Decode(enc[:n:n])
			if err == nil && !toTheEnd[name] && !strings.HasPrefix(name, "read reply") {
				t.Errorf("%s: %d of %d bytes are enough", name, n, len(enc))
			}
			if err != nil && !errors.Is(err, wire.ErrCorrupt) && !errors.Is(err, wire.ErrUnknownFeature) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestReadNil keeps lists that are nil apart from empty ones.
func TestReadNil(t *testing.T) {
	for name, b := range bodies() {
		want, ok := b.(*wire.Read)
		if !ok {
			continue
		}
		var got wire.Read
		if err := got.Decode(want.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if (got.Columns == nil) != (want.Columns == nil) || (got.Keys == nil) != (want.Keys == nil) || (got.Slices == nil) != (want.Slices == nil) {
			t.Errorf("%s: nil has changed", name)
		}
		if s, w := got.Range.Start, want.Range.Start; (s == nil) != (w == nil) || s != nil && (s.Key == nil) != (w.Key == nil) {
			t.Errorf("%s: bounds have changed", name)
		}
	}
}

func TestGoldenBodies(t *testing.T) {
	all, text := bodies(), ""
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text += name + "\n" + hex.Dump(all[name].Append(nil))
	}
	golden.Check(t, "bodies.txt", text)
}

func TestGoldenRows(t *testing.T) {
	g := mutationtest.NewGen(11)
	m := mutationtest.NewModel(g.Records(8)...)
	rows, _, err := new(wire.RowWriter).Append(nil, m.Source(false), &wire.Position{}, wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "rows.txt", mutationtest.Dump(m.Source(false))+hex.Dump(rows))
}

func TestGoldenFrames(t *testing.T) {
	var out []byte
	text := ""
	for _, f := range []struct {
		what string
		h    wire.Header
		p    wire.Prologue
		body string
	}{
		{"a request", wire.Header{Stream: 7, Op: wire.OpApply}, wire.Prologue{Epoch: 1<<48 | 9, Left: 2_000_000}, "body"},
		{"its answer", wire.Header{Stream: 7, Op: wire.OpApply, Flags: wire.FlagResponse}, wire.Prologue{Epoch: 1<<48 | 10}, ""},
		{"a ping", wire.Header{Op: wire.OpPing}, wire.Prologue{}, ""},
		{"one-way, traced", wire.Header{Op: wire.OpBatchDone, Flags: wire.FlagOneWay}, wire.Prologue{Trace: []byte("trace")}, "id"},
	} {
		out = wire.AppendFrame(out[:0], f.h, &f.p, []byte(f.body))
		text += f.what + "\n" + hex.Dump(out)
		h, err := wire.ParseHeader(out)
		if err != nil {
			t.Fatal(err)
		}
		var p wire.Prologue
		b, err := wire.ParsePayload(out[wire.HeaderSize:], &p)
		if err != nil || string(b) != f.body {
			t.Fatalf("%q, %v", b, err)
		}
		if d := cmp.Diff(f.p, p); d != "" {
			t.Error(d)
		}
		if h.Stream != f.h.Stream || h.Op != f.h.Op || h.Flags != f.h.Flags || int(h.Length) != len(out)-wire.HeaderSize {
			t.Errorf("%+v", h)
		}
	}
	golden.Check(t, "frames.txt", text)
}

// TestDamagedFrame flips every bit of a frame.
func TestDamagedFrame(t *testing.T) {
	frame := wire.AppendFrame(nil, wire.Header{Stream: 7, Op: wire.OpApply}, &wire.Prologue{Epoch: 5, Left: 6}, []byte("some body"))
	var p wire.Prologue
	for bit := range 8 * len(frame) {
		bad := bytes.Clone(frame)
		bad[bit/8] ^= 1 << (bit % 8)
		_, err := wire.ParseHeader(bad)
		if err == nil {
			_, err = wire.ParsePayload(bad[wire.HeaderSize:], &p)
		}
		if !errors.Is(err, wire.ErrCorrupt) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

// TestFutureFrame wants what newer versions may write to be told from damage.
func TestFutureFrame(t *testing.T) {
	put := func(h wire.Header) error {
		b := make([]byte, wire.HeaderSize)
		h.Put(b)
		_, err := wire.ParseHeader(b)
		return err
	}
	for _, c := range []struct {
		err, want error
	}{
		{put(wire.Header{Version: 2, Length: 5}), wire.ErrUnknownFeature},
		{put(wire.Header{Version: wire.Version, Length: 5, Flags: 1 << 6}), wire.ErrUnknownFeature},
		{put(wire.Header{Version: wire.Version, Length: 4}), wire.ErrCorrupt},
		{put(wire.Header{Version: wire.Version, Length: wire.MaxBody + wire.FrameOverhead}), wire.ErrCorrupt},
		{put(wire.Header{Version: wire.Version, Length: 5, Op: 60000}), nil},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v, not %v", c.err, c.want)
		}
	}
}

func TestProof(t *testing.T) {
	key, dialer, acceptor := []byte("key"), []byte("one hello"), []byte("another")
	proof := wire.Prove(nil, key, wire.Dialer, dialer, acceptor)
	if !wire.Proves(proof, key, wire.Dialer, dialer, acceptor) {
		t.Error("a proof is none")
	}
	for what, bad := range map[string]bool{
		"another key":   wire.Proves(proof, []byte("kez"), wire.Dialer, dialer, acceptor),
		"another side":  wire.Proves(proof, key, wire.Acceptor, dialer, acceptor),
		"another hello": wire.Proves(proof, key, wire.Dialer, []byte("one hellp"), acceptor),
		"a shifted end": wire.Proves(proof, key, wire.Dialer, []byte("one helloa"), []byte("nother")),
		"no proof":      wire.Proves(nil, key, wire.Dialer, dialer, acceptor),
	} {
		if bad {
			t.Error(what)
		}
	}
	golden.Check(t, "proof.hex", hex.Dump(proof))
}

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(ours, theirs *wire.Hello)
		want string
	}{
		{"members", func(_, _ *wire.Hello) {}, ""},
		{"a client", func(_, h *wire.Hello) { *h = wire.Hello{Purpose: wire.PurposeClient, Lowest: 1, Highest: 1} }, ""},
		{"a joiner", func(_, h *wire.Hello) {
			h.ClusterID, h.Generation, h.Purpose = [16]byte{}, 0, wire.PurposeJoin
		}, ""},
		{"a stranger as a peer", func(_, h *wire.Hello) { h.ClusterID, h.Generation = [16]byte{}, 0 }, "can only ask to join"},
		{"a joiner elsewhere", func(_, h *wire.Hello) { h.ClusterID, h.ClusterName = [16]byte{}, "other" }, `"other": the address belongs to another cluster`},
		{"another cluster", func(_, h *wire.Hello) { h.ClusterID = id(9) }, "empty its data directory"},
		{"another generation", func(_, h *wire.Hello) { h.Generation = 1 }, "rejoin the node of the lower generation"},
		{"too old", func(h, _ *wire.Hello) { h.Lowest, h.Highest = 3, 4 }, "upgrade the older node"},
		{"too new", func(_, h *wire.Hello) { h.Lowest, h.Highest = 3, 4 }, "here 1 to 2, there 3 to 4"},
		{"a levelless", func(_, h *wire.Hello) { h.Lowest, h.Highest = 2, 1 }, "no common format level"},
		{"itself", func(o, h *wire.Hello) { h.HostID, h.Instance = o.HostID, o.Instance }, "the node's own"},
		{"its copy", func(o, h *wire.Hello) { h.HostID = o.HostID }, "two live nodes"},
		{"a purpose to come", func(_, h *wire.Hello) { h.Purpose = 77 }, "purpose 77"},
	} {
		ours, theirs := hello(), hello()
		theirs.HostID, theirs.Instance = id(8), 99
		c.edit(ours, theirs)
		got := ""
		if e := ours.Compatible(theirs); e != nil {
			got = e.Error()
			if e.Code != wire.CodeRefused {
				t.Error(c.name, e.Code)
			}
		}
		if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

// TestHelloFields drops, doubles and adds fields.
func TestHelloFields(t *testing.T) {
	good := hello().Append(nil)
	var h wire.Hello
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"an optional one of the future", append(bytes.Clone(good), 100<<1, 1, 0), nil},
		{"a required one of the future", append(bytes.Clone(good), 0xc9, 1, 1, 0), wire.ErrUnknownFeature},
		{"a missing one", good[18:], wire.ErrCorrupt},
		{"one twice", append(bytes.Clone(good), good[:18]...), wire.ErrCorrupt},
		{"a short one", append([]byte{1 << 1, 1, 0}, good[18:]...), wire.ErrCorrupt},
		{"none", nil, wire.ErrCorrupt},
	} {
		if err := h.Decode(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.name, err, c.want)
		}
	}
}

func TestCompressed(t *testing.T) {
	plain := bytes.Repeat([]byte("all work and no play "), 1000)
	packed, ok := wire.AppendCompressed([]byte("head"), plain)
	if !ok || len(packed) > len(plain)/10 {
		t.Fatal(ok, len(packed))
	}
	packed = packed[4:]
	n, err := wire.DecompressedSize(packed)
	if err != nil || n != len(plain) {
		t.Fatal(n, err)
	}
	got := make([]byte, n)
	if err := wire.Decompress(got, packed); err != nil || !bytes.Equal(got, plain) {
		t.Fatal(err)
	}
	if err := wire.Decompress(got[:n-1], packed); !errors.Is(err, wire.ErrCorrupt) {
		t.Error(err)
	}
	noise := wire.Prove(nil, []byte("noise"), wire.Dialer, nil, nil)
	if b, ok := wire.AppendCompressed([]byte("head"), noise); ok || string(b) != "head" {
		t.Error("noise was compressed")
	}
	for _, bad := range [][]byte{nil, {1, 2, 3}, {0xff, 0xff, 0xff, 0xff, 1, 2, 3}, {0, 4, 0, 0, 1}} {
		if n, err := wire.DecompressedSize(bad); !errors.Is(err, wire.ErrCorrupt) {
			t.Errorf("%x: %d, %v", bad, n, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, s := range []fmt.Stringer{wire.OpHello, wire.OpTopology, wire.Op(9999), wire.PurposePeer, wire.PurposeStream, wire.Purpose(0), wire.CodeFailed, wire.CodeUnauthorized, wire.Code(999)} {
		if s.String() == "" {
			t.Errorf("%#v has no name", s)
		}
	}
	for op := wire.OpHello; op <= wire.OpInfo; op++ {
		if strings.HasPrefix(op.String(), "op ") {
			t.Errorf("operation %d has no name", op)
		}
	}
	for c := wire.CodeFailed; c <= wire.CodeUnauthorized; c++ {
		if strings.HasPrefix(c.String(), "code ") {
			t.Errorf("code %d has no name", c)
		}
	}
}

// TestPurposes wants clients and strangers to be kept from what members do.
func TestPurposes(t *testing.T) {
	for _, op := range []wire.Op{wire.OpApply, wire.OpForward, wire.OpHint, wire.OpRead, wire.OpRaft, wire.OpBatchStore} {
		for _, p := range []wire.Purpose{wire.PurposeClient, wire.PurposeJoin, wire.PurposeGossip, wire.PurposeStream, 0, 77} {
			if p.Allows(op) {
				t.Errorf("a connection for %v may %v", p, op)
			}
		}
		if !wire.PurposePeer.Allows(op) {
			t.Errorf("a peer may not %v", op)
		}
	}
	if wire.PurposeClient.Allows(wire.OpPropose) || wire.PurposeClient.Allows(wire.OpPull) || !wire.PurposeClient.Allows(wire.OpQuery) {
		t.Error("clients")
	}
}
