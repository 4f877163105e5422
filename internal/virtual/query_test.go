package virtual

import (
	"strconv"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/schema"
)

// ask runs a SELECT as a session would and returns the values of all pages.
func ask(t *testing.T, r *Registry, query string, pageSize int32) (rows [][]string, pages int) {
	t.Helper()
	stmt, err := cql.Parse(query)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Compile(stmt, r.Snapshot(r.src.Schema()), "")
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	q := plan.NewQuery(plan.NewEnv(rand.NewSeeded(1)))
	reader := exec.NewReader([]byte("0123456789abcdef"))
	var state []byte
	for {
		if err := p.Select.Bind(q, nil, &plan.Options{Clock: 1, PageSize: pageSize}); err != nil {
			t.Fatal(err)
		}
		if err := reader.Resume(q, state); err != nil {
			t.Fatal(err)
		}
		src, err := r.Rows(t.Context(), p.Select.Table)
		if err != nil {
			t.Fatal(err)
		}
		body, res, err := reader.PageVirtual(q, src, nil)
		if err != nil {
			t.Fatal(err)
		}
		cols := p.Select.Result.Columns()
		cursor := exec.NewCursor(body, res.Rows, len(cols))
		for values, ok := cursor.Next(); ok; values, ok = cursor.Next() {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = p.Select.Columns[i].Type.Format(v)
			}
			rows = append(rows, row)
		}
		if pages++; res.PagingState == nil {
			return rows, pages
		}
		state = append([]byte(nil), res.PagingState...)
	}
}

func TestQueriesOfDrivers(t *testing.T) {
	r := full(t)
	for query, want := range map[string]int{
		"SELECT * FROM system.local WHERE key='local'":                                                                      1,
		"SELECT cluster_name FROM system.local":                                                                             1,
		"SELECT * FROM system.peers_v2":                                                                                     2,
		"SELECT peer, tokens FROM system.peers":                                                                             2,
		"SELECT host_id FROM system.peers WHERE peer = '10.0.0.2'":                                                          1,
		"SELECT * FROM system_schema.keyspaces":                                                                             6,
		"SELECT * FROM system_virtual_schema.keyspaces":                                                                     2,
		"SELECT * FROM system_schema.tables WHERE keyspace_name = 'shop'":                                                   2,
		"SELECT * FROM system_schema.columns WHERE keyspace_name IN ('shop', 'none')":                                       6,
		"SELECT * FROM system_schema.columns WHERE keyspace_name = 'shop' AND table_name = 'hits'":                          2,
		"SELECT dclocal_read_repair_chance, read_repair_chance FROM system_schema.tables WHERE keyspace_name='system_auth'": 8,
		"SELECT * FROM system_schema.types":                                                                                 1,
		"SELECT * FROM system_schema.views":                                                                                 0,
		"SELECT * FROM system_schema.triggers":                                                                              0,
		"SELECT view_name FROM system_schema.views WHERE keyspace_name='shop' AND base_table_name='a' ALLOW FILTERING":      0,
		"SELECT * FROM system.prepared_statements":                                                                          1,
		"SELECT * FROM system_views.settings WHERE name = 'a'":                                                              1,
		"SELECT * FROM system_traces.events WHERE session_id = 00000000-0000-1000-8000-000000000003":                        2,
	} {
		if rows, _ := ask(t, r, query, 0); len(rows) != want {
			t.Errorf("%s: %d rows, not %d: %v", query, len(rows), want, rows)
		}
	}
}

func TestPaging(t *testing.T) {
	r := registry(t)
	const query = "SELECT keyspace_name, table_name, column_name FROM system_schema.columns"
	whole, _ := ask(t, r, query, 0)
	paged, pages := ask(t, r, query, 7)
	if len(whole) == 0 || len(paged) != len(whole) || pages < len(whole)/7 {
		t.Fatalf("%d rows on %d pages of 7, %d on one", len(paged), pages, len(whole))
	}
	for i := range whole {
		if whole[i][0] != paged[i][0] || whole[i][1] != paged[i][1] || whole[i][2] != paged[i][2] {
			t.Fatalf("row %d is %v, not %v", i, paged[i], whole[i])
		}
	}
}

func TestReversed(t *testing.T) {
	r := registry(t)
	rows, _ := ask(t, r, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'shop' ORDER BY table_name DESC", 0)
	if len(rows) != 2 || rows[0][0] != "'orders'" {
		t.Errorf("%v", rows)
	}
}

// manyTables is a schema of n tables with ten columns.
func manyTables(t testing.TB, n int) *schema.Snapshot {
	s := users(t)
	tables := map[string]*schema.Table{}
	for i := range n {
		tab := &schema.Table{ID: schema.UUID{3, byte(i >> 8), byte(i)}, Keyspace: "many", Name: "table_" + strconv.Itoa(i),
			Options: schema.DefaultOptions(), PartitionKey: []*schema.Column{{ID: 1, Name: "k", Type: schema.TypeText}}}
		for c := range 9 {
			tab.Regular = append(tab.Regular, &schema.Column{ID: schema.ColumnID(c + 2), Name: "column_" + strconv.Itoa(c), Kind: schema.Regular,
				Position: -1, Type: schema.MapOf(schema.TypeText, schema.TypeInt, true)})
		}
		tab.Init()
		tables[tab.Name] = tab
	}
	many := *s
	many.Keyspaces = map[string]*schema.Keyspace{"many": {Name: "many", DurableWrites: true, Tables: tables,
		Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"}}}
	return &many
}

func benchmarkTable(b *testing.B, table string) {
	user := manyTables(b, 1000)
	r := New(Sources{Schema: func() *schema.Snapshot { return user }})
	b.ReportAllocs()
	for b.Loop() {
		if len(drain(b, mustRows(b, r, table))) < 1000 {
			b.Fatal("rows are missing")
		}
	}
}

func mustRows(b *testing.B, r *Registry, table string) exec.RowSource {
	src, err := r.Lookup("system_schema", table).Rows(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return src
}

func BenchmarkColumnsOf1000Tables(b *testing.B) { benchmarkTable(b, "columns") }

func BenchmarkTables1000(b *testing.B) { benchmarkTable(b, "tables") }

func BenchmarkDefinitions(b *testing.B) {
	for b.Loop() {
		buildDefinitions()
	}
}

func BenchmarkSnapshot(b *testing.B) {
	user := users(b)
	other := *user
	r := New(Sources{Schema: func() *schema.Snapshot { return user }})
	for b.Loop() {
		r.Snapshot(user)
		r.Snapshot(&other)
	}
}
