package clienttest

import (
	"errors"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/apache/cassandra-gocql-driver/v2/lz4"

	"github.com/ilion-db/ilion/internal/godriver"
)

type sessionV2 struct{ *gocql.Session }

func connectV2(port int, o connectOptions) (session, error) {
	c := gocql.NewCluster(testHost)
	c.Port, c.Keyspace, c.ProtoVersion = port, o.keyspace, o.version
	c.Timeout, c.ConnectTimeout, c.WriteTimeout = requestTimeout, requestTimeout, requestTimeout
	if o.compress {
		c.Compressor = lz4.LZ4Compressor{}
	}
	s, err := c.CreateSession()
	if err != nil {
		return nil, err
	}
	return sessionV2{s}, nil
}

func (s sessionV2) exec(text string, args ...any) error { return s.Query(text, args...).Exec() }

func (s sessionV2) query(p paging, text string, args ...any) rows {
	q := s.Query(text, args...)
	if p.size > 0 {
		q = q.PageSize(p.size)
	}
	if p.one {
		q = q.PageState(p.state)
	}
	return q.Iter()
}

func (s sessionV2) batch(logged bool, statements []statement) error {
	kind := gocql.UnloggedBatch
	if logged {
		kind = gocql.LoggedBatch
	}
	b := s.Batch(kind)
	for _, st := range statements {
		b.Query(st.text, st.args...)
	}
	return b.Exec()
}

func (s sessionV2) keyspace(name string) (*keyspaceInfo, error) {
	m, err := s.KeyspaceMetadata(name)
	if err != nil {
		return nil, err
	}
	k := &keyspaceInfo{strategy: m.StrategyClass, tables: map[string]tableInfo{}, types: map[string][]string{}}
	for _, t := range m.Tables {
		info := tableInfo{columns: map[string]string{}, descending: map[string]bool{}}
		for _, c := range t.PartitionKey {
			info.partition = append(info.partition, c.Name)
		}
		for _, c := range t.ClusteringColumns {
			info.clustering = append(info.clustering, c.Name)
			info.descending[c.Name] = strings.EqualFold(c.ClusteringOrder, "desc")
		}
		for _, c := range t.Columns {
			info.columns[c.Name] = c.Kind.String()
		}
		k.tables[t.Name] = info
	}
	for _, u := range m.UserTypes {
		k.types[u.Name] = u.FieldNames
	}
	return k, nil
}

func (s sessionV2) uuid(text string) any {
	u, err := gocql.ParseUUID(text)
	if err != nil {
		return err
	}
	return u
}

func (s sessionV2) duration(months, days int32, nanos int64) any {
	return gocql.Duration{Months: months, Days: days, Nanoseconds: nanos}
}

func (s sessionV2) unset() any { return gocql.UnsetValue }

func (s sessionV2) code(err error) int {
	var e gocql.RequestError
	if errors.As(err, &e) {
		return e.Code()
	}
	return -1
}

func (s sessionV2) close() { godriver.Close(s.Session) }
