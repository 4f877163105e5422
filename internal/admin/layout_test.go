package admin

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/internal/golden"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

// view is of three nodes in two data centres, one of them down.
func view(t *testing.T) *View {
	t.Helper()
	user := schema.NewSnapshot()
	apply := func(c schema.Change) {
		var err error
		if user, err = user.Apply(c, user.Epoch+1); err != nil {
			t.Fatal(err)
		}
	}
	apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: "shop", DurableWrites: true,
		Replication: map[string]string{"class": schema.NetworkTopologyStrategy, "dc1": "1", "dc2": "1"}}})
	id := schema.UUID{1}
	apply(schema.Change{Kind: schema.CreateTable, Table: &schema.Table{
		ID: id, Keyspace: "shop", Name: "visits", Options: schema.DefaultOptions(), NextColumnID: 3,
		PartitionKey: []*schema.Column{{ID: 1, Name: "page", Type: schema.TypeText}, {ID: 2, Name: "day", Position: 1, Type: schema.TypeInt}},
	}})
	const quarter = 1 << 62
	node := func(i byte, dc, rack string, up bool, tokens ...ring.Token) cluster.Node {
		return cluster.Node{HostID: schema.UUID{15: i}, Address: "10.0.0." + string('0'+i) + ":9042", Internode: "10.1.0." + string('0'+i) + ":7000",
			DC: dc, Rack: rack, Tokens: tokens, Up: up}
	}
	placed := &cluster.Placement{RF: 2, Ranges: []cluster.ReplicaSet{
		{Range: ring.Range{Start: quarter, End: -quarter}, Read: []int{0, 1}},
		{Range: ring.Range{Start: -quarter, End: 0}, Read: []int{2, 1}},
		{Range: ring.Range{Start: 0, End: quarter}, Read: []int{0, 1}},
	}}
	return &View{
		ClusterName: "Test Cluster", Schema: user,
		Topology: &cluster.Topology{
			Epoch:     1<<48 | 7,
			Nodes:     []cluster.Node{node(1, "dc1", "rack1", true, -quarter, quarter), node(2, "dc2", "r1", true, 5), node(3, "dc1", "rack12", false, 0)},
			Keyspaces: map[string]*cluster.Placement{"shop": placed},
			Tables:    map[schema.TableID]*cluster.Placement{id: placed},
		},
		Members: []Member{{Load: 132_700, Generation: 3, Heartbeat: 1}, {Load: 5 << 30, Generation: 1, SchemaVersion: schema.UUID{9}}, {Load: -1}},
	}
}

func info() *Info {
	return &Info{HostID: "h", GossipActive: true, Load: 512, Generation: 3, UptimeSeconds: 9, HeapUsed: 1 << 20, HeapLimit: 3 << 20,
		Datacenter: "dc1", Rack: "rack1", CacheCapacity: 1 << 20, CacheHits: 1, CacheRequests: 2, Epoch: 1<<48 | 7, Tokens: []string{"1", "2"}}
}

// TestCommands asks a server for everything and has the layouts in a file.
func TestCommands(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := view(t)
	s, err := Serve(l, Config{Ready: func() error { return nil }, View: func() *View { return v }, Info: info})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	var b strings.Builder
	show := func(path string, query url.Values, out interface{ WriteText(io.Writer) }) {
		t.Helper()
		if err := Get(t.Context(), s.Addr().String(), path, query, out); err != nil {
			t.Fatal(err)
		}
		b.WriteString("--- " + path + "?" + query.Encode() + "\n")
		out.WriteText(&b)
		raw, err := json.MarshalIndent(out, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	shop := url.Values{"keyspace": {"shop"}}
	show(StatusPath, nil, &Status{})
	show(StatusPath, shop, &Status{})
	show(RingPath, shop, &Ring{})
	show(DescribePath, nil, &Description{})
	show(GossipPath, nil, &Gossip{})
	show(EndpointsPath, url.Values{"keyspace": {"shop"}, "table": {"visits"}, "key": {"home:3"}}, &Endpoints{})
	show(InfoPath, nil, &allTokens{})
	golden.Check(t, "layout.txt", b.String())
	for path, query := range map[string]url.Values{
		"the keyspace x does not exist":       {"keyspace": {"x"}},
		"the table shop.x does not exist":     {"keyspace": {"shop"}, "table": {"x"}},
		"has 2 components":                    {"keyspace": {"shop"}, "table": {"visits"}, "key": {"a"}},
		"day: Unable to make int from 'noon'": {"keyspace": {"shop"}, "table": {"visits"}, "key": {"a:noon"}},
	} {
		err := Get(t.Context(), s.Addr().String(), EndpointsPath, query, &Endpoints{})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v: %v, want %s", query, err, path)
		}
	}
}

// allTokens shows a line for each token.
type allTokens struct{ Info }

func (a *allTokens) WriteText(w io.Writer) {
	a.Info.WriteText(w, false)
	a.Info.WriteText(w, true)
}

func TestOwnershipDependsOnKeyspaces(t *testing.T) {
	v := view(t)
	s, err := v.Schema.Apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: &schema.Keyspace{Name: "other", DurableWrites: true,
		Replication: map[string]string{"class": schema.SimpleStrategy, "replication_factor": "1"}}}, v.Schema.Epoch+1)
	if err != nil {
		t.Fatal(err)
	}
	v.Schema = s
	status, err := v.status("")
	if err != nil || status.Effective || status.Note == "" {
		t.Errorf("%+v, %v", status, err)
	}
	v.Schema = schema.NewSnapshot()
	if status, err = v.status(""); err != nil || status.Effective || status.Note != "" {
		t.Errorf("%+v, %v", status, err)
	}
	sum := 0.0
	for _, dc := range status.Datacenters {
		for _, n := range dc.Nodes {
			sum += n.Owns
		}
	}
	if sum < 0.999 || sum > 1.001 {
		t.Errorf("all nodes together own %g of the ring", sum)
	}
}

func TestLoads(t *testing.T) {
	for n, want := range map[int64]string{-1: "?", 0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB", 5 << 30: "5 GiB", 3<<40 + 1<<39: "3.5 TiB"} {
		if got := formatLoad(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
