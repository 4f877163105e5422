package exec

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/schema"
)

var samplePosition = position{
	table:       schema.TableID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	fingerprint: 0x1122334455667788,
	flags:       flagRowsSeen,
	remaining:   100,
	inPartition: 7,
	token:       -42,
	key:         []byte("key"),
	clustering:  []byte{0x80, 0, 0, 1, 0x40},
}

func TestGoldenState(t *testing.T) {
	p := samplePosition
	state := p.appendState(nil, []byte("secret"))
	want, err := os.ReadFile("testdata/paging_state.hex")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.Dump(state); got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestStateIsAuthenticated(t *testing.T) {
	p := samplePosition
	state := p.appendState(nil, []byte("secret"))
	var q position
	if err := q.parseState(state, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if string(q.key) != string(p.key) || q.remaining != p.remaining || q.token != p.token || string(q.clustering) != string(p.clustering) {
		t.Errorf("%+v", q)
	}
	if q.parseState(state, []byte("other")) == nil {
		t.Error("a state of another cluster was taken")
	}
	for i := range state {
		bad := append([]byte(nil), state...)
		bad[i] ^= 1
		if q.parseState(bad, []byte("secret")) == nil {
			t.Fatalf("a state with byte %d changed was taken", i)
		}
		if q.parseState(state[:i], []byte("secret")) == nil {
			t.Fatalf("a state of %d bytes was taken", i)
		}
	}
}

func FuzzState(f *testing.F) {
	p := samplePosition
	state := p.appendState(nil, nil)
	f.Add(state[:len(state)-macLen])
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("\xff", 80)))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p, again position
		if p.parseBody(body) != nil {
			return
		}
		out := p.appendState(nil, nil)
		if err := again.parseBody(out[:len(out)-macLen]); err != nil {
			t.Fatal(err)
		}
	})
}
