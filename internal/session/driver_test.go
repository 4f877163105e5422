package session

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	gocql2 "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/gocql/gocql"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/godriver"
)

// systemHandler is a fakeHandler with the few system rows that a driver must
// see; every other statement answers with its first value.
type systemHandler struct{ *fakeHandler }

type setOfText struct{}

func (setOfText) AppendTypeOption(dst []byte, v uint8) []byte {
	return native.TypeVarchar.AppendTypeOption(native.TypeSet.AppendTypeOption(dst, v), v)
}

type cell struct {
	name  string
	typ   native.TypeOption
	value []byte
}

var localRow = []cell{
	{"key", native.TypeVarchar, []byte("local")},
	{"cluster_name", native.TypeVarchar, []byte("Test Cluster")},
	{"data_center", native.TypeVarchar, []byte("datacenter1")},
	{"rack", native.TypeVarchar, []byte("rack1")},
	{"release_version", native.TypeVarchar, []byte("5.0.0")},
	{"partitioner", native.TypeVarchar, []byte("org.apache.cassandra.dht.Murmur3Partitioner")},
	{"rpc_address", native.TypeInet, net.IPv4(127, 0, 0, 1).To4()},
	{"host_id", native.TypeUUID, append([]byte{1, 2, 3, 4, 5, 6, 0x40, 8, 0x80}, make([]byte, 7)...)},
	{"schema_version", native.TypeUUID, append([]byte{9, 2, 3, 4, 5, 6, 0x40, 8, 0x80}, make([]byte, 7)...)},
	{"tokens", setOfText{}, append([]byte{0, 0, 0, 1, 0, 0, 0, 1}, '0')},
}

func systemMeta(table string) *native.Metadata {
	var cols []native.Column
	for _, c := range localRow {
		cols = append(cols, native.Column{Keyspace: "system", Table: table, Name: c.name, Type: c.typ})
	}
	return native.NewMetadata(cols)
}

var localMeta, emptyMeta = systemMeta("local"), systemMeta("other")

func (h systemHandler) meta(text string) *native.Metadata {
	switch {
	case strings.Contains(text, "system.local"):
		return localMeta
	case strings.Contains(text, "system"):
		return emptyMeta
	}
	return echoMeta
}

func (h systemHandler) Prepare(ctx context.Context, c *Conn, text, keyspace string) (*Prepared, error) {
	p, err := h.fakeHandler.Prepare(ctx, c, text, keyspace)
	if err == nil && !strings.Contains(text, "?") {
		p.Bind = nil
	}
	if err == nil {
		p.Result = h.meta(text)
	}
	return p, err
}

func (h systemHandler) TryExecute(r *Request) Status {
	text := h.text(r)
	switch {
	case bytes.Contains(text, []byte("system.local")):
		body := r.RowBuffer()
		for _, c := range localRow {
			body = native.AppendValue(body, c.value)
		}
		r.ReplyRows(native.RowsHead{Metadata: localMeta, SkipMetadata: r.Params().SkipMetadata}, body, 1)
	case bytes.Contains(text, []byte("system")):
		r.ReplyRows(native.RowsHead{Metadata: emptyMeta, SkipMetadata: r.Params().SkipMetadata}, r.RowBuffer(), 0)
	case bytes.Contains(text, []byte("later")):
		h.echo(r, r.Params().Values[0].Bytes)
		go r.Complete(nil)
		return Pending
	default:
		h.echo(r, r.Params().Values[0].Bytes)
	}
	return Done
}

// manyQueries runs n queries at once and checks the answers.
func manyQueries(t *testing.T, n int, ask func(text string, in []byte) ([]byte, error)) {
	t.Helper()
	errs := make(chan error, n)
	for i := range n {
		go func() {
			in := bytes.Repeat([]byte(fmt.Sprint(i, " ")), 1+i*10)
			text := "SELECT v FROM t WHERE k = ?"
			if i%2 == 0 {
				text = "SELECT later FROM t WHERE k = ?"
			}
			out, err := ask(text, in)
			if err == nil && !bytes.Equal(in, out) {
				err = fmt.Errorf("query %d: got %d bytes, want %d", i, len(out), len(in))
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestGocql(t *testing.T) {
	s := startServer(t, Config{}, systemHandler{newFakeHandler()})
	eventually(t, func() bool { return s.Addr() != nil })
	for _, v := range []int{0, 3, 4} {
		for _, compress := range []bool{false, true} {
			cluster := gocql.NewCluster(s.Addr().String())
			cluster.ProtoVersion, cluster.Timeout, cluster.ConnectTimeout = v, 2*time.Minute, 2*time.Minute
			cluster.DisableInitialHostLookup = v == 3
			if compress {
				cluster.Compressor = &gocql.SnappyCompressor{}
			}
			cluster.Authenticator = gocql.PasswordAuthenticator{Username: "no", Password: "matter"}
			sess, err := cluster.CreateSession()
			if err != nil {
				t.Fatalf("v%d: %v", v, err)
			}
			manyQueries(t, 200, func(text string, in []byte) (out []byte, err error) {
				err = sess.Query(text, in).Scan(&out)
				return out, err
			})
			godriver.Close(sess)
		}
	}
}

func TestGocql2(t *testing.T) {
	s := startServer(t, Config{}, systemHandler{newFakeHandler()})
	eventually(t, func() bool { return s.Addr() != nil })
	for _, v := range []int{0, 4, 5} {
		cluster := gocql2.NewCluster(s.Addr().String())
		cluster.ProtoVersion, cluster.Timeout, cluster.ConnectTimeout = v, 2*time.Minute, 2*time.Minute
		cluster.Metadata.CacheMode = gocql2.Disabled
		sess, err := cluster.CreateSession()
		if err != nil {
			t.Fatalf("v%d: %v", v, err)
		}
		want := uint8(v)
		if v == 0 {
			want = native.V5
		}
		manyQueries(t, 200, func(text string, in []byte) (out []byte, err error) {
			err = sess.Query(text, in).Scan(&out)
			return out, err
		})
		if got := s.Clients()[0]; got.Version != want || got.Stage != "ready" {
			t.Errorf("%+v", got)
		}
		godriver.Close(sess)
		eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
	}
}
