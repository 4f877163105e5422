package exec_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/mutation"
)

// A range deletion that read repair has brought begins at the very place of a
// row. A page that ends there must not pass over a row that was written since.
func TestPagesOverRepairedRanges(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE r (k int, c int, e int, PRIMARY KEY (k, c, e)) WITH CLUSTERING ORDER BY (c ASC, e DESC)")
	write := func() {
		for i := range 10 {
			d.run(fmt.Sprintf("INSERT INTO r (k, c, e) VALUES (1, %d, 0)", i))
		}
	}
	write()
	id := d.snap.Table("ks", "r").ID
	src := d.tables[id].Source(false)
	src.NextPartition()
	p := *src.Partition()
	var rows [][]byte
	for src.Next() {
		rows = append(rows, bytes.Clone(src.Item().Clustering))
	}
	for _, row := range rows {
		d.clock++
		var b mutation.Builder
		b.Begin(nil, mutation.Header{Table: id, Timestamp: d.clock, Token: p.Token, Key: p.Key, Origin: mutation.FromReadRepair})
		b.DeleteRange(row, append(bytes.Clone(row), 0), mutation.Deletion{Timestamp: d.clock, LocalTime: 1, Set: true})
		d.tables[id].Apply(b.Finish())
	}
	write()
	for _, text := range []string{"SELECT c FROM r", "SELECT c FROM r WHERE k = 1", "SELECT c FROM r WHERE k = 1 ORDER BY c DESC"} {
		d.page, d.reader.Limits = 0, exec.Limits{}
		want := d.run(text)
		if strings.Count(want, "\n") != 9 {
			t.Fatalf("%s:\n%s", text, want)
		}
		for _, page := range []int32{1, 3, 100} {
			for most := 1; most < 10; most++ {
				d.page, d.reader.Limits = page, exec.Limits{Tombstones: most}
				if got := d.run(text); got != want {
					t.Errorf("%s, pages of %d and %d tombstones:\n%s", text, page, most, got)
				}
			}
		}
	}
}
