package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/ilion-db/ilion/internal/godriver"
)

// driver is a Session over the gocql driver with one connection to one host.
//
// The driver itself would try a lost connection again only after a minute; a shell outlives restarts of its server, so the statement
// after a lost connection opens a new session.
type driver struct {
	cluster  *gocql.ClusterConfig
	connects *godriver.Connects
	session  *gocql.Session
	lost     bool // the last statement failed without an answer
}

// connect opens a Session with the driver; it is what Run uses when Config.Connect is nil.
func connect(ctx context.Context, c Config) (Session, error) {
	cluster := gocql.NewCluster(c.Host)
	cluster.Port = c.Port
	cluster.NumConns = 1
	cluster.DisableInitialHostLookup = true
	cluster.Events.DisableNodeStatusEvents = true
	cluster.Events.DisableTopologyEvents = true
	cluster.Events.DisableSchemaEvents = true
	cluster.Metadata.CacheMode = gocql.Disabled // one host needs no token map, and its refresh delays the first prompt
	cluster.MaxWaitSchemaAgreement = c.RequestTimeout
	cluster.DefaultTimestamp = false
	cluster.Timeout = c.RequestTimeout
	cluster.ConnectTimeout = c.RequestTimeout
	cluster.Logger = quiet{}
	connects := &godriver.Connects{}
	cluster.ConnectObserver = connects
	if c.Username != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: c.Username, Password: c.Password}
	}
	if c.TLS != nil {
		cluster.SslOpts = &gocql.SslOptions{Config: c.TLS, EnableHostVerification: !c.TLS.InsecureSkipVerify}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &driver{cluster: cluster, connects: connects}
	s, err := d.open(cluster)
	if err != nil {
		return nil, err
	}
	d.session = s
	return d, nil
}

// open opens a session. Its error is that of the connection, without what the driver says around it.
func (d *driver) open(cluster *gocql.ClusterConfig) (*gocql.Session, error) {
	s, err := cluster.CreateSession()
	if err != nil {
		return nil, serverError(d.connects.Cause(err))
	}
	return s, nil
}

// revive opens a new session when the connection was lost.
func (d *driver) revive() error {
	if !d.lost {
		return nil
	}
	s, err := d.open(d.cluster)
	if err != nil {
		return err
	}
	godriver.Close(d.session)
	d.session, d.lost = s, false
	return nil
}

// check notes whether err is the end of the connection and gives it in the shell's terms.
func (d *driver) check(err error) error {
	err = serverError(err)
	var se *ServerError
	d.lost = err != nil && !errors.As(err, &se) && !errors.Is(err, gocql.ErrNotFound)
	return err
}

// quiet drops the driver's log: errors come back from its calls.
type quiet struct{}

func (quiet) Error(string, ...gocql.LogField)   {}
func (quiet) Warning(string, ...gocql.LogField) {}
func (quiet) Info(string, ...gocql.LogField)    {}
func (quiet) Debug(string, ...gocql.LogField)   {}

// Close implements Session.
func (d *driver) Close() { godriver.Close(d.session) }

// Use implements Session. The driver binds a keyspace to a session, so a new one takes over.
func (d *driver) Use(ctx context.Context, keyspace string) error {
	if err := d.revive(); err != nil {
		return err
	}
	// A failed USE would show up as a failed connect without a code; ask first.
	var name string
	for _, table := range []string{"system_schema.keyspaces", "system_virtual_schema.keyspaces"} {
		q := d.session.Query("SELECT keyspace_name FROM "+table+" WHERE keyspace_name = ?", keyspace).Consistency(gocql.One)
		err := q.ScanContext(ctx, &name)
		if err == nil {
			break
		}
		if !errors.Is(err, gocql.ErrNotFound) && table == "system_schema.keyspaces" {
			return d.check(err)
		}
	}
	if name == "" {
		return &ServerError{Code: codeInvalid, Message: fmt.Sprintf("Keyspace '%s' does not exist", keyspace)}
	}
	next := *d.cluster
	next.Keyspace = keyspace
	s, err := d.open(&next)
	if err != nil {
		return err
	}
	godriver.Close(d.session)
	d.cluster, d.session = &next, s
	return nil
}

// Execute implements Session.
func (d *driver) Execute(ctx context.Context, req Request) (*Result, error) {
	if err := d.revive(); err != nil {
		return nil, err
	}
	q := d.session.Query(req.Statement)
	if req.Consistency != "" {
		c, err := gocql.ParseConsistencyWrapper(req.Consistency)
		if err != nil {
			return nil, err
		}
		q.Consistency(c)
	}
	if req.SerialConsistency == "LOCAL_SERIAL" {
		q.SerialConsistency(gocql.LocalSerial)
	} else {
		q.SerialConsistency(gocql.Serial)
	}
	iter := q.PageSize(req.PageSize).PageState(req.PageState).IterContext(ctx)
	res := &Result{Warnings: slices.Clone(iter.Warnings()), PageState: slices.Clone(iter.PageState())}
	for _, c := range iter.Columns() {
		res.Columns = append(res.Columns, Column{c.Keyspace, c.Table, c.Name, convertType(c.TypeInfo, 0)})
	}
	res.scan(iter)
	if err := d.check(iter.Close()); err != nil {
		return nil, err
	}
	return res, nil
}

// rawValue takes the bytes of a value as they came.
type rawValue struct{ data []byte }

// UnmarshalCQL implements gocql.Unmarshaler.
func (r *rawValue) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	r.data = nil
	if data != nil {
		r.data = append(make([]byte, 0, len(data)), data...)
	}
	return nil
}

// scan reads the rows. The driver hands out the components of a top-level tuple one by one; they are put together again.
func (res *Result) scan(iter *gocql.Iter) {
	var dest []any
	for _, c := range res.Columns {
		n := 1
		if c.Type.Kind == KindTuple {
			n = len(c.Type.Elems)
		}
		for range n {
			dest = append(dest, new(rawValue))
		}
	}
	for iter.Scan(dest...) {
		row := make([][]byte, len(res.Columns))
		at := 0
		for i, c := range res.Columns {
			if c.Type.Kind != KindTuple {
				row[i] = dest[at].(*rawValue).data
				at++
				continue
			}
			row[i] = joinTuple(dest[at : at+len(c.Type.Elems)])
			at += len(c.Type.Elems)
		}
		res.Rows = append(res.Rows, row)
	}
}

// joinTuple gives the bytes of a tuple; one without any component is null.
func joinTuple(parts []any) []byte {
	var raw []byte
	null := true
	for _, p := range parts {
		data := p.(*rawValue).data
		if data == nil {
			raw = append(raw, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		null = false
		n := len(data)
		raw = append(raw, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		raw = append(raw, data...)
	}
	if null {
		return nil
	}
	return raw
}

var nativeKinds = map[gocql.Type]Kind{
	gocql.TypeAscii: KindASCII, gocql.TypeBigInt: KindBigint, gocql.TypeBlob: KindBlob, gocql.TypeBoolean: KindBoolean,
	gocql.TypeCounter: KindCounter, gocql.TypeDecimal: KindDecimal, gocql.TypeDouble: KindDouble, gocql.TypeFloat: KindFloat,
	gocql.TypeInt: KindInt, gocql.TypeText: KindText, gocql.TypeTimestamp: KindTimestamp, gocql.TypeUUID: KindUUID,
	gocql.TypeVarchar: KindText, gocql.TypeVarint: KindVarint, gocql.TypeTimeUUID: KindTimeUUID, gocql.TypeInet: KindInet,
	gocql.TypeDate: KindDate, gocql.TypeTime: KindTime, gocql.TypeSmallInt: KindSmallint, gocql.TypeTinyInt: KindTinyint,
	gocql.TypeDuration: KindDuration,
}

func convertType(info gocql.TypeInfo, depth int) Type {
	if info == nil || depth > maxValueDepth {
		return Type{}
	}
	convert := func(list ...gocql.TypeInfo) []Type {
		var types []Type
		for _, t := range list {
			types = append(types, convertType(t, depth+1))
		}
		return types
	}
	switch t := info.(type) {
	case gocql.CollectionType:
		switch t.Type() {
		case gocql.TypeMap:
			return Type{Kind: KindMap, Elems: convert(t.Key, t.Elem)}
		case gocql.TypeSet:
			return Type{Kind: KindSet, Elems: convert(t.Elem)}
		}
		return Type{Kind: KindList, Elems: convert(t.Elem)}
	case gocql.TupleTypeInfo:
		return Type{Kind: KindTuple, Elems: convert(t.Elems...)}
	case gocql.UDTTypeInfo:
		u := Type{Kind: KindUDT}
		for _, f := range t.Elements {
			u.Fields = append(u.Fields, f.Name)
			u.Elems = append(u.Elems, convertType(f.Type, depth+1))
		}
		return u
	case gocql.VectorType:
		return Type{Kind: KindVector, Elems: convert(t.SubType), Dim: t.Dimensions}
	}
	return Type{Kind: nativeKinds[info.Type()]}
}

// serverError turns an error frame into a ServerError and leaves other errors as they are.
func serverError(err error) error {
	var re gocql.RequestError
	if errors.As(err, &re) {
		return &ServerError{Code: re.Code(), Message: re.Message()}
	}
	return err
}
