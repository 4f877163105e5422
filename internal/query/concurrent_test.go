package query

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/cql/native"
)

// Readers and writers go on while the schema changes under them.
func TestSchemaChangesUnderLoad(t *testing.T) {
	db := newDB(t)
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY, v text)")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				texts := []string{"INSERT INTO ks.t (k, v) VALUES (?, 'x')", "SELECT * FROM ks.t WHERE k = ?", "UPDATE ks.t SET v = 'y' WHERE k = ?"}
				rows, err := db.Query(context.Background(), Statement{Text: texts[(i+g)%3], Values: []any{i % 10}})
				if err != nil {
					t.Error(err)
					return
				}
				for rows.Next() {
					if n := len(rows.Values()); n < 2 {
						t.Errorf("%d columns", n)
					}
				}
				if err := rows.Err(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 30 {
		db.exec(fmt.Sprintf("ALTER TABLE t ADD c%d int", i))
		db.exec(fmt.Sprintf("CREATE TABLE other%d (k int PRIMARY KEY)", i))
		if i > 5 {
			db.exec(fmt.Sprintf("ALTER TABLE t DROP c%d", i-5))
		}
	}
	cancel()
	wg.Wait()
}

// FuzzStatements wants an answer or an error of the protocol for any text.
func FuzzStatements(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM t WHERE k = 1", "SELECT k, v FROM t LIMIT 3", "SELECT max(c), s FROM t", "INSERT INTO t (k, c, v) VALUES (1, 2, 'x')",
		"UPDATE t SET l = l + [1], m['a'] = 2 WHERE k = 1 AND c = 1", "DELETE l[0] FROM t WHERE k = 1 AND c = 1",
		"BEGIN BATCH INSERT INTO t (k, c) VALUES (1, 1); DELETE FROM t WHERE k = 2; APPLY BATCH", "DESCRIBE TABLE t", "DESCRIBE CLUSTER",
		"CREATE TABLE u (a int PRIMARY KEY, b frozen<list<text>>)", "ALTER TABLE t ADD x int", "DROP TABLE IF EXISTS u", "TRUNCATE t", "USE ks",
		"SELECT token(k), writetime(v), CAST(c AS text) FROM t WHERE token(k) > 0 AND c > 1 ALLOW FILTERING",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		db := newDB(t)
		db.keyspace()
		db.exec("CREATE TABLE t (k int, c int, s text static, v text, l list<int>, m map<text, int>, PRIMARY KEY (k, c))")
		db.exec("INSERT INTO t (k, c, s, v, l, m) VALUES (1, 1, 's', 'v', [1, 2], {'a': 1})")
		rows, err := db.Query(context.Background(), Statement{Text: text, Keyspace: "ks", PageSize: 1})
		if err == nil {
			for range 100 {
				if !rows.Next() {
					break
				}
				rows.Values()
			}
			err = rows.Err()
		}
		var e *native.Error
		if err != nil && (!errors.As(err, &e) || e.Code == native.CodeServer) {
			t.Fatal(err)
		}
	})
}
