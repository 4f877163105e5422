package node_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/internal/vfs"
)

// Snapshots are taken, listed, imported and removed by keyspace and table, as
// the commands ask.
func TestSnapshots(t *testing.T) {
	n := start(t, options(vfs.NewMem(), "/d"))
	s := n.connect()
	defer godriver.Close(s)
	for _, q := range []string{
		`CREATE KEYSPACE a WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
		`CREATE KEYSPACE b WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
		`CREATE TABLE a.t (k int PRIMARY KEY, v int)`, `CREATE TABLE a.u (k int PRIMARY KEY, v int)`, `CREATE TABLE b.t (k int PRIMARY KEY, v int)`,
		`INSERT INTO a.t (k, v) VALUES (1, 2)`, `INSERT INTO a.u (k, v) VALUES (1, 2)`, `INSERT INTO b.t (k, v) VALUES (1, 2)`,
	} {
		if err := s.Query(q).Exec(); err != nil {
			t.Fatal(q, err)
		}
	}
	at := n.HTTPAddr().String()
	change := func(path, keyspace, table, tag string, more ...string) error {
		q := url.Values{"keyspace": {keyspace}, "table": {table}, "tag": {tag}}
		if len(more) > 0 {
			q.Set("directory", more[0])
		}
		return admin.Post(t.Context(), at, path, q, &admin.Done{})
	}
	list := func() (all []admin.Snapshot) {
		t.Helper()
		var answer admin.Snapshots
		if err := admin.Get(t.Context(), at, admin.ListSnapshotsPath, nil, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Snapshots
	}
	want := func(want ...string) {
		t.Helper()
		var got []string
		for _, x := range list() {
			got = append(got, x.Tag+" "+x.Keyspace+"."+x.Table)
		}
		if !slices.Equal(got, want) {
			t.Errorf("there are %v, want %v", got, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want()
	must(change(admin.SnapshotPath, "", "", "all"))
	must(change(admin.SnapshotPath, "a", "t", "one"))
	want("all a.t", "all a.u", "all b.t", "one a.t")
	// One that cannot be taken of all tables is not there.
	must(change(admin.SnapshotPath, "a", "u", "half"))
	if err := change(admin.SnapshotPath, "a", "", "half"); err == nil {
		t.Error("a tag was given twice")
	}
	want("all a.t", "all a.u", "all b.t", "half a.u", "one a.t")
	for _, c := range []struct{ keyspace, table, tag, dir, says string }{
		{"c", "", "x", "", "the keyspace c does not exist"},
		{"a", "c", "x", "", "the table a.c does not exist"},
		{"a", "t", "../x", "", "is not a name for a directory"},
		{"a", "t", "", "d", "an absolute path"},
		{"a", "", "", "/d", "wants a keyspace, a table"},
	} {
		path := admin.SnapshotPath
		if c.tag == "" {
			path = admin.ImportPath
		}
		if err := change(path, c.keyspace, c.table, c.tag, c.dir); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	must(s.Query(`TRUNCATE a.t`).Exec())
	dir := list()[0].Path
	must(change(admin.ImportPath, "a", "t", "", dir))
	var v int
	if err := s.Query(`SELECT v FROM a.t WHERE k = 1`).Scan(&v); err != nil || v != 2 {
		t.Errorf("%d came back: %v", v, err)
	}
	must(change(admin.ClearSnapshotPath, "a", "", "all"))
	want("all b.t", "half a.u", "one a.t")
	must(s.Query(`DROP TABLE b.t`).Exec())
	if all := list(); len(all) != 3 || all[0].Keyspace != "?" || all[0].Own != all[0].Bytes {
		t.Errorf("of a table that was dropped: %+v", all)
	}
	must(change(admin.ClearSnapshotPath, "", "", ""))
	want()
}
