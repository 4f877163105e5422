package exec_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/schema"
)

// db is the smallest database: a schema and a model of the data.
type db struct {
	t      testing.TB
	snap   *schema.Snapshot
	env    *plan.Env
	tables map[schema.TableID]*mutationtest.Model
	clock  int64
	page   int32
	binder *plan.Binder
	reader *exec.Reader
	query  *plan.Query
	pages  int
}

func newDB(t testing.TB) *db {
	env := plan.NewEnv(rand.NewSeeded(1))
	d := &db{t: t, snap: schema.NewSnapshot(), env: env, tables: map[schema.TableID]*mutationtest.Model{},
		clock: 1_700_000_000_000_000, binder: plan.NewBinder(env), reader: exec.NewReader([]byte("key")), query: plan.NewQuery(env)}
	d.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	return d
}

func (d *db) options() *plan.Options {
	d.clock++
	return &plan.Options{Clock: d.clock, PageSize: d.page, Datacenters: []string{"dc1"}}
}

// source is what a cluster would open for a command.
func (d *db) source(cmd *mutation.ReadCommand) mutation.Source {
	m := d.tables[cmd.Table]
	if m == nil {
		m = mutationtest.NewModel()
	}
	return &chosen{Source: m.Source(cmd.Reverse), cmd: cmd}
}

// chosen passes only the partitions that a command names.
type chosen struct {
	mutation.Source
	cmd *mutation.ReadCommand
}

func (c *chosen) NextPartition() bool {
	for c.Source.NextPartition() {
		p := c.Source.Partition()
		if c.cmd.Keys == nil && c.cmd.Range.Contains(p.Token, p.Key) {
			return true
		}
		if slices.ContainsFunc(c.cmd.Keys, func(k mutation.Key) bool { return bytes.Equal(k.Key, p.Key) }) {
			return true
		}
	}
	return false
}

func (d *db) compile(text string) (*plan.Plan, error) {
	stmt, err := cql.Parse(text)
	if err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
	return plan.Compile(stmt, d.snap, "ks")
}

// try executes a statement and returns its rows as text.
func (d *db) try(text string, values ...plan.Value) (string, error) {
	p, err := d.compile(text)
	if err != nil {
		return "", err
	}
	switch p.Kind {
	case plan.KindSchema:
		return "", d.change(p.Schema)
	case plan.KindSelect:
		return d.selectRows(p, values)
	case plan.KindDescribe:
		return "", nil
	}
	return "", d.write(p, values)
}

func (d *db) change(s *plan.SchemaPlan) error {
	if s.NoOp {
		return nil
	}
	c, check, err := s.Change(d.env, d.options())
	if err != nil {
		return err
	}
	if err := check(d.snap); err != nil {
		return err
	}
	if s.Truncate {
		d.tables[c.Table.ID] = nil
	}
	snap, err := d.snap.Apply(c, d.snap.Epoch+1)
	if err == nil {
		d.snap = snap
	}
	return err
}

func (d *db) write(p *plan.Plan, values []plan.Value) error {
	b, o := d.binder, d.options()
	defer b.Reset()
	bind := func() error { return p.Modification.Bind(b, values, o) }
	needs := p.Modification
	if p.Kind == plan.KindBatch {
		bind = func() error { return p.Batch.Bind(b, func(int) []plan.Value { return values }, o) }
		needs = p.Batch.NeedsRead()
	}
	if needs != nil && needs.NeedsRead() {
		cmd, err := needs.ReadCommand(b, values, o)
		if err != nil {
			return err
		}
		o.Prior = new(plan.Prior)
		if err := o.Prior.Load(d.source(cmd), cmd); err != nil {
			return err
		}
	}
	if err := bind(); err != nil {
		return err
	}
	for _, r := range b.Records {
		if err := r.Check(); err != nil {
			d.t.Fatalf("record: %v", err)
		}
		m := d.tables[r.Table()]
		if m == nil {
			m = mutationtest.NewModel()
			d.tables[r.Table()] = m
		}
		m.Apply(slices.Clone(r))
	}
	return nil
}

// maxPages are more than any result has: a paging state that leads nowhere is an
// error and no endless loop.
const maxPages = 1 << 16

func (d *db) selectRows(p *plan.Plan, values []plan.Value) (string, error) {
	var out []string
	var state []byte
	d.pages = 0
	for {
		if d.pages++; d.pages > maxPages {
			d.t.Fatalf("the result does not end: %d pages", d.pages)
		}
		if err := p.Select.Bind(d.query, values, d.options()); err != nil {
			return "", err
		}
		if err := d.reader.Resume(d.query, state); err != nil {
			return "", err
		}
		var src mutation.Source
		if !d.query.Empty {
			src = d.source(&d.query.Command)
		}
		body, res, err := d.reader.Page(d.query, src, nil)
		if err != nil {
			return "", err
		}
		out = append(out, d.format(p, body, res.Rows)...)
		if res.PagingState == nil {
			return strings.Join(out, "\n"), nil
		}
		if d.page > 0 && res.Rows > int(d.page) {
			d.t.Fatalf("%d rows in a page of %d", res.Rows, d.page)
		}
		state = slices.Clone(res.PagingState)
	}
}

func (d *db) format(p *plan.Plan, body []byte, rows int) (out []string) {
	cols := p.Result.Columns()
	c := exec.NewCursor(body, rows, len(cols))
	for values, ok := c.Next(); ok; values, ok = c.Next() {
		parts := make([]string, len(values))
		for i, v := range values {
			parts[i] = "null"
			if v != nil {
				parts[i] = cols[i].Type.(*schema.Type).Format(v)
			}
		}
		out = append(out, strings.Join(parts, " | "))
	}
	if len(out) != rows {
		d.t.Fatalf("%d rows of %d", len(out), rows)
	}
	return out
}

func (d *db) run(text string, values ...plan.Value) string {
	d.t.Helper()
	out, err := d.try(text, values...)
	if err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
	return out
}

// want checks rows given as lines.
func (d *db) want(text string, rows ...string) {
	d.t.Helper()
	if got, want := d.run(text), strings.Join(rows, "\n"); got != want {
		d.t.Errorf("%s:\n%s\nwant:\n%s", text, got, want)
	}
}

func (d *db) fails(text, message string) {
	d.t.Helper()
	if _, err := d.try(text); err == nil || err.Error() != message {
		d.t.Errorf("%s:\n%v\nwant:\n%s", text, err, message)
	}
}

func TestSimple(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c int, s text STATIC, v text, w int, PRIMARY KEY (k, c))")
	d.run("INSERT INTO t (k, c, s, v, w) VALUES (1, 1, 'st', 'a', 10)")
	d.run("INSERT INTO t (k, c, v) VALUES (1, 2, 'b')")
	d.run("UPDATE t SET v = 'c', w = 30 WHERE k = 1 AND c = 3")
	d.run("INSERT INTO t (k, s) VALUES (2, 'only')")
	d.want("SELECT * FROM t WHERE k = 1", "1 | 1 | 'st' | 'a' | 10", "1 | 2 | 'st' | 'b' | null", "1 | 3 | 'st' | 'c' | 30")
	d.want("SELECT c, v FROM t WHERE k = 1 AND c >= 2", "2 | 'b'", "3 | 'c'")
	d.want("SELECT c FROM t WHERE k = 1 ORDER BY c DESC LIMIT 2", "3", "2")
	d.want("SELECT v FROM t WHERE k = 1 AND c IN (3, 1, 3)", "'a'", "'c'")
	d.want("SELECT k, s, v FROM t WHERE k = 2", "2 | 'only' | null")
	d.want("SELECT k, s, v FROM t WHERE k = 2 AND c = 0")
	d.run("UPDATE t SET v = null, w = null WHERE k = 1 AND c = 3")
	d.run("UPDATE t SET v = null WHERE k = 1 AND c = 2")
	d.want("SELECT c, v FROM t WHERE k = 1", "1 | 'a'", "2 | null")
	d.run("DELETE FROM t WHERE k = 1 AND c > 1")
	d.want("SELECT c, v FROM t WHERE k = 1", "1 | 'a'")
	d.run("DELETE FROM t WHERE k = 1")
	d.want("SELECT k, s FROM t", "2 | 'only'")
	d.run("TRUNCATE t")
	d.want("SELECT k, s FROM t")
}

func TestPaging(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (k int, c int, s int STATIC, v int, PRIMARY KEY (k, c))")
	for k := range 7 {
		d.run(fmt.Sprintf("INSERT INTO t (k, s) VALUES (%d, %d)", k, k))
		for c := range k * 2 {
			d.run(fmt.Sprintf("INSERT INTO t (k, c, v) VALUES (%d, %d, %d)", k, c, c))
		}
	}
	d.run("DELETE FROM t WHERE k = 5 AND c > 2 AND c < 6")
	d.run("CREATE TABLE single (k int PRIMARY KEY, v int)")
	for k := range 20 {
		d.run(fmt.Sprintf("INSERT INTO single (k, v) VALUES (%d, %d)", k, k))
	}
	for _, text := range []string{
		"SELECT * FROM t", "SELECT k, c FROM t LIMIT 17", "SELECT * FROM t PER PARTITION LIMIT 3",
		"SELECT * FROM t PER PARTITION LIMIT 2 LIMIT 9", "SELECT DISTINCT k, s FROM t",
		"SELECT * FROM t WHERE k = 6", "SELECT * FROM t WHERE k = 6 ORDER BY c DESC", "SELECT * FROM t WHERE k = 5 ORDER BY c DESC",
		"SELECT * FROM t WHERE k IN (1, 3, 6, 2)", "SELECT * FROM t WHERE k IN (6, 5) AND c IN (1, 3, 4, 9)",
		"SELECT * FROM t WHERE k = 6 AND c IN (1, 2, 3, 8, 9, 20) ORDER BY c DESC",
		"SELECT * FROM t WHERE v > 3 ALLOW FILTERING", "SELECT * FROM t WHERE c > 3 AND c < 9 ALLOW FILTERING",
		"SELECT * FROM t WHERE token(k) > -3000000000000000000 AND token(k) <= 3000000000000000000",
		"SELECT count(*) FROM t", "SELECT k, s, count(*), max(v) FROM t GROUP BY k", "SELECT k, c, count(v) FROM t GROUP BY k, c LIMIT 13",
		"SELECT k, count(*) FROM t WHERE v > 2 GROUP BY k LIMIT 3 ALLOW FILTERING",
		"SELECT * FROM t WHERE k IN (3, 6, 2) PER PARTITION LIMIT 2",
		"SELECT * FROM single", "SELECT * FROM single WHERE v > 7 ALLOW FILTERING", "SELECT * FROM single WHERE k IN (3, 6, 2, 9)",
	} {
		d.page = 0
		want := d.run(text)
		for page := int32(1); page < 30; page++ {
			d.page = page
			if got := d.run(text); got != want {
				t.Fatalf("%s: pages of %d:\n%s\nwant:\n%s", text, page, got, want)
			}
			if n := strings.Count(want, "\n") + 1; want != "" && n <= int(page) && d.pages != 1 {
				t.Errorf("%s: %d pages of %d for %d rows", text, d.pages, page, n)
			}
		}
	}
}
