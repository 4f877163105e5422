package clienttest

import (
	"errors"
	"strings"

	"github.com/gocql/gocql"

	"github.com/ilion-db/ilion/internal/godriver"
)

type sessionV1 struct{ *gocql.Session }

type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func connectV1(port int, o connectOptions) (session, error) {
	c := gocql.NewCluster(testHost)
	c.Port, c.Keyspace, c.ProtoVersion = port, o.keyspace, o.version
	c.Timeout, c.ConnectTimeout, c.WriteTimeout = requestTimeout, requestTimeout, requestTimeout
	c.Logger = quiet{}
	if o.compress {
		c.Compressor = gocql.SnappyCompressor{}
	}
	s, err := c.CreateSession()
	if err != nil {
		return nil, err
	}
	return sessionV1{s}, nil
}

func (s sessionV1) exec(text string, args ...any) error { return s.Query(text, args...).Exec() }

func (s sessionV1) query(p paging, text string, args ...any) rows {
	q := s.Query(text, args...)
	if p.size > 0 {
		q = q.PageSize(p.size)
	}
	if p.one {
		q = q.PageState(p.state)
	}
	return q.Iter()
}

func (s sessionV1) batch(logged bool, statements []statement) error {
	kind := gocql.UnloggedBatch
	if logged {
		kind = gocql.LoggedBatch
	}
	b := s.NewBatch(kind)
	for _, st := range statements {
		b.Query(st.text, st.args...)
	}
	return s.ExecuteBatch(b)
}

func (s sessionV1) keyspace(name string) (*keyspaceInfo, error) {
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

func (s sessionV1) uuid(text string) any {
	u, err := gocql.ParseUUID(text)
	if err != nil {
		return err
	}
	return u
}

func (s sessionV1) duration(months, days int32, nanos int64) any {
	return gocql.Duration{Months: months, Days: days, Nanoseconds: nanos}
}

func (s sessionV1) unset() any { return gocql.UnsetValue }

func (s sessionV1) code(err error) int {
	var e gocql.RequestError
	if errors.As(err, &e) {
		return e.Code()
	}
	return -1
}

func (s sessionV1) close() { godriver.Close(s.Session) }
