package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
	"github.com/ilion-db/ilion/ring"
)

const defaultCQLPort = 9042

// What a client waits for an answer and for a connection.
const (
	requestTimeout = 30 * time.Second
	connectTimeout = 10 * time.Second
)

// cqlTarget speaks CQL's native protocol through the stock driver.
type cqlTarget struct {
	session *gocql.Session
}

// dialCQL connects to all nodes of the cluster that the hosts belong to.
// Requests go to replicas of their partition, of the local data centre if one
// is named.
func dialCQL(_ context.Context, t *Target) (target, error) {
	var hosts []string
	port := 0
	for _, h := range t.Hosts {
		host, n, err := splitHost(h, defaultCQLPort)
		if err != nil {
			return nil, err
		}
		if port == 0 {
			port = n
		}
		hosts = append(hosts, net.JoinHostPort(host, strconv.Itoa(n)))
	}
	cluster := gocql.NewCluster(hosts...)
	cluster.Port = port // of nodes that do not tell theirs
	cluster.NumConns = t.Connections
	cluster.Timeout, cluster.WriteTimeout = requestTimeout, requestTimeout
	cluster.ConnectTimeout = connectTimeout
	cluster.ReconnectInterval = time.Second
	cluster.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 0}
	cluster.Metadata.CacheMode = gocql.KeyspaceOnly
	policy := gocql.RoundRobinHostPolicy()
	if t.LocalDC != "" {
		policy = gocql.DCAwareRoundRobinPolicy(t.LocalDC)
	}
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(policy, gocql.ShuffleReplicas())
	// What the driver notices shows up as errors of requests.
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	var connects godriver.Connects
	cluster.ConnectObserver = &connects
	s, err := cluster.CreateSession()
	if err != nil {
		return nil, cannotConnect(t, connects.Cause(err))
	}
	var dcs []string
	for _, h := range s.GetHosts() {
		dcs = append(dcs, h.DataCenter())
	}
	if err := knownDC(dcs, t.LocalDC); err != nil {
		godriver.Close(s)
		return nil, err
	}
	return &cqlTarget{session: s}, nil
}

func (t *cqlTarget) define(ctx context.Context, text string) error {
	return t.session.Query(text).ExecContext(ctx)
}

func (t *cqlTarget) nodes() (addresses []string) {
	for _, h := range t.session.GetHosts() {
		addresses = append(addresses, h.ConnectAddressAndPort())
	}
	return addresses
}

func (t *cqlTarget) close() { godriver.Close(t.session) }

// prepare lets a server see the statement, so that errors in it show before
// there is load. The driver prepares it again where it has not.
func (t *cqlTarget) prepare(ctx context.Context, text string, columns int, level ring.ConsistencyLevel) (statement, error) {
	if _, err := t.session.StatementMetadata(ctx, text, ""); err != nil {
		return nil, err
	}
	return &cqlStatement{session: t.session, text: text, columns: columns, level: gocql.Consistency(level)}, nil
}

type cqlStatement struct {
	session *gocql.Session
	text    string
	columns int
	level   gocql.Consistency
}

func (s *cqlStatement) call() call {
	c := &cqlCall{cqlStatement: s, got: make([]encoded, s.columns), row: make([][]byte, s.columns), names: map[*gocql.HostInfo]string{}}
	for i := range c.got {
		c.into = append(c.into, &c.got[i])
	}
	return c
}

type cqlCall struct {
	*cqlStatement
	sent  []encoded // values, that args points to
	args  []any
	got   []encoded // columns, that into points to
	into  []any
	row   [][]byte
	names map[*gocql.HostInfo]string
}

// maxNames bounds what is kept of nodes that come and go.
const maxNames = 1024

func (c *cqlCall) run(ctx context.Context, values [][]byte, into rows) (string, error) {
	for len(c.sent) < len(values) {
		c.sent = append(c.sent, nil)
		c.args = c.args[:0]
		for i := range c.sent {
			c.args = append(c.args, &c.sent[i])
		}
	}
	for i, v := range values {
		c.sent[i] = v
	}
	iter := c.session.Query(c.text, c.args...).Consistency(c.level).IterContext(ctx)
	for into != nil && iter.Scan(c.into...) {
		for i, v := range c.got {
			c.row[i] = v
		}
		if err := into.row(c.row); err != nil {
			iter.Close()
			return c.name(iter.Host()), err
		}
	}
	return c.name(iter.Host()), iter.Close()
}

// name is a node's address; asking the driver for it allocates.
func (c *cqlCall) name(h *gocql.HostInfo) string {
	if h == nil {
		return ""
	}
	name, ok := c.names[h]
	if !ok {
		if len(c.names) >= maxNames {
			clear(c.names)
		}
		name = h.ConnectAddressAndPort()
		c.names[h] = name
	}
	return name
}

// encoded is a value as it is on the wire.
type encoded []byte

func (v *encoded) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return *v, nil }

func (v *encoded) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	*v = data
	return nil
}

// cqlErrors are the names of what a server answers, by code.
var cqlErrors = map[int]string{
	gocql.ErrCodeServer:        "server error",
	gocql.ErrCodeUnavailable:   "unavailable",
	gocql.ErrCodeOverloaded:    "overloaded",
	gocql.ErrCodeBootstrapping: "bootstrapping",
	gocql.ErrCodeWriteTimeout:  "write time-out",
	gocql.ErrCodeReadTimeout:   "read time-out",
	gocql.ErrCodeWriteFailure:  "write failure",
	gocql.ErrCodeReadFailure:   "read failure",
	gocql.ErrCodeSyntax:        "syntax error",
	gocql.ErrCodeInvalid:       "invalid request",
	gocql.ErrCodeUnprepared:    "unprepared",
}

// cqlErrorKind names an error of the driver; "" if it is none of its own.
func cqlErrorKind(err error) string {
	var request gocql.RequestError
	switch {
	case errors.As(err, &request):
		if name := cqlErrors[request.Code()]; name != "" {
			return name
		}
		return fmt.Sprintf("server error 0x%04x", request.Code())
	case errors.Is(err, gocql.ErrTimeoutNoResponse):
		return timeOut
	case errors.Is(err, gocql.ErrNoConnections):
		return noNode
	}
	return ""
}
