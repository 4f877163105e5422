package query

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew")

var someEntries = []Entry{
	{Keyspace: "", Text: "SELECT * FROM ks.t", ResultID: [16]byte{1, 2, 3}},
	{Keyspace: "ks", Text: "INSERT INTO t (k) VALUES (?)"},
}

func TestStoreGolden(t *testing.T) {
	const file = "testdata/prepared.hex"
	got := hex.Dump(appendEntries(nil, someEntries))
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStoreRefusesWhatNobodyWrote(t *testing.T) {
	good := appendEntries(nil, someEntries)
	if got, err := decodeEntries(good); err != nil || !reflect.DeepEqual(got, someEntries) {
		t.Fatal(got, err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if _, err := decodeEntries(bad); !errors.Is(err, ErrCorruptStore) {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := decodeEntries(good[:i]); !errors.Is(err, ErrCorruptStore) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
}

func TestStoreIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	entries := make([]Entry, 8)
	for i := range entries {
		entries[i].Text = long
	}
	data := appendEntries(nil, entries)
	got, err := decodeEntries(data)
	if err != nil || len(data) > storeMax || len(got) != 3 {
		t.Errorf("%d entries in %d bytes: %v", len(got), len(data), err)
	}
}

func FuzzDecodeEntries(f *testing.F) {
	f.Add(appendEntries(nil, someEntries))
	f.Add(appendEntries(nil, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeEntries(data)
		if err != nil {
			return
		}
		again, err := decodeEntries(appendEntries(nil, entries))
		if err != nil || !reflect.DeepEqual(again, entries) {
			t.Fatal(again, err)
		}
	})
}

func TestPreparedStatementsSurviveARestart(t *testing.T) {
	store := &FileStore{FS: vfs.NewMem(), Path: "/data/prepared"}
	withStore := func(c *Config) { c.Store = store }
	db := newDB(t, withStore)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY, v text)")
	db.exec("INSERT INTO t (k, v) VALUES (1, 'a')")
	all, err := db.Prepare(t.Context(), nil, "SELECT * FROM t", "ks")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := db.Prepare(t.Context(), nil, "SELECT v FROM t", "ks")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.prepare("SELECT k FROM t", "ks"); err != nil { // nobody else knows it
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db.open(withStore)
	db.exec("ALTER TABLE t ADD w int")
	w := serve(t, db)
	if a := w.execute(kept.ID[:]); a.err != nil || len(a.rows) != 1 || len(a.columns) != 0 {
		t.Errorf("%+v", a)
	}
	// The columns are not those that the client knows.
	if a := w.execute(all.ID[:]); a.err != nil || len(a.rows) != 1 || len(a.columns) != 3 {
		t.Errorf("%+v", a)
	}
	n := 0
	for _, st := range db.PreparedStatements() {
		if native.StatementID(st.Keyspace, st.Text) != st.ID {
			t.Error("wrong id")
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d statements", n)
	}
}

func TestDamagedStoreDoesNotStopTheStart(t *testing.T) {
	fs := vfs.NewMem()
	store := &FileStore{FS: fs, Path: "/data/prepared"}
	if err := fs.MkdirAll("/data"); err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFileAtomic(fs, store.Path, []byte("nonsense that is long enough")); err != nil {
		t.Fatal(err)
	}
	db := newDB(t, func(c *Config) { c.Store = store })
	if n := len(db.PreparedStatements()); n != 0 {
		t.Error(n)
	}
}
