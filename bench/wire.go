package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire"
	"github.com/ilion-db/ilion/wire/client"
)

const defaultWirePort = 7000

// maxWorkers bounds the operations in flight.
const maxWorkers = 65536

// wireTarget speaks Ilion's own protocol.
type wireTarget struct {
	session *client.Session
}

// dialWire connects to all nodes of the cluster that the hosts belong to.
func dialWire(ctx context.Context, t *Target) (target, error) {
	c := client.Config{
		LocalDC: t.LocalDC, ConnectionsPerHost: t.Connections, Timeout: requestTimeout, ConnectTimeout: connectTimeout,
		MaxInFlight: maxWorkers, Retries: -1,
	}
	for _, h := range t.Hosts {
		host, port, err := splitHost(h, defaultWirePort)
		if err != nil {
			return nil, err
		}
		c.Hosts = append(c.Hosts, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	if t.ClusterKeyFile != "" {
		key, err := os.ReadFile(t.ClusterKeyFile)
		if err != nil {
			return nil, fmt.Errorf("bench: the cluster's key: %w", err)
		}
		c.Key = key
	}
	s, err := client.Connect(ctx, c)
	if err != nil {
		return nil, cannotConnect(t, err)
	}
	var dcs []string
	for _, h := range s.Hosts() {
		dcs = append(dcs, h.DC)
	}
	if err := knownDC(dcs, t.LocalDC); err != nil {
		s.Close()
		return nil, err
	}
	return &wireTarget{session: s}, nil
}

func (t *wireTarget) define(ctx context.Context, text string) error { return t.session.Exec(ctx, text) }

func (t *wireTarget) nodes() (addresses []string) {
	for _, h := range t.session.Hosts() {
		addresses = append(addresses, h.Address)
	}
	return addresses
}

func (t *wireTarget) close() { t.session.Close() }

func (t *wireTarget) prepare(ctx context.Context, text string, columns int, level ring.ConsistencyLevel) (statement, error) {
	s, err := t.session.Prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return &wireStatement{session: t.session, statement: s, columns: columns, level: level}, nil
}

type wireStatement struct {
	session   *client.Session
	statement *client.Statement
	columns   int
	level     ring.ConsistencyLevel
}

func (s *wireStatement) call() call {
	return &wireCall{
		wireStatement: s, query: s.statement.Query().SetConsistency(s.level),
		row: make([][]byte, s.columns), done: make(chan error, 1),
	}
}

// wireCall is told of its answer by the goroutine that reads the connection,
// and looks at the rows there: they need not be copied.
type wireCall struct {
	*wireStatement
	query *client.Query
	into  rows
	row   [][]byte
	node  string      // that has answered; the reader's until done
	done  chan error  // one answer
	gone  atomic.Bool // nobody waits for it any more
}

func (c *wireCall) run(ctx context.Context, values [][]byte, into rows) (string, error) {
	q := c.query.Rebind()
	for _, v := range values {
		q.Raw(v)
	}
	if c.columns == 0 {
		// As drivers do, so that the work of the servers is the same.
		q.SetTimestamp(clock.Real.Now().UnixMicro())
	}
	c.into = into
	if err := c.session.Send(q, c); err != nil {
		return "", err
	}
	select {
	case err := <-c.done:
		return c.node, err
	case <-ctx.Done():
		c.gone.Store(true)
		return "", ctx.Err()
	}
}

// Receive implements client.Receiver.
func (c *wireCall) Receive(answer *client.Rows, err error) {
	if c.gone.Load() {
		return
	}
	if c.node = ""; err == nil {
		c.node = answer.Node()
	}
	for err == nil && c.into != nil && answer.Next() {
		for i := range c.row {
			c.row[i] = answer.Bytes(i)
		}
		err = c.into.row(c.row)
	}
	if err == nil {
		err = answer.Err()
	}
	c.done <- err
}

// wireErrorKind names an error of the client; "" if it is none of its own.
func wireErrorKind(err error) string {
	var answered *wire.Error
	switch {
	case errors.As(err, &answered):
		return answered.Code.String()
	case errors.Is(err, client.ErrTimeout):
		return timeOut
	case errors.Is(err, client.ErrUnreachable):
		return noNode
	}
	return ""
}
