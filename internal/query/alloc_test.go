package query

import (
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
)

// quick answers from memory at once and completes nothing.
type quick struct {
	cluster.Cluster
	source  *rewinding
	err     error
	writes  int
	records [][]byte
}

func (q *quick) TryWrite(w *cluster.Write) error {
	q.writes++
	if q.records != nil {
		q.records = append(q.records, w.Records[0])
	}
	return q.err
}

func (q *quick) TryRead(*mutation.ReadCommand, ring.ConsistencyLevel) (mutation.Source, error) {
	if q.err != nil {
		return nil, q.err
	}
	q.source.Rewind()
	return q.source, nil
}

type rewinding struct{ *mutationtest.Source }

func request(t testing.TB, p *Processor, text string, values ...native.Value) *session.Request {
	t.Helper()
	prepared, err := p.Prepare(t.Context(), nil, text, "ks")
	if err != nil {
		t.Fatal(err)
	}
	r := &session.Request{Opcode: native.OpExecute, Version: native.V4, Prepared: prepared}
	r.Execute.Params = native.QueryParams{Consistency: native.One, Values: values, PageSize: 5000, SkipMetadata: true}
	return r
}

func int32Value(n byte) native.Value { return native.Value{Bytes: []byte{0, 0, 0, n}} }

func quickDB(t testing.TB) (*testDB, *quick) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, v blob, PRIMARY KEY (k, c))")
	db.exec("INSERT INTO t (k, c, v) VALUES (1, 2, 0x0102)")
	q := &quick{Cluster: db.cluster}
	table := db.cluster.Schema().Table("ks", "t")
	var b mutation.Builder
	key := []byte{0, 0, 0, 1}
	b.Begin(nil, mutation.Header{Table: table.ID, Timestamp: 5, Token: ring.Murmur3(key), Key: key})
	clustering, err := table.Clustering[0].Type.AppendComparable(nil, []byte{0, 0, 0, 2}, false)
	if err != nil {
		t.Fatal(err)
	}
	b.BeginRow(clustering)
	b.Marker(mutation.Marker{Timestamp: 5, Set: true})
	b.Cell(mutation.Cell{Column: table.Column("v").ID, Timestamp: 5, Value: []byte{1, 2}})
	b.EndRow()
	q.source = &rewinding{mutationtest.NewModel(b.Finish()).Source(false)}
	db.open(func(c *Config) { c.Cluster = q })
	return db, q
}

func TestPointWriteAllocatesNothing(t *testing.T) {
	db, q := quickDB(t)
	r := request(t, db.Processor, "INSERT INTO t (k, c, v) VALUES (?, ?, ?)", int32Value(1), int32Value(2), native.Value{Bytes: make([]byte, 100)})
	if got := db.TryExecute(r); got != session.Pending || q.writes != 1 {
		t.Fatalf("status %v, %d writes", got, q.writes)
	}
	if n := testing.AllocsPerRun(200, func() { db.TryExecute(r) }); n > 0 {
		t.Errorf("a point write allocates %v times", n)
	}
}

func TestPointReadAllocatesNothing(t *testing.T) {
	db, _ := quickDB(t)
	r := request(t, db.Processor, "SELECT v FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(2))
	if got := db.TryExecute(r); got != session.Done {
		t.Fatalf("status %v", got)
	}
	if n := testing.AllocsPerRun(200, func() { db.TryExecute(r) }); n > 2 {
		t.Errorf("a point read allocates %v times", n)
	}
}

func TestWouldBlockDoesNothing(t *testing.T) {
	db, q := quickDB(t)
	for _, text := range []string{
		"SELECT v FROM t", "SELECT v FROM t WHERE k IN (1, 2)", "SELECT count(*) FROM t WHERE k = 1",
		"CREATE TABLE u (k int PRIMARY KEY)", "DESCRIBE TABLES",
		"BEGIN BATCH INSERT INTO t (k, c) VALUES (1, 2) APPLY BATCH",
	} {
		if got := db.TryExecute(request(t, db.Processor, text)); got != session.WouldBlock {
			t.Errorf("%s: status %v", text, got)
		}
	}
	q.err = mutation.ErrWouldBlock
	for _, text := range []string{"INSERT INTO t (k, c) VALUES (1, 2)", "SELECT v FROM t WHERE k = 1 AND c = 2"} {
		if got := db.TryExecute(request(t, db.Processor, text)); got != session.WouldBlock {
			t.Errorf("%s: status %v", text, got)
		}
	}
}

func TestSchemaChangeSendsToWorkerOnce(t *testing.T) {
	db, _ := quickDB(t)
	r := request(t, db.Processor, "SELECT v FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(2))
	db.exec("CREATE TABLE other (k int PRIMARY KEY)")
	if got := db.TryExecute(r); got != session.WouldBlock {
		t.Fatalf("status %v", got)
	}
	st := r.Prepared.Statement.(*statement)
	before := st.compiled.Load().plan
	if pl, err := db.refresh(st, db.Schema()); err != nil || pl != before {
		t.Errorf("the plan was made anew: %v", err)
	}
	if got := db.TryExecute(r); got != session.Done {
		t.Fatalf("status %v", got)
	}
}

// A statement that reads too much for the reader goes to workers for a while.
func TestInlineReadsGiveUp(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, PRIMARY KEY (k, c))")
	for c := range inlineRows + 1 {
		db.exec("INSERT INTO t (k, c) VALUES (1, ?)", c)
	}
	r := request(t, db.Processor, "SELECT c FROM t WHERE k = ?", int32Value(1))
	reads := 0
	db.store.BeforeRead = func(*mutation.ReadCommand, bool) error { reads++; return nil }
	for range 20 {
		if got := db.TryExecute(r); got != session.WouldBlock {
			t.Fatalf("status %v", got)
		}
	}
	if reads != 1 {
		t.Errorf("%d reads", reads)
	}
	small := request(t, db.Processor, "SELECT c FROM t WHERE k = ? LIMIT 10", int32Value(1))
	if got := db.TryExecute(small); got != session.Done {
		t.Errorf("status %v", got)
	}
}

func BenchmarkPointWrite(b *testing.B) { benchmark(b, "INSERT INTO t (k, c, v) VALUES (?, ?, ?)", 3) }
func BenchmarkPointRead(b *testing.B)  { benchmark(b, "SELECT v FROM t WHERE k = ? AND c = ?", 2) }

func benchmark(b *testing.B, text string, markers int) {
	db, _ := quickDB(b)
	values := []native.Value{int32Value(1), int32Value(2), {Bytes: make([]byte, 100)}}
	r := request(b, db.Processor, text, values[:markers]...)
	b.ReportAllocs()
	for b.Loop() {
		db.TryExecute(r)
	}
}
