package ring_test

import (
	"bufio"
	"compress/gzip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/ring"
)

// cassandraRing is a ring with the replicas that Cassandra names in it. A
// node's host id starts with its number.
type cassandraRing struct {
	name   string
	nodes  []ring.Node
	points []ring.Token
	// replicas are lists of nodes' numbers, one for each point, by the class and
	// options of the strategy.
	replicas map[[2]string][]string
}

// cassandraRings reads what testdata/Replicas.java wrote.
func cassandraRings(t *testing.T) []*cassandraRing {
	t.Helper()
	f, err := os.Open("testdata/replicas.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	var rings []*cassandraRing
	var r *cassandraRing
	for lines.Scan() {
		switch fields := strings.Split(lines.Text(), "\t"); fields[0] {
		case "ring":
			r = &cassandraRing{name: fields[1], replicas: map[[2]string][]string{}}
			rings = append(rings, r)
		case "node":
			r.nodes = append(r.nodes, ring.Node{HostID: [16]byte{byte(len(r.nodes))}, DC: fields[1], Rack: fields[2], Tokens: parseTokens(t, fields[3])})
		case "points":
			r.points = parseTokens(t, fields[1])
		default:
			r.replicas[[2]string{fields[0], fields[1]}] = strings.Split(fields[2], " ")
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rings
}

func parseTokens(t *testing.T, list string) (tokens []ring.Token) {
	t.Helper()
	for s := range strings.SplitSeq(list, " ") {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, ring.Token(n))
	}
	return tokens
}

// TestReplicasMatchCassandra compares the replicas and their order with those
// that the classes of Cassandra 5.0.8 name, at every node's token and between
// them: one to three data centres; racks fewer than replicas, as many and more,
// of one size and of several; more replicas than nodes; 1, 4, 16 tokens to a
// node and all of these on one ring; neighbours at random and of one rack.
func TestReplicasMatchCassandra(t *testing.T) {
	compared, several := 0, 0
	rings := cassandraRings(t)
	for _, r := range rings {
		for named, want := range r.replicas {
			replication := map[string]string{"class": "org.apache.cassandra.locator." + named[0]}
			for option := range strings.SplitSeq(named[1], " ") {
				key, value, _ := strings.Cut(option, "=")
				replication[key] = value
			}
			s, err := ring.ParseStrategy(replication)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			p, err := ring.Place(r.nodes, s)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			if len(want) != len(r.points) {
				t.Fatalf("%s, %v: replicas of %d points, want %d", r.name, replication, len(want), len(r.points))
			}
			ends := map[ring.Token]bool{}
			for i, point := range r.points {
				at := slices.IndexFunc(p.Ranges, func(g ring.PlacedRange) bool { return g.Range.Contains(point) })
				if at < 0 {
					t.Fatalf("%s, %v: no range holds %d", r.name, replication, point)
				}
				ends[p.Ranges[at].Range.End] = true
				if got := numbers(p.Ranges[at].Replicas); got != want[i] {
					t.Fatalf("%s, %v: replicas of %d are %s, want %s", r.name, replication, point, got, want[i])
				}
				if strings.Contains(want[i], ",") {
					several++
				}
				compared++
			}
			if len(ends) != len(p.Ranges) {
				t.Errorf("%s, %v: %d of %d ranges compared", r.name, replication, len(ends), len(p.Ranges))
			}
		}
	}
	t.Logf("%d rings, %d lists of replicas, %d of several", len(rings), compared, several)
	if len(rings) != 100 || compared < 100_000 || several < 50_000 {
		t.Errorf("%d rings, %d lists of replicas, %d of several: that shows too little", len(rings), compared, several)
	}
}

func numbers(hosts [][16]byte) string {
	if len(hosts) == 0 {
		return "-"
	}
	var s []string
	for _, h := range hosts {
		s = append(s, strconv.Itoa(int(h[0])))
	}
	return strings.Join(s, ",")
}
