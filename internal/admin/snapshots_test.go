package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// shelf is a Store that remembers what it was asked.
type shelf struct {
	asked []string
	list  []Snapshot
}

func (s *shelf) TakeSnapshot(tag, keyspace, table string) (string, error) {
	s.asked = append(s.asked, "take "+tag+" "+keyspace+" "+table)
	if keyspace == "none" {
		return "", errors.New("the keyspace none does not exist")
	}
	return tag + "!", nil
}

func (s *shelf) Snapshots() ([]Snapshot, error) { return s.list, nil }

func (s *shelf) ClearSnapshot(tag, keyspace string) error {
	s.asked = append(s.asked, "clear "+tag+" "+keyspace)
	return nil
}

func (s *shelf) Import(_ context.Context, keyspace, table, dir string) (int, error) {
	s.asked = append(s.asked, "import "+keyspace+" "+table+" "+dir)
	return 3, nil
}

// What commands ask reaches the store, and its answer is shown as nodetool does.
func TestSnapshots(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	store := &shelf{}
	s, err := Serve(l, Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	for _, c := range []struct {
		path, query, asked, text string
	}{
		{SnapshotPath, "tag=x", "take x  ", "Requested creating snapshot(s) for [all keyspaces] with snapshot name [x!]\nSnapshot directory: x!\n"},
		{SnapshotPath, "keyspace=shop&table=t", "take  shop t", "Requested creating snapshot(s) for [shop.t] with snapshot name [!]\nSnapshot directory: !\n"},
		{ClearSnapshotPath, "tag=x&keyspace=shop", "clear x shop", "Requested clearing snapshot(s) for [shop] with snapshot name [x]\n"},
		{ClearSnapshotPath, "", "clear  ", "Requested clearing snapshot(s) for [all keyspaces] with all snapshots\n"},
		{ImportPath, "keyspace=shop&table=t&directory=%2Fd", "import shop t /d", "Imported 3 file(s) into shop.t\n"},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		var done Done
		if err := Post(t.Context(), s.Addr().String(), c.path, query, &done); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if done.WriteText(&b); b.String() != c.text {
			t.Errorf("%s?%s shows\n%swant\n%s", c.path, c.query, b.String(), c.text)
		}
		if last := store.asked[len(store.asked)-1]; last != c.asked {
			t.Errorf("%s?%s asks %q, want %q", c.path, c.query, last, c.asked)
		}
		if err := Get(t.Context(), s.Addr().String(), c.path, query, &done); err == nil {
			t.Errorf("%s changes something by a GET", c.path)
		}
	}
	if err := Post(t.Context(), s.Addr().String(), SnapshotPath, url.Values{"keyspace": {"none"}}, &Done{}); err == nil || err.Error() != "the keyspace none does not exist" {
		t.Errorf("the store's error comes as %v", err)
	}
	list := func() string {
		var all Snapshots
		if err := Get(t.Context(), s.Addr().String(), ListSnapshotsPath, nil, &all); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		all.WriteText(&b)
		return b.String()
	}
	if got := list(); got != "There are no snapshots\n" {
		t.Errorf("without snapshots: %s", got)
	}
	store.list = []Snapshot{{Tag: "monday", Keyspace: "shop", Table: "visits", Bytes: 5 << 20, Own: 2048, Path: "/d/1"}, {Tag: "x", Keyspace: "?", Table: "1f", Path: "/d/2"}}
	const want = `Snapshot Details:
Snapshot name  Keyspace name  Column family name  True size  Size on disk  Directory
monday         shop           visits              2 KiB      5 MiB         /d/1
x              ?              1f                  0 bytes    0 bytes       /d/2

Total TrueDiskSpaceUsed: 2 KiB
`
	if got := list(); got != want {
		t.Errorf("shown\n%swant\n%s", got, want)
	}
}

// Nobody on another machine changes anything, and no page of another origin.
func TestChangesAreForTheMachineOnly(t *testing.T) {
	store := &shelf{}
	h, err := handler(Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{SnapshotPath, ClearSnapshotPath, ImportPath} {
		for _, c := range []struct{ from, site, host string }{
			{"192.0.2.1:1", "", "127.0.0.1:9180"}, {"127.0.0.1:1", "cross-site", "127.0.0.1:9180"},
			{"127.0.0.1:1", "same-origin", "page.example:9180"}, {"127.0.0.1:1", "", "page.example"}, {"127.0.0.1:1", "", "localhost.page.example"},
			{"127.0.0.1:1", "", "127.0.0.1.page.example:9180"}, {"127.0.0.1:1", "", ""},
		} {
			r := httptest.NewRequest("POST", path, nil)
			if r.RemoteAddr, r.Host = c.from, c.host; c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
				t.Errorf("%s of %q from %s %s: %d", path, c.host, c.from, c.site, w.Code)
			}
		}
	}
	if len(store.asked) > 0 {
		t.Errorf("the store was asked %v", store.asked)
	}
	for _, host := range []string{"127.0.0.1:9180", "127.0.0.1", "[::1]:9180", "[::1]", "192.0.2.7:9180", "localhost:9180", "LocalHost"} {
		r := httptest.NewRequest("POST", ClearSnapshotPath, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("of %q: %d %s", host, w.Code, w.Body)
		}
	}
}
