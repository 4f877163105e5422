package replicaread

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
)

// TestPagesOverCoordinators reads a few rows at a time, each page from another
// node, which knows nothing but where the last one has ended.
func TestPagesOverCoordinators(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { pagesRun(t, seed) })
		})
	}
}

func pagesRun(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 9))
	n := newNet(t, slices.Repeat([]string{"dc"}, 4), nil)
	sets := randomPlacement(r, 4, 3)
	n.place(3, nil, sets)
	keys := genKeys(r, 8)
	gen := mutationtest.NewGen(seed)
	gen.Keys, gen.Rows = keys, 30
	model := mutationtest.NewModel()
	p := &cluster.Placement{Ranges: sets}
	for range 150 {
		rec := n.withTable(gen.Record())
		model.Apply(rec)
		for _, i := range r.Perm(3)[:2] {
			n.apply(p.Replicas(rec.Token()).Read[i], rec)
		}
	}
	cmd := &mutation.ReadCommand{Table: n.table, Now: 25, Reverse: r.IntN(2) == 0, Page: 1 + r.Uint32N(10), Bytes: 100 + r.IntN(400)}
	if r.IntN(2) == 0 {
		cmd.Keys = keys
	}
	want := allRows(t, model.Source(cmd.Reverse), cmd, 1<<30, nil)
	var got []string
	for pages := 0; ; pages++ {
		src, err := n.nodes[r.IntN(4)].rd.Read(context.Background(), cmd, ring.Quorum)
		if err != nil {
			t.Fatal(err)
		}
		var last place
		rows := allRows(t, src, cmd, 1+r.IntN(12), &last)
		src.Close()
		if len(rows) == 0 {
			break
		}
		got = append(got, rows...)
		next := *cmd
		next.After = last.clustering
		if next.Keys != nil {
			at := slices.IndexFunc(next.Keys, func(k mutation.Key) bool { return bytes.Equal(k.Key, last.key.Key) })
			next.Keys = next.Keys[at:]
		} else {
			next.Range.Start = &mutation.PartitionBound{Token: last.key.Token, Key: last.key.Key}
		}
		cmd = &next
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

type place struct {
	key        mutation.Key
	clustering []byte
}

// allRows tells the first live rows behind cmd.After, and where they end.
func allRows(t *testing.T, src mutation.Source, cmd *mutation.ReadCommand, most int, last *place) (rows []string) {
	t.Helper()
	first := cmd.After
	for src.NextPartition() {
		p := src.Partition()
		if first != nil {
			from := first
			if !cmd.Reverse {
				from = append(bytes.Clone(first), 0)
			}
			src.Seek(from)
			first = nil
		}
		cover := p.Deletion.Max(src.Open())
		for src.Next() {
			it := src.Item()
			if it.Kind == mutation.ItemBoundary {
				cover = p.Deletion.Max(behind(it, cmd.Reverse))
				continue
			}
			var b strings.Builder
			if !liveRow(t, &b, fmt.Sprintf("%q %x", p.Key, it.Clustering), it.Row, cover, cmd.Now) {
				continue
			}
			rows = append(rows, b.String())
			if last != nil {
				*last = place{mutation.Key{Token: p.Token, Key: bytes.Clone(p.Key)}, bytes.Clone(it.Clustering)}
			}
			if len(rows) == most {
				return rows
			}
		}
	}
	if src.Err() != nil {
		t.Fatal(src.Err())
	}
	return rows
}

// TestLaterPagesAreCompared reads equal replicas in pages: no page, the later
// ones of a partition included, is asked for twice.
func TestLaterPagesAreCompared(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t, []string{"dc", "dc"}, nil)
			n.everywhere(nil)
			for i := range 40 {
				for node := range n.nodes {
					n.apply(node, n.row(i, 1, "v"))
				}
			}
			cmd := n.command()
			cmd.Reverse, cmd.Page = reverse, 7
			got, err := n.read(0, cmd, ring.Quorum)
			if err != nil || strings.Count(got, `="v"`) != 40 {
				t.Fatalf("%v: %s", err, got)
			}
			next := *cmd
			next.After = mutationtest.Clustering(20)
			if _, err := n.read(1, &next, ring.Quorum); err != nil {
				t.Fatal(err)
			}
			for i, node := range n.nodes {
				if got := node.rd.stats.mismatches.Value(); got != 0 {
					t.Errorf("node %d: %d pages differ", i, got)
				}
			}
			if got := n.sends(); got > 10 {
				t.Errorf("%d requests", got)
			}
		})
	}
}

// counting is a completer that takes up to so many rows.
type counting struct {
	most, rows int
	err        error
	done       chan struct{}
}

func (c *counting) CompleteRead(src mutation.Source, err error) {
	defer close(c.done)
	if c.err = err; err != nil {
		return
	}
	defer src.Close()
	for c.rows < c.most && src.NextPartition() {
		for c.rows < c.most && src.Next() {
			c.rows++
		}
	}
	c.err = src.Err()
}

// TestStartedReadIsOfOnePage: what StartRead brings is as many rows as the reader
// has said that it takes, so that a page of a client never has to be read again
// by one that waits; only what comes behind them has to.
func TestStartedReadIsOfOnePage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a", "a"}, nil)
		n.everywhere(nil)
		for i := range 20 {
			for node := range n.nodes {
				n.apply(node, n.row(i, 1, "v"))
			}
		}
		n.apply(1, n.row(3, 2, "newer")) // so that pages are merged, too
		for _, c := range []struct {
			page uint32
			most int
			want int
			err  error
		}{
			{page: 6, most: 6, want: 6},
			{page: 6, most: 7, want: 6, err: mutation.ErrWouldBlock},
			{page: 20, most: 20, want: 20},
			{page: 21, most: 21, want: 20},
			{page: 0, most: 100, want: 20},
		} {
			cmd := n.command()
			cmd.Page = c.page
			got := &counting{most: c.most, done: make(chan struct{})}
			if err := n.nodes[0].rd.StartRead(cmd, ring.All, 0, got); err != nil {
				t.Fatal(err)
			}
			<-got.done
			if got.rows != c.want || got.err != c.err {
				t.Errorf("%d rows of pages of %d: %d, %v", c.most, c.page, got.rows, got.err)
			}
		}
	})
}

// TestClosedTwice: two reads after a source that was closed twice have one each.
func TestClosedTwice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		rd := n.nodes[0].rd
		src, err := rd.Read(t.Context(), n.command(), ring.All)
		if err != nil {
			t.Fatal(err)
		}
		src.Close()
		src.Close()
		if a, b := rd.newScan(n.command(), ring.All), rd.newScan(n.command(), ring.All); a == b {
			t.Error("both have the same")
		}
	})
}

// TestLimitedPartitionsGoOn: where deletions of one replica leave a partition
// short that another has ended for its limit, what follows is asked for: the
// other may know better.
func TestLimitedPartitionsGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNet(t, []string{"a", "a"}, nil)
		n.everywhere(nil)
		for i := range n.nodes {
			for row := range 10 {
				n.apply(i, n.row(row, 1, "old"))
			}
		}
		n.apply(0, n.row(2, 5, "newer"))
		var b mutation.Builder
		b.Begin(nil, mutation.Header{Table: n.table, Timestamp: 3, Token: oneKey.Token, Key: oneKey.Key})
		b.DeleteRange(mutationtest.BoundOf(0, false), mutationtest.BoundOf(1, true), mutation.Deletion{Timestamp: 3, LocalTime: 50, Set: true})
		n.apply(1, b.Finish())
		cmd := n.command()
		cmd.PerPartitionLimit = 2
		got, err := n.read(0, cmd, ring.All)
		if err != nil || strings.Count(got, `="newer"`) != 1 || strings.Count(got, `="old"`) != 1 {
			t.Fatalf("%s, %v", got, err)
		}
	})
}
