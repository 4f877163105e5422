package memtable

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/mutation/mutationtest"
	"github.com/ilion-db/ilion/ring"
)

// TestPutAll gives the same as Put one by one, however records are cut, with
// several at work and a reader that walks meanwhile.
func TestPutAll(t *testing.T) {
	gen := mutationtest.NewGen(7)
	var records []mutation.Record
	for i := range uint64(4000) {
		r := gen.Record()
		if i%2 == 0 {
			var p putter
			r = p.record(mix(i), be(i), nil, bytes.Repeat([]byte{1}, int(i%300)), int64(i))
		}
		records = append(records, r)
	}
	for i := range uint64(60) { // a crowd: tokens that share a slot for ever
		var p putter
		records = append(records, p.record(ring.Token(1), be(i), nil, []byte("v"), 1))
	}
	one, all := newTest(t), newTest(t)
	for _, r := range records {
		if err := one.Put(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			part := records[i*len(records)/4 : (i+1)*len(records)/4]
			for n := 1; len(part) > 0; n++ {
				n := min(n%50, len(part))
				if err := all.PutAll(part[:n]); err != nil {
					t.Error(err)
				}
				part = part[n:]
			}
		})
	}
	work.Go(func() {
		for range 20 {
			dump(all, false)
		}
	})
	work.Wait()
	if got, want := mergedIter(all, false), mergedIter(one, false); got != want {
		t.Errorf("%.2000s\nwant\n%.2000s", got, want)
	}
	if got, want := all.Stats().Records, int64(len(records)); got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	bad := []mutation.Record{records[0], records[1][:len(records[1])-1]}
	if err := all.PutAll(bad); !errors.Is(err, mutation.ErrCorrupt) {
		t.Errorf("a record that is cut: %v", err)
	}
}
