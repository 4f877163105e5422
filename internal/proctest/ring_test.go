//go:build clients || long

package proctest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/foreign"
	"github.com/ilion-db/ilion/internal/godriver"
)

// processes are several `ilion serve` that form a ring, each on a loopback
// address of its own and all with the same ports, as on machines of their own.
type processes struct {
	t       testing.TB
	servers []*server
	cql     int
	peers   int // internode port
}

// ringOptions are what a ring is made of.
type ringOptions struct {
	nodes int
	dcs   int      // data centres, one after the other; 0 is 1
	dirs  []string // data directories; nil for new ones
	args  []string // more flags of each
	env   []string // more environment of each
	tags  []string // build tags of each node; nil for none
}

// newRing starts the nodes one after the other, each joining the first one,
// and waits until everybody sees everybody up.
func newRing(t testing.TB, o ringOptions) *processes {
	t.Helper()
	r := &processes{t: t, cql: foreign.Port(t), peers: foreign.Port(t)}
	perDC := o.nodes
	if o.dcs > 1 {
		perDC = o.nodes / o.dcs
	}
	for i := range o.nodes {
		dir := filepath.Join(t.TempDir(), "data")
		if o.dirs != nil {
			dir = o.dirs[i]
		}
		args := []string{
			"--listen-address", loopback(i), "--internode-port", strconv.Itoa(r.peers),
			"--dc", fmt.Sprintf("dc%d", i/perDC+1), "--rack", fmt.Sprintf("rack%d", i%perDC%3+1),
			"--memory", "256MiB", "--commitlog-segment-size", "1MiB", "--commitlog-total-space", "16MiB",
			// Below clientTimeout, after which a driver goes to another node.
			"--request-timeout", "18s", "--read-request-timeout", "10s", "--range-request-timeout", "15s", "--write-request-timeout", "10s",
		}
		if i > 0 {
			args = append(args, "--join", net.JoinHostPort(loopback(0), strconv.Itoa(r.peers)))
		}
		var tags string
		if o.tags != nil {
			tags = o.tags[i]
		}
		s := newServer(t, options{dir: dir, tags: tags, env: o.env, args: append(args, o.args...)})
		s.host, s.port = loopback(i), r.cql
		r.servers = append(r.servers, s)
		s.start()
	}
	r.awaitUp()
	return r
}

// loopback is the address of node i. Clients come from 127.0.0.1.
func loopback(i int) string { return fmt.Sprintf("127.0.0.%d", i+11) }

// awaitUp waits until every node that runs sees all that run up.
func (r *processes) awaitUp() {
	r.t.Helper()
	r.awaitUpAmong(slices.DeleteFunc(slices.Clone(r.servers), func(s *server) bool { return s.cmd == nil }))
}

// awaitUpAmong waits until each of some nodes sees all of them up.
func (r *processes) awaitUpAmong(servers []*server) {
	r.t.Helper()
	for _, s := range servers {
		err := poll(func() error {
			up, err := s.membersUp()
			if err != nil {
				return err
			}
			for _, o := range servers {
				if !up[o.host] {
					return fmt.Errorf("%s does not see %s up", s.host, o.host)
				}
			}
			return nil
		})
		if err != nil {
			r.t.Fatalf("%v\n%s", err, s.log.String())
		}
	}
}

// membersUp asks a node by the command that people use.
func (s *server) membersUp() (map[string]bool, error) {
	out, err := s.admin("status", "--json")
	if err != nil {
		return nil, err
	}
	var status struct {
		Datacenters []struct {
			Nodes []struct {
				Address string `json:"address"`
				Status  string `json:"status"`
			} `json:"nodes"`
		} `json:"datacenters"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return nil, fmt.Errorf("status: %w: %s", err, out)
	}
	up := map[string]bool{}
	for _, dc := range status.Datacenters {
		for _, n := range dc.Nodes {
			up[n.Address] = n.Status == "Up"
		}
	}
	return up, nil
}

// admin runs a command of the binary against the node.
func (s *server) admin(args ...string) (string, error) {
	args = append(args, "--host", net.JoinHostPort(s.host, strconv.Itoa(s.http)))
	return output(buildServer(s.t, s.o.tags), args...)
}

// session is a driver's session over the named nodes, all without any named,
// which tries an idempotent statement on at most two more hosts.
func (r *processes) session(consistency gocql.Consistency, hosts ...int) *gocql.Session {
	r.t.Helper()
	var names []string
	for _, i := range hosts {
		names = append(names, loopback(i))
	}
	if hosts == nil {
		for i := range r.servers {
			names = append(names, loopback(i))
		}
	}
	c := gocql.NewCluster(names...)
	c.Port = r.cql
	c.Timeout, c.ConnectTimeout, c.WriteTimeout = clientTimeout, time.Minute, timeout
	c.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 2}
	c.DefaultIdempotence = true
	c.Consistency = consistency
	c.NumConns = 2
	c.ReconnectInterval = time.Second
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	if hosts != nil {
		c.HostFilter = gocql.HostFilterFunc(func(h *gocql.HostInfo) bool {
			for _, n := range names {
				if h.ConnectAddress().String() == n {
					return true
				}
			}
			return false
		})
	}
	var db *gocql.Session
	if err := poll(func() (err error) { db, err = c.CreateSession(); return err }); err != nil {
		r.t.Fatalf("connect: %v", err)
	}
	return db
}

// schema creates the keyspace ks with the replication and its table.
func (r *processes) schema(replication string) {
	r.t.Helper()
	db := r.session(gocql.Quorum)
	defer godriver.Close(db)
	persist(r.t, db, "CREATE KEYSPACE IF NOT EXISTS ks WITH replication = "+replication)
	persist(r.t, db, "CREATE TABLE IF NOT EXISTS ks.t (k bigint PRIMARY KEY, v text)")
	if err := poll(func() error { return db.AwaitSchemaAgreement(r.t.Context()) }); err != nil {
		r.t.Fatal(err)
	}
}

// persist executes a statement that may be executed twice, again and again:
// while nodes come and go, or have no time, it may be refused or come too late.
func persist(t testing.TB, db *gocql.Session, text string, args ...any) {
	t.Helper()
	if err := poll(func() error { return db.Query(text, args...).Exec() }); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// awaitUsed waits until a driver has answers from so many hosts.
func awaitUsed(t testing.TB, hosts int, query func(i int) *gocql.Query) {
	t.Helper()
	if err := poll(func() error {
		if n := len(used(query)); n != hosts {
			return fmt.Errorf("gocql uses %d hosts, not %d", n, hosts)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// used are the hosts that answer a driver's queries, of as many partitions as it
// takes to meet all. One that has no time to answer is none of them.
func used(query func(i int) *gocql.Query) map[string]bool {
	hosts := map[string]bool{}
	for i := range 200 {
		it := query(i).Iter()
		h := it.Host()
		if err := it.Close(); err == nil && h != nil {
			hosts[h.ConnectAddress().String()] = true
		}
	}
	return hosts
}

// simple is the replication of one data centre.
func simple(rf int) string {
	return fmt.Sprintf("{'class': 'SimpleStrategy', 'replication_factor': %d}", rf)
}

// eachDC is the replication of data centres dc1 to dcN.
func eachDC(dcs, rf int) string {
	var b strings.Builder
	b.WriteString("{'class': 'NetworkTopologyStrategy'")
	for i := range dcs {
		fmt.Fprintf(&b, ", 'dc%d': %d", i+1, rf)
	}
	return b.String() + "}"
}

// filter cuts links between loopback addresses, by rules of the machine's
// packet filter that end with the test.
type filter struct {
	t     testing.TB
	table string
}

// newFilter needs root; without it says so and returns nil, which is a failure
// where all tests must run.
func newFilter(t testing.TB) *filter {
	t.Helper()
	if os.Geteuid() != 0 {
		const reason = "not tested: filtering packets needs root"
		if os.Getenv("CI") != "" {
			t.Fatal(reason)
		}
		t.Log(reason)
		return nil
	}
	if _, err := exec.LookPath("nft"); err != nil {
		for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "nftables"}} {
			if err := poll(func() error {
				_, err := output("env", append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get"}, args...)...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := &filter{t: t, table: fmt.Sprintf("ilion_test_%d", os.Getpid())}
	t.Cleanup(f.heal)
	return f
}

func (f *filter) load(script string) error {
	cmd, cancel := command("nft", "-f", "-")
	defer cancel()
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

// cut drops what goes between an address of a and one of b, both ways, for the
// ports of the ring: others on this machine may use the same addresses.
func (f *filter) cut(r *processes, a, b []string) {
	f.t.Helper()
	var rules strings.Builder
	for _, ends := range [][2][]string{{a, b}, {b, a}} {
		for _, port := range []string{"dport", "sport"} {
			fmt.Fprintf(&rules, "\t\tip saddr { %s } ip daddr { %s } tcp %s { %d, %d } drop\n",
				strings.Join(ends[0], ", "), strings.Join(ends[1], ", "), port, r.cql, r.peers)
		}
	}
	if err := f.load(fmt.Sprintf(`table inet %s {
	chain input {
		type filter hook input priority 0; policy accept;
%s	}
}`, f.table, rules.String())); err != nil {
		f.t.Fatal(err)
	}
}

// heal lets everything through again.
func (f *filter) heal() {
	f.t.Helper()
	name := "inet " + f.table
	if err := f.load("add table " + name + "\ndelete table " + name); err != nil {
		f.t.Error(err)
	}
}
