package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/wire/client"
)

// connectWire opens a session of Ilion's own protocol, with as many connections as CQL gets.
func connectWire(cfg *config) (*client.Session, error) {
	level, ok := ring.ParseConsistency(strings.ToUpper(cfg.CL))
	if !ok {
		return nil, fmt.Errorf("no consistency level %q", cfg.CL)
	}
	c := client.Config{
		Keyspace: cfg.Keyspace, ConnectionsPerHost: cfg.Conns, Consistency: level, Timeout: cfg.Timeout, Retries: -1,
	}
	for _, host := range strings.Split(cfg.Hosts, ",") {
		c.Hosts = append(c.Hosts, net.JoinHostPort(host, strconv.Itoa(cfg.WirePort)))
	}
	return client.Connect(context.Background(), c)
}

// wireQuery is the worker's execution of a statement, used again and again. All values of kv are blobs.
func (w *worker) wireQuery(stmt string, args []any) (*client.Query, error) {
	q := w.queries[stmt]
	if q == nil {
		st, err := w.wire.Prepare(context.Background(), stmt)
		if err != nil {
			return nil, err
		}
		q = st.Query()
		w.queries[stmt] = q
	}
	q.Rebind()
	for _, a := range args {
		b, ok := a.([]byte)
		if !ok {
			return nil, fmt.Errorf("only workloads of kv go over the wire protocol")
		}
		q.Bytes(b)
	}
	return q, nil
}

func (w *worker) execWire(stmt string, args []any) error {
	q, err := w.wireQuery(stmt, args)
	if err != nil {
		return err
	}
	_, err = w.wire.Execute(context.Background(), q)
	return err
}

func (w *worker) getWire(stmt string, args, into []any) error {
	q, err := w.wireQuery(stmt, args)
	if err != nil {
		return err
	}
	rows, err := w.wire.Execute(context.Background(), q)
	if err != nil {
		return err
	}
	if !rows.Next() {
		if err := rows.Close(); err != nil {
			return err
		}
		return errMissing
	}
	for i := range into {
		dst := into[i].(*[]byte)
		*dst = append((*dst)[:0], rows.Bytes(i)...)
	}
	return rows.Close()
}
