package native

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/datastax/go-cassandra-native-protocol/compression/lz4"
	osnappy "github.com/datastax/go-cassandra-native-protocol/compression/snappy"
	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"
	"github.com/datastax/go-cassandra-native-protocol/segment"
	"github.com/google/go-cmp/cmp"
)

var versions = []uint8{V3, V4, V5}

func ptr[T any](v T) *T { return &v }

// oracleFrame encodes a request with the other codec and returns its body as
// this package finds it.
func oracleFrame(t *testing.T, version uint8, msg message.Message) []byte {
	t.Helper()
	var buf bytes.Buffer
	f := frame.NewFrame(primitive.ProtocolVersion(version), 42, msg)
	if err := frame.NewCodec().EncodeFrame(f, &buf); err != nil {
		t.Fatalf("v%d: %v", version, err)
	}
	h, ok := ParseHeader(buf.Bytes())
	if !ok || h.FrameSize() != buf.Len() || h.Stream != 42 || h.Version != version || h.Response {
		t.Fatalf("header %+v of %d bytes", h, buf.Len())
	}
	return buf.Bytes()[h.Size():]
}

func fullOptions(version uint8) *message.QueryOptions {
	o := &message.QueryOptions{
		Consistency:       primitive.ConsistencyLevelLocalQuorum,
		PositionalValues:  []*primitive.Value{primitive.NewValue([]byte("ab")), primitive.NewNullValue(), primitive.NewValue([]byte{})},
		SkipMetadata:      true,
		PageSize:          5000,
		PagingState:       []byte("state"),
		SerialConsistency: ptr(primitive.ConsistencyLevelLocalSerial),
		DefaultTimestamp:  ptr(int64(-7)),
	}
	if version >= V4 {
		o.PositionalValues = append(o.PositionalValues, primitive.NewUnsetValue())
	}
	if version >= V5 {
		o.Keyspace = "ks"
		o.NowInSeconds = ptr(int32(99))
	}
	return o
}

func wantParams(version uint8) QueryParams {
	p := QueryParams{
		Consistency: LocalQuorum, SkipMetadata: true, PageSize: 5000, PagingState: []byte("state"),
		SerialConsistency: LocalSerial, Timestamp: -7, HasTimestamp: true,
		Values: []Value{{Bytes: []byte("ab")}, {}, {Bytes: []byte{}}}, Names: [][]byte{},
	}
	if version >= V4 {
		p.Values = append(p.Values, Value{Unset: true})
	}
	if version >= V5 {
		p.Keyspace = []byte("ks")
		p.NowInSeconds, p.HasNow = 99, true
	}
	return p
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(BatchStatement{})); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestRequestsOfOracle(t *testing.T) {
	id := [16]byte{1, 2, 3}
	for _, v := range versions {
		var q Query
		q.Params.Names = [][]byte{}
		if err := q.Decode(oracleFrame(t, v, &message.Query{Query: "SELECT ?", Options: fullOptions(v)}), v); err != nil {
			t.Fatal(err)
		}
		check(t, "QUERY", q, Query{Text: []byte("SELECT ?"), Params: wantParams(v)})

		var e Execute
		e.Params.Names = [][]byte{}
		x := &message.Execute{QueryId: id[:], Options: fullOptions(v)}
		want := Execute{ID: id, Params: wantParams(v)}
		if v >= V5 {
			x.ResultMetadataId = []byte("rmid")
			want.ResultMetadataID = []byte("rmid")
		}
		if err := e.Decode(oracleFrame(t, v, x), v); err != nil {
			t.Fatal(err)
		}
		check(t, "EXECUTE", e, want)

		var p Prepare
		wantP := Prepare{Text: []byte("INSERT")}
		m := &message.Prepare{Query: "INSERT"}
		if v >= V5 {
			m.Keyspace, wantP.Keyspace = "k", []byte("k")
		}
		if err := p.Decode(oracleFrame(t, v, m), v); err != nil {
			t.Fatal(err)
		}
		check(t, "PREPARE", p, wantP)
	}
}

func TestNamedValuesOfOracle(t *testing.T) {
	var q Query
	o := &message.QueryOptions{NamedValues: map[string]*primitive.Value{"n": primitive.NewValue([]byte("x"))}}
	if err := q.Decode(oracleFrame(t, V4, &message.Query{Query: "q", Options: o}), V4); err != nil {
		t.Fatal(err)
	}
	check(t, "names", q.Params.Names, [][]byte{[]byte("n")})
	check(t, "values", q.Params.Values, []Value{{Bytes: []byte("x")}})
}

func TestBatchOfOracle(t *testing.T) {
	id := [16]byte{9}
	for _, v := range versions {
		m := &message.Batch{
			Type: primitive.BatchTypeUnlogged, Consistency: primitive.ConsistencyLevelQuorum,
			Children: []*message.BatchChild{
				{Query: "a", Values: []*primitive.Value{primitive.NewValue([]byte("1"))}},
				{Id: id[:], Values: []*primitive.Value{primitive.NewNullValue(), primitive.NewValue([]byte("3"))}},
				{Query: "c"},
			},
			SerialConsistency: ptr(primitive.ConsistencyLevelSerial), DefaultTimestamp: ptr(int64(5)),
		}
		if v >= V5 {
			m.Keyspace = "ks"
		}
		var b Batch
		if err := b.Decode(oracleFrame(t, v, m), v); err != nil {
			t.Fatal(err)
		}
		if b.Type != BatchUnlogged || b.Params.Consistency != Quorum || b.Params.Timestamp != 5 || len(b.Statements) != 3 {
			t.Fatalf("%+v", b)
		}
		check(t, "ids", b.Statements[1].ID, id)
		check(t, "0", b.Values(0), []Value{{Bytes: []byte("1")}})
		check(t, "1", b.Values(1), []Value{{}, {Bytes: []byte("3")}})
		check(t, "2", len(b.Values(2)), 0)
		if v >= V5 && string(b.Params.Keyspace) != "ks" {
			t.Errorf("keyspace %q", b.Params.Keyspace)
		}
	}
}

func TestControlRequestsOfOracle(t *testing.T) {
	opts, err := DecodeStartup(oracleFrame(t, V4, &message.Startup{Options: map[string]string{"CQL_VERSION": "3.0.0", "X": ""}}))
	if err != nil {
		t.Fatal(err)
	}
	check(t, "STARTUP", opts, map[string]string{"CQL_VERSION": "3.0.0", "X": ""})
	kinds, err := DecodeRegister(oracleFrame(t, V4, &message.Register{EventTypes: []primitive.EventType{
		primitive.EventTypeSchemaChange, primitive.EventTypeStatusChange,
	}}))
	if err != nil || kinds != SchemaChangeEvents|StatusChange {
		t.Fatal(kinds, err)
	}
	token, err := DecodeAuthResponse(oracleFrame(t, V4, &message.AuthResponse{Token: []byte("\x00u\x00p")}))
	if err != nil || string(token) != "\x00u\x00p" {
		t.Fatal(token, err)
	}
}

// decodeByOracle lets the other codec read a response of ours.
func decodeByOracle(t *testing.T, version uint8, op Opcode, prefix Prefix, body []byte) *frame.Frame {
	t.Helper()
	b := BeginFrame(nil, Header{Version: version, Flags: prefix.Flags(version), Stream: -3, Opcode: op})
	b = prefix.Append(b, version)
	b = append(b, body...)
	EndFrame(b, 0)
	f, err := frame.NewCodec().DecodeFrame(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("v%d %v: %v\n% x", version, op, err, b)
	}
	if f.Header.StreamId != -3 || !f.Header.IsResponse {
		t.Fatalf("%+v", f.Header)
	}
	return f
}

func TestErrorsForOracle(t *testing.T) {
	reasons := []FailureReason{{Addr: netip.MustParseAddr("10.0.0.1"), Code: ReasonTooManyTombstones}}
	ip := net.ParseIP("10.0.0.1").To4()
	for _, v := range versions {
		read := func(e *Error) message.Message {
			return decodeByOracle(t, v, OpError, Prefix{}, AppendError(nil, v, e)).Body.Message
		}
		for _, e := range []*Error{
			ServerError("m"), Protocol("m"), BadCredentials("m"), Overloaded("m"), {Code: CodeBootstrapping, Msg: "m"},
			TruncateError("m"), Syntax("m"), Unauthorized("m"), Invalid("m"), ConfigError("m"),
		} {
			m := read(e).(message.Error)
			check(t, "code", ErrorCode(m.GetErrorCode()), e.Code)
			check(t, "message", m.GetErrorMessage(), "m")
		}
		m := read(Unavailable(Quorum, 2, 1)).(*message.Unavailable)
		check(t, "unavailable", []any{m.Consistency, m.Required, m.Alive}, []any{primitive.ConsistencyLevelQuorum, int32(2), int32(1)})
		w := read(WriteTimeout(Quorum, 1, 2, WriteCAS)).(*message.WriteTimeout)
		check(t, "write timeout", []any{w.Received, w.BlockFor, w.WriteType}, []any{int32(1), int32(2), primitive.WriteTypeCas})
		r := read(ReadTimeout(Quorum, 1, 2, true)).(*message.ReadTimeout)
		check(t, "read timeout", []any{r.Received, r.BlockFor, r.DataPresent}, []any{int32(1), int32(2), true})
		u := read(Unprepared([16]byte{7})).(*message.Unprepared)
		check(t, "unprepared", u.Id, append([]byte{7}, make([]byte, 15)...))
		a := read(AlreadyExists("k", "t")).(*message.AlreadyExists)
		check(t, "exists", []string{a.Keyspace, a.Table}, []string{"k", "t"})

		failure, wfailure := read(ReadFailure(One, 0, 1, true, reasons)), read(WriteFailure(One, 0, 1, WriteSimple, reasons))
		if v == V3 {
			check(t, "read failure", failure.(*message.ReadTimeout).DataPresent, true)
			check(t, "write failure", wfailure.(*message.WriteTimeout).WriteType, primitive.WriteTypeSimple)
			check(t, "function", read(FunctionFailure("k", "f", nil, "m")).(*message.Invalid).ErrorMessage, "m")
			continue
		}
		rf, wf := failure.(*message.ReadFailure), wfailure.(*message.WriteFailure)
		check(t, "write type", wf.WriteType, primitive.WriteTypeSimple)
		if v == V4 {
			check(t, "failures", rf.NumFailures, int32(1))
		} else {
			check(t, "reasons", rf.FailureReasons, []*primitive.FailureReason{{Endpoint: ip, Code: 1}})
		}
		ff := read(FunctionFailure("k", "f", []string{"int"}, "m")).(*message.FunctionFailure)
		check(t, "function", []any{ff.Keyspace, ff.Function, ff.Arguments}, []any{"k", "f", []string{"int"}})
	}
	cas := AppendError(nil, V4, &Error{Code: CodeCASWriteUnknown, Consistency: Serial, Received: 1, Required: 2})
	w := decodeByOracle(t, V4, OpError, Prefix{}, cas).Body.Message.(*message.WriteTimeout)
	check(t, "cas unknown in v4", w.WriteType, primitive.WriteTypeCas)
}

type listOfInt struct{}

func (listOfInt) AppendTypeOption(dst []byte, v uint8) []byte {
	return TypeInt.AppendTypeOption(TypeList.AppendTypeOption(dst, v), v)
}

var (
	oneTable  = []Column{{"k", "t", "a", TypeInt}, {"k", "t", "b", listOfInt{}}}
	twoTables = []Column{{"k", "t", "a", TypeInt}, {"k", "u", "b", TypeVarchar}}
)

func TestRowsForOracle(t *testing.T) {
	for _, v := range versions {
		for _, cols := range [][]Column{oneTable, twoTables} {
			meta := NewMetadata(cols)
			body, at := AppendRowsHead(nil, v, &RowsHead{Metadata: meta, PagingState: []byte("ps"), Changed: v >= V5})
			body = AppendValue(AppendValue(body, []byte{0, 0, 0, 1}), nil)
			body = AppendValue(AppendValue(body, []byte{}), []byte("x"))
			SetRowCount(body, at, 2)
			rows := decodeByOracle(t, v, OpResult, Prefix{}, body).Body.Message.(*message.RowsResult)
			check(t, "rows", rows.Data, message.RowSet{{{0, 0, 0, 1}, nil}, {{}, []byte("x")}})
			check(t, "paging", rows.Metadata.PagingState, []byte("ps"))
			for i, c := range rows.Metadata.Columns {
				check(t, "column", []string{c.Keyspace, c.Table, c.Name}, []string{cols[i].Keyspace, cols[i].Table, cols[i].Name})
			}
			if id := meta.ID(); v >= V5 {
				check(t, "new id", rows.Metadata.NewResultMetadataId, id[:])
			}
			body, at = AppendRowsHead(nil, v, &RowsHead{Metadata: meta, SkipMetadata: true})
			SetRowCount(body, at, 0)
			rows = decodeByOracle(t, v, OpResult, Prefix{}, body).Body.Message.(*message.RowsResult)
			check(t, "count", rows.Metadata.ColumnCount, int32(2))
			check(t, "columns", len(rows.Metadata.Columns), 0)
		}
	}
}

func TestPreparedForOracle(t *testing.T) {
	for _, v := range versions {
		p := &PreparedResult{ID: [16]byte{5}, Bind: NewMetadata(oneTable), PartitionKey: []uint16{1, 0}, Result: NewMetadata(twoTables)}
		m := decodeByOracle(t, v, OpResult, Prefix{}, AppendPrepared(nil, v, p)).Body.Message.(*message.PreparedResult)
		check(t, "id", m.PreparedQueryId, p.ID[:])
		check(t, "bind", len(m.VariablesMetadata.Columns), 2)
		check(t, "result", m.ResultMetadata.Columns[1].Table, "u")
		if v >= V4 {
			check(t, "key", m.VariablesMetadata.PkIndices, []uint16{1, 0})
		}
		p = &PreparedResult{ID: [16]byte{5}}
		m = decodeByOracle(t, v, OpResult, Prefix{}, AppendPrepared(nil, v, p)).Body.Message.(*message.PreparedResult)
		check(t, "no columns", len(m.ResultMetadata.Columns), 0)
	}
}

func TestOtherResponsesForOracle(t *testing.T) {
	payload := []byte{0, 1, 0, 1, 'k', 0, 0, 0, 1, 'v'}
	// One of the two at a time: the oracle reads them in the order that no
	// server writes.
	prefix := Prefix{Tracing: &[16]byte{1}, Warnings: []string{"careful"}}
	for _, v := range versions {
		f := decodeByOracle(t, v, OpResult, prefix, AppendSetKeyspace(nil, "ks"))
		check(t, "ks", f.Body.Message.(*message.SetKeyspaceResult).Keyspace, "ks")
		check(t, "trace", *f.Body.TracingId, primitive.UUID{1})
		if v >= V4 {
			check(t, "warnings", f.Body.Warnings, prefix.Warnings)
			f = decodeByOracle(t, v, OpResult, Prefix{Payload: payload}, AppendVoid(nil))
			check(t, "payload", f.Body.CustomPayload, map[string][]byte{"k": []byte("v")})
		}
		f = decodeByOracle(t, v, OpSupported, Prefix{}, AppendSupported(nil))
		check(t, "supported", f.Body.Message.(*message.Supported).Options["COMPRESSION"], []string{"snappy", "lz4"})
		f = decodeByOracle(t, v, OpAuthenticate, Prefix{}, AppendAuthenticate(nil, PasswordAuthenticator))
		check(t, "auth", f.Body.Message.(*message.Authenticate).Authenticator, PasswordAuthenticator)
		f = decodeByOracle(t, v, OpAuthSuccess, Prefix{}, AppendAuthSuccess(nil, nil))
		check(t, "success", f.Body.Message.(*message.AuthSuccess).Token, []byte(nil))
		c := SchemaChange{Change: ChangeCreated, Target: TargetTable, Keyspace: "k", Name: "t"}
		f = decodeByOracle(t, v, OpResult, Prefix{}, AppendSchemaChange(nil, v, &c))
		check(t, "change", f.Body.Message.(*message.SchemaChangeResult).Object, "t")
		c = SchemaChange{Change: ChangeDropped, Target: TargetFunction, Keyspace: "k", Name: "f", Args: []string{"int"}}
		f = decodeByOracle(t, v, OpEvent, Prefix{}, AppendEvent(nil, v, &Event{Kind: SchemaChangeEvents, Schema: c}))
		ev := f.Body.Message.(*message.SchemaChangeEvent)
		if v >= V4 {
			check(t, "args", ev.Arguments, []string{"int"})
		} else {
			check(t, "target", ev.Target, primitive.SchemaChangeTargetKeyspace)
		}
		addr := netip.MustParseAddrPort("127.0.0.1:9042")
		f = decodeByOracle(t, v, OpEvent, Prefix{}, AppendEvent(nil, v, &Event{Kind: StatusChange, Change: StatusUp, Addr: addr}))
		check(t, "port", f.Body.Message.(*message.StatusChangeEvent).Address.Port, int32(9042))
		f = decodeByOracle(t, v, OpEvent, Prefix{}, AppendEvent(nil, v, &Event{Kind: TopologyChange, Change: NewNode, Addr: addr}))
		check(t, "new", f.Body.Message.(*message.TopologyChangeEvent).ChangeType, primitive.TopologyChangeTypeNewNode)
		decodeByOracle(t, v, OpReady, Prefix{}, nil)
		decodeByOracle(t, v, OpResult, Prefix{}, AppendVoid(nil))
	}
}

func TestCompressionWithOracle(t *testing.T) {
	text := string(bytes.Repeat([]byte("SELECT something "), 100))
	for c, theirs := range map[Compression]frame.Codec{
		LZ4: frame.NewCodecWithCompression(lz4.Compressor{}), Snappy: frame.NewCodecWithCompression(osnappy.Compressor{}),
	} {
		var buf bytes.Buffer
		f := frame.NewFrame(primitive.ProtocolVersion4, 1, &message.Query{Query: text})
		f.SetCompress(true)
		if err := theirs.EncodeFrame(f, &buf); err != nil {
			t.Fatal(err)
		}
		h, _ := ParseHeader(buf.Bytes())
		body, err := Decompress(nil, buf.Bytes()[HeaderSize:], c, MaxFrame)
		var q Query
		if err != nil || h.Flags&FlagCompression == 0 || q.Decode(body, V4) != nil || string(q.Text) != text {
			t.Fatalf("%v: %v", c, err)
		}
		plain := BeginFrame(nil, Header{Version: V4, Opcode: OpError})
		plain = AppendError(plain, V4, Invalid("%s", text))
		EndFrame(plain, 0)
		packed := AppendCompressedFrame(nil, plain, c)
		if len(packed) >= len(plain) {
			t.Fatalf("%v: %d bytes became %d", c, len(plain), len(packed))
		}
		got, err := theirs.DecodeFrame(bytes.NewReader(packed))
		if err != nil || got.Body.Message.(*message.Invalid).ErrorMessage != text {
			t.Fatalf("%v: %v", c, err)
		}
	}
}

func TestSegmentsWithOracle(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		theirs := segment.NewCodec()
		if compressed {
			theirs = segment.NewCodecWithCompression(lz4.Compressor{})
		}
		frames := AppendRequest(nil, Header{Version: V5, Opcode: OpOptions}, nil)
		frames = AppendRequest(frames, Header{Version: V5, Opcode: OpQuery}, bytes.Repeat([]byte("abc"), 100_000))
		frames = AppendRequest(frames, Header{Version: V5, Opcode: OpOptions}, nil)
		src := bytes.NewReader(AppendSegments(nil, frames, compressed))
		var got []byte
		var self []bool
		for src.Len() > 0 {
			s, err := theirs.DecodeSegment(src)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.Payload.UncompressedData...)
			self = append(self, s.Header.IsSelfContained)
		}
		check(t, "segments", self, []bool{true, false, false, false, true})
		if !bytes.Equal(got, frames) {
			t.Fatal("payload differs")
		}

		var buf bytes.Buffer
		payload := bytes.Repeat([]byte("hello"), 500)
		s := &segment.Segment{Header: &segment.Header{IsSelfContained: true}, Payload: &segment.Payload{UncompressedData: payload}}
		if err := theirs.EncodeSegment(s, &buf); err != nil {
			t.Fatal(err)
		}
		ours, ok, err := ParseSegment(buf.Bytes(), compressed)
		if !ok || err != nil || !ours.SelfContained || ours.Size != buf.Len() {
			t.Fatalf("%+v %v", ours, err)
		}
		if p, err := ours.AppendPayload(nil); err != nil || !bytes.Equal(p, payload) {
			t.Fatal("payload differs", err)
		}
	}
}
