package query

import (
	"fmt"
	"sync"
	"testing"
)

func TestCacheBoundAndOrder(t *testing.T) {
	one := newStatement("0", "")
	c := newCache(10 * one.size())
	var all []*statement
	for i := range 10 {
		st := newStatement(fmt.Sprint(i), "")
		all = append(all, st)
		if _, evicted := c.add(st); evicted != 0 {
			t.Fatal("evicted with room left")
		}
	}
	// The first newcomer finds all used and clears their marks; from then on
	// what is used stays.
	c.add(newStatement("a", ""))
	kept := -1
	for i := range all {
		if c.get(all[i].id) != nil && kept < 0 {
			kept = i
		}
	}
	for _, st := range all {
		st.used.Store(false)
	}
	c.get(all[kept].id)
	for i := range 8 {
		c.add(newStatement(fmt.Sprint("b", i), ""))
	}
	if c.get(all[kept].id) != all[kept] {
		t.Error("a statement in use was evicted")
	}
	if n, bytes := c.usage(); n > 10 || bytes > c.limit {
		t.Errorf("%d statements, %d bytes", n, bytes)
	}
}

func TestCacheRemove(t *testing.T) {
	c := newCache(1 << 20)
	st := newStatement("x", "ks")
	if got, _ := c.add(st); got != st {
		t.Fatal("not added")
	}
	if got, _ := c.add(newStatement("x", "ks")); got != st {
		t.Fatal("added twice")
	}
	if !c.remove(st) || c.remove(st) || c.get(st.id) != nil {
		t.Error("remove")
	}
	if n, bytes := c.usage(); n != 0 || bytes != 0 {
		t.Errorf("%d statements, %d bytes", n, bytes)
	}
}

func TestCacheUnderConcurrentPrepares(t *testing.T) {
	c := newCache(50 * newStatement("00-000", "").size())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				st, _ := c.add(newStatement(fmt.Sprintf("%02d-%03d", g, i%100), ""))
				if got := c.get(st.id); got != nil && got.id != st.id {
					t.Error("wrong statement")
				}
				if i%7 == 0 {
					c.remove(st)
				}
			}
		})
	}
	wg.Wait()
	all := c.all()
	var bytes int64
	for _, st := range all {
		bytes += st.size()
		if c.get(st.id) != st {
			t.Error("a statement is in the ring but not in its chain")
		}
	}
	if n, got := c.usage(); got != bytes || n != len(all) || bytes > c.limit {
		t.Errorf("%d bytes counted, %d there", got, bytes)
	}
}

func TestStormOfPreparesIsBounded(t *testing.T) {
	db := newDB(t, func(c *Config) { c.PreparedBytes = 64 << 10 })
	db.keyspace()
	db.exec("CREATE TABLE t (k int PRIMARY KEY)")
	for i := range 500 {
		if _, err := db.prepare(fmt.Sprintf("SELECT k FROM ks.t WHERE k = %d", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	n, bytes := db.cache.usage()
	if bytes > 64<<10 || n == 0 || db.stats.evicted.Load() == 0 {
		t.Errorf("%d statements of %d bytes, %d evicted", n, bytes, db.stats.evicted.Load())
	}
	db.fails(0x2000, "", "SELECT "+string(make([]byte, 100)))
}

func BenchmarkLookup(b *testing.B) {
	c := newCache(32 << 20)
	for i := range 1000 {
		c.add(newStatement(fmt.Sprint(i), ""))
	}
	id := newStatement("500", "").id
	b.ReportAllocs()
	for b.Loop() {
		if c.get(id) == nil {
			b.Fatal("gone")
		}
	}
}
