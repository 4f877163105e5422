package query

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// inMemory is a cluster whose rows lie where TryRows finds them: those that were
// put.
type inMemory struct {
	cluster.Cluster
	rows   map[string][]byte
	err    error // of TryWriteEach
	writes []cluster.Write
}

func (m *inMemory) TryWriteEach(w *cluster.Write) error {
	if m.err != nil {
		return m.err
	}
	m.writes = append(m.writes, *w)
	for _, r := range w.Records {
		e := r.Entries()
		for e.Next() {
			m.rows[string(r.Key())+"/"+string(e.Clustering)] = append([]byte(nil), e.Row...)
		}
	}
	return nil
}

func (m *inMemory) TryRows(_ schema.TableID, keys []mutation.RowKey, _ uint32, _ ring.ConsistencyLevel, to mutation.RowReceiver) {
	for i := range keys {
		if string(keys[i].Key.Key) != "\x00\x00\x00\x09" { // which is told as little as another node's
			to.Row(i, m.rows[string(keys[i].Key.Key)+"/"+string(keys[i].Clustering)])
		}
	}
}

// answers keeps what a group's reads are answered.
type answers map[int]string

func (a answers) Buffer(int) []byte { return nil }
func (a answers) Row(i int, columns *native.Metadata, buffer []byte, rows int) {
	a[i] = fmt.Sprintf("%s %d %x", columns.Columns()[0].Name, rows, buffer)
}

// outcome keeps what a group's writes are told.
type outcome []error

func (o *outcome) Complete(err error) { *o = append(*o, err) }

func groupDB(t testing.TB) (*testDB, *inMemory) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int, c int, v blob, w int, PRIMARY KEY (k, c))")
	db.exec("CREATE TABLE u (a int, b int, v blob, PRIMARY KEY ((a, b)))")
	m := &inMemory{Cluster: db.cluster, rows: map[string][]byte{}}
	db.open(func(c *Config) { c.Cluster = m })
	return db, m
}

func (db *testDB) execution(text string, values ...native.Value) *session.Execution {
	db.t.Helper()
	prepared, err := db.Prepare(db.t.Context(), nil, text, "ks")
	if err != nil {
		db.t.Fatal(err)
	}
	return &session.Execution{Prepared: prepared, Consistency: native.One, Values: values}
}

func TestGroup(t *testing.T) {
	db, m := groupDB(t)
	g := db.NewGroup()
	blob := func(v string) native.Value { return native.Value{Bytes: []byte(v)} }
	const insert, read = "INSERT INTO t (k, c, v) VALUES (?, ?, ?)", "SELECT v, c FROM t WHERE k = ? AND c = ?"
	add := func(want session.Added, e *session.Execution) {
		t.Helper()
		if got := g.Add(e); got != want {
			t.Errorf("added %d, want %d", got, want)
		}
	}
	g.Begin()
	add(session.AddedWrite, db.execution(insert, int32Value(1), int32Value(2), blob("one")))
	stamped := db.execution("UPDATE t SET v = ? WHERE k = ? AND c = ?", blob("two"), int32Value(1), int32Value(3))
	stamped.Timestamp, stamped.HasTimestamp = 77, true
	add(session.AddedWrite, stamped)
	add(session.AddedWrite, db.execution("INSERT INTO u (a, b, v) VALUES (?, ?, ?)", int32Value(1), int32Value(2), blob("three")))
	add(session.AddedRead, db.execution(read, int32Value(1), int32Value(2)))
	add(session.AddedRead, db.execution(read, int32Value(9), int32Value(2)))
	add(session.AddedRead, db.execution("SELECT v FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(3)))
	add(session.AddedRead, db.execution(read, int32Value(1), int32Value(4)))
	// What Bind has to judge, or shares no call with those.
	add(session.AddedNot, db.execution(insert, int32Value(1), int32Value(2), native.Value{}))
	add(session.AddedNot, db.execution(insert, int32Value(1), blob("no int"), blob("")))
	add(session.AddedNot, db.execution(insert, int32Value(1)))
	add(session.AddedNot, db.execution("SELECT v FROM t WHERE k = ?", int32Value(1)))
	add(session.AddedNot, db.execution("SELECT v FROM u WHERE a = ? AND b = ?", int32Value(1), int32Value(1)))
	add(session.AddedNot, db.execution("DELETE FROM t WHERE k = ?", int32Value(1)))
	quorum := db.execution(insert, int32Value(1), int32Value(2), blob("one"))
	quorum.Consistency = native.Quorum
	add(session.AddedNot, quorum)

	var done outcome
	if !g.Write(&done) || len(m.writes) != 1 || len(m.writes[0].Records) != 3 || m.writes[0].Done != &done {
		t.Fatalf("%+v", m.writes)
	}
	records := m.writes[0].Records
	if records[0].Optional()&mutation.FlagServerStamped == 0 || records[1].Optional() != 0 || records[1].Timestamp() != 77 {
		t.Errorf("%x", records)
	}
	if e := g.WriteError(2, errTimeout); e.Code != native.CodeWriteTimeout || e.WriteType != native.WriteSimple || e.Required != 1 {
		t.Errorf("%+v", e)
	}
	got := answers{}
	g.Read(got)
	want := answers{0: "v 1 000000036f6e650000000400000002", 2: "v 1 0000000374776f", 3: "v 0 "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}

	// Refused as a whole, then as many as may be.
	g.Begin()
	m.err = mutation.ErrWouldBlock
	e := db.execution(insert, int32Value(1), int32Value(2), blob("one"))
	add(session.AddedWrite, e)
	if g.Write(&done) || len(done) > 0 {
		t.Error("a write that would block has begun")
	}
	m.err = nil
	for range maxGroup {
		add(session.AddedWrite, e)
	}
	add(session.AddedNot, e)
	if !g.Write(&done) || len(m.writes[1].Records) != maxGroup {
		t.Error("a full group is not written")
	}
	// A change of the schema makes statements anew, on a worker.
	g.Begin()
	db.exec("CREATE TABLE another (k int PRIMARY KEY)")
	add(session.AddedWrite, e)
	g.Begin()
	add(session.AddedNot, e)
}

func TestGroupErrors(t *testing.T) {
	db, _ := groupDB(t)
	g := db.NewGroup()
	g.Begin()
	if g.Add(db.execution("INSERT INTO t (k, c) VALUES (?, ?)", int32Value(1), int32Value(1))) != session.AddedWrite {
		t.Fatal("not added")
	}
	var done outcome
	g.Write(&done)
	if e := g.WriteError(0, errors.New("boom")); e.Code != native.CodeServer {
		t.Errorf("%+v", e)
	}
	// Too large to be kept: Bind says so.
	db.open(func(c *Config) { c.MaxMutation = 100 })
	g = db.NewGroup()
	g.Begin()
	if g.Add(db.execution("INSERT INTO t (k, c, v) VALUES (?, ?, ?)", int32Value(1), int32Value(1), native.Value{Bytes: make([]byte, 200)})) != session.AddedNot {
		t.Error("a record over the limit is taken")
	}
}

// thinCluster completes groups at once and keeps nothing.
type thinCluster struct {
	cluster.Cluster
	row []byte
}

func (thinCluster) TryWriteEach(w *cluster.Write) error {
	w.Done.Complete(nil)
	return nil
}

func (c *thinCluster) TryRows(_ schema.TableID, keys []mutation.RowKey, _ uint32, _ ring.ConsistencyLevel, to mutation.RowReceiver) {
	for i := range keys {
		to.Row(i, c.row)
	}
}

// counting takes answers and forgets them.
type counting struct {
	n      int
	buffer []byte
}

func (c *counting) Complete(error)    { c.n++ }
func (c *counting) Buffer(int) []byte { return c.buffer[:0] }
func (c *counting) Row(_ int, _ *native.Metadata, buffer []byte, rows int) {
	c.n += rows
	c.buffer = buffer
}

// thinGroup returns a function that executes 32 writes and 32 reads as a group.
func thinGroup(t testing.TB) (run func(), took *counting) {
	db, m := groupDB(t)
	insert := db.execution("INSERT INTO t (k, c, v, w) VALUES (?, ?, ?, ?)", int32Value(1), int32Value(2), native.Value{Bytes: make([]byte, 100)}, int32Value(3))
	read := db.execution("SELECT v, w FROM t WHERE k = ? AND c = ?", int32Value(1), int32Value(2))
	g := db.NewGroup()
	g.Begin()
	g.Add(insert)
	took = new(counting)
	g.Write(took)
	thin := &thinCluster{Cluster: m}
	for _, thin.row = range m.rows {
	}
	db.open(func(c *Config) { c.Cluster = thin })
	for _, e := range []*session.Execution{insert, read} { // known to this processor, too
		e.Prepared = db.execution(e.Prepared.Statement.(*statement).text).Prepared
	}
	g = db.NewGroup()
	return func() {
		g.Begin()
		for range 32 {
			if g.Add(insert) != session.AddedWrite || g.Add(read) != session.AddedRead {
				t.Fatal("not added")
			}
		}
		if !g.Write(took) {
			t.Fatal("not written")
		}
		g.Read(took)
	}, took
}

func TestGroupAllocatesNothing(t *testing.T) {
	run, took := thinGroup(t)
	run()
	if took.n != 33 {
		t.Fatalf("%d completed and read", took.n)
	}
	if n := testing.AllocsPerRun(200, run); n > 0 {
		t.Errorf("%v allocations for a group", n)
	}
}

func BenchmarkGroup(b *testing.B) {
	run, _ := thinGroup(b)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/execution")
}
