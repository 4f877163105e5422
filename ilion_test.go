package ilion_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	ilion "github.com/ilion-db/ilion"
	"github.com/ilion-db/ilion/cql/native"
)

func open(t *testing.T, dir string) *ilion.DB {
	t.Helper()
	db, err := ilion.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func exec(t *testing.T, db *ilion.DB, cql string, values ...any) {
	t.Helper()
	if err := db.Exec(context.Background(), cql, values...); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
}

const createKeyspace = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"

func TestReopenFindsEverything(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	exec(t, db, createKeyspace)
	exec(t, db, "CREATE TABLE k.t (p int, c int, v text, PRIMARY KEY (p, c))")
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for c := range 100 {
				if err := db.Use("k").Exec(context.Background(), "INSERT INTO t (p, c, v) VALUES (?, ?, ?)", p, c, fmt.Sprint(p, c)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := db.Prepare("SELECT p, c, v FROM k.t").PageSize(17).Query(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var p, c int
		var v string
		if err := rows.Scan(&p, &c, &v); err != nil || v != fmt.Sprint(p, c) {
			t.Fatal(p, c, v, err)
		}
		n++
	}
	if err := rows.Close(); err != nil || n != 400 {
		t.Errorf("%d rows: %v", n, err)
	}
	if got := rows.Columns(); len(got) != 3 || got[2] != "v" || rows.Types()[0].String() != "int" {
		t.Error(got)
	}
}

func TestErrorsAndTimestamps(t *testing.T) {
	db := open(t, t.TempDir())
	defer db.Close()
	exec(t, db, createKeyspace)
	exec(t, db, "CREATE TABLE k.t (p int PRIMARY KEY, v int)")
	var e *ilion.Error
	if err := db.Exec(context.Background(), "SELECT nothing FROM k.t"); !errors.As(err, &e) || e.Code != native.CodeInvalid {
		t.Error(err)
	}
	if _, err := ilion.Open(t.TempDir(), &ilion.Options{Sync: "sometimes"}); err == nil {
		t.Error("an unknown sync mode was taken")
	}
	ctx := context.Background()
	insert := db.Prepare("INSERT INTO k.t (p, v) VALUES (1, ?)")
	if err := insert.Timestamp(2000).Exec(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := insert.Timestamp(1000).Exec(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := insert.Timestamp(3000).Exec(ctx, ilion.Unset); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(ctx, "SELECT v FROM k.t WHERE p = 1")
	if err != nil || !rows.Next() || rows.Values()[0] != 2 {
		t.Error(rows, err)
	}
}
