package bench

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ilion-db/ilion/ring"
)

// Protocols are the names that Target.Protocol takes.
var Protocols = []string{"cql", "wire"}

// target is a client of one protocol: a way to the servers. It may be used
// concurrently.
type target interface {
	// define runs a statement that changes the schema, and returns when the
	// nodes agree on it.
	define(ctx context.Context, text string) error
	// prepare makes a statement ready; columns is how many it selects.
	prepare(ctx context.Context, text string, columns int, level ring.ConsistencyLevel) (statement, error)
	// nodes are the addresses, with ports, of the nodes that requests may go to.
	nodes() []string
	close()
}

// statement is a prepared statement. It may be used concurrently.
type statement interface {
	// call makes what one worker needs to run it again and again.
	call() call
}

// call runs a statement with buffers of its own, one request at a time.
type call interface {
	// run sends the values, in the order of the markers and encoded as their
	// types are in CQL, and hands each row of the answer to into, which may be
	// nil. It returns the node that answered or failed, "" if none was tried or it is not known.
	// An error of into ends it and is returned as it is. The values are the
	// caller's again when it returns.
	run(ctx context.Context, values [][]byte, into rows) (node string, err error)
}

// rows takes the rows of an answer.
type rows interface {
	// row takes the columns of the next row, nil for null. They are valid until
	// it returns.
	row(columns [][]byte) error
}

func dial(ctx context.Context, t *Target) (target, error) {
	if t.Protocol == "wire" {
		return dialWire(ctx, t)
	}
	return dialCQL(ctx, t)
}

// splitHost takes "host:port", or a host alone, which has the default port.
func splitHost(s string, port int) (string, int, error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
		if host == "" || strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", 0, fmt.Errorf("bench: bad host %q", s)
		}
		return host, port, nil
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, fmt.Errorf("bench: bad port or host in %q", s)
	}
	return host, port, nil
}

// cannotConnect says what to do about it.
func cannotConnect(t *Target, err error) error {
	hosts := strings.Join(t.Hosts, ", ")
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("bench: %w at %s: start a server with `ilion serve`, or name one with --hosts", ErrRefused, hosts)
	}
	port := "native port"
	if t.Protocol == "wire" {
		port = "internode port"
	}
	return fmt.Errorf("bench: cannot speak %s with %s, which must be the %s: %w", t.Protocol, hosts, port, err)
}

// knownDC tells a data centre that is none of those of the nodes: every request
// would go to another one.
func knownDC(dcs []string, dc string) error {
	if dc == "" || slices.Contains(dcs, dc) {
		return nil
	}
	slices.Sort(dcs)
	return fmt.Errorf("bench: no node is in the data centre %q, there are %s", dc, strings.Join(slices.Compact(dcs), ", "))
}

// runOnce prepares and runs a statement.
func runOnce(ctx context.Context, t target, text string, columns int, level ring.ConsistencyLevel, into rows, values ...[]byte) error {
	s, err := t.prepare(ctx, text, columns, level)
	if err != nil {
		return err
	}
	_, err = s.call().run(ctx, values, into)
	return err
}

// readReplication asks how the replicas of a keyspace are placed.
func readReplication(ctx context.Context, t target, keyspace string) (ring.Strategy, error) {
	var got oneValue
	err := runOnce(ctx, t, "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?", 1, ring.One, &got, []byte(keyspace))
	if err != nil {
		return ring.Strategy{}, err
	}
	m, err := textMap(got)
	if err != nil {
		return ring.Strategy{}, err
	}
	return ring.ParseStrategy(m)
}

// oneValue keeps the first column of the last row.
type oneValue []byte

func (v *oneValue) row(columns [][]byte) error {
	*v = append((*v)[:0], columns[0]...)
	return nil
}

// textMap decodes a value of the type map<text, text>: u32 entries, then for
// each the key and the value, u32 length and bytes, all big-endian.
func textMap(b []byte) (map[string]string, error) {
	bad := errors.New("bench: a malformed map")
	if len(b) < 4 {
		return nil, bad
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	take := func() (s string, ok bool) {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return "", false
		}
		end := 4 + binary.BigEndian.Uint32(b)
		s, b = string(b[4:end]), b[end:]
		return s, true
	}
	m := map[string]string{}
	for range n {
		k, ok := take()
		v, ok2 := take()
		if !ok || !ok2 {
			return nil, bad
		}
		m[k] = v
	}
	return m, nil
}

// setUp makes the keyspace and a table if they are not there, and returns how
// replicas are placed. It has a client of its own, since one that is made when
// the schema is there knows it from the start.
func setUp(ctx context.Context, c *Target, table string) (ring.Strategy, error) {
	t, err := dial(ctx, c)
	if err != nil {
		return ring.Strategy{}, err
	}
	defer t.close()
	want, err := parseReplication(cmp.Or(c.Replication, "1"))
	if err != nil {
		return want, err
	}
	if err := t.define(ctx, "CREATE KEYSPACE IF NOT EXISTS "+c.Keyspace+" WITH replication = "+replicationCQL(want)); err != nil {
		return want, fmt.Errorf("bench: making the keyspace: %w", err)
	}
	is, err := readReplication(ctx, t, c.Keyspace)
	if err != nil {
		return is, fmt.Errorf("bench: reading the keyspace: %w", err)
	}
	if c.Replication != "" && !sameReplication(want, is) {
		return is, fmt.Errorf("bench: the keyspace %s is there already with replication = %s: drop it, or name another with --keyspace", c.Keyspace, replicationCQL(is))
	}
	if err := t.define(ctx, table); err != nil {
		return is, fmt.Errorf("bench: making the table: %w", err)
	}
	return is, nil
}
