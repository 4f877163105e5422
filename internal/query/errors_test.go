package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/cluster"
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/exec"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/internal/vfs"
	"github.com/ilion-db/ilion/mutation"
	"github.com/ilion-db/ilion/ring"
	"github.com/ilion-db/ilion/schema"
)

func TestMapError(t *testing.T) {
	classes := map[error]ErrorClass{}
	classed := func(c ErrorClass) error {
		err := fmt.Errorf("below: class %d", c)
		classes[err] = c
		return err
	}
	db := newDB(t, func(c *Config) { c.Classify = func(err error) ErrorClass { return classes[err] } })
	read, write := &call{level: ring.Quorum}, &call{level: ring.Quorum, writeType: native.WriteBatch}
	for _, c := range []struct {
		err         error
		read, write native.ErrorCode
	}{
		{native.Syntax("x"), native.CodeSyntax, native.CodeSyntax},
		{&cql.SyntaxError{Msg: "x"}, native.CodeSyntax, native.CodeSyntax},
		{&schema.Error{Kind: schema.ErrConfig}, native.CodeConfig, native.CodeConfig},
		{&schema.Error{Kind: schema.ErrExists, Keyspace: "k"}, native.CodeAlreadyExists, native.CodeAlreadyExists},
		{&schema.Error{Kind: schema.ErrInvalid}, native.CodeInvalid, native.CodeInvalid},
		{errors.New("x"), native.CodeServer, native.CodeServer},
		{errTimeout, native.CodeReadTimeout, native.CodeWriteTimeout},
		{context.DeadlineExceeded, native.CodeReadTimeout, native.CodeWriteTimeout},
		{context.Canceled, native.CodeOverloaded, native.CodeOverloaded},
		{mutation.ErrWouldBlock, native.CodeOverloaded, native.CodeOverloaded},
		{fmt.Errorf("sstable: %w", mutation.ErrCorrupt), native.CodeReadFailure, native.CodeServer},
		{vfs.ErrNoSpace, native.CodeOverloaded, native.CodeOverloaded},
		{classed(ClassUncertain), native.CodeReadTimeout, native.CodeWriteTimeout},
		{classed(ClassDiskFull), native.CodeOverloaded, native.CodeOverloaded},
		{classed(ClassTooLarge), native.CodeInvalid, native.CodeInvalid},
		{classed(ClassCorrupt), native.CodeReadFailure, native.CodeServer},
		{fmt.Errorf("page: %w", exec.ErrTombstones), native.CodeReadFailure, native.CodeReadFailure},
		{classed(ClassUnknownTable), native.CodeInvalid, native.CodeInvalid},
		{classed(ClassClosed), native.CodeOverloaded, native.CodeOverloaded},
	} {
		if got := db.mapError(read, c.err); got.Code != c.read {
			t.Errorf("read, %v: %+v", c.err, got)
		}
		got := db.mapError(write, c.err)
		if got.Code != c.write {
			t.Errorf("write, %v: %+v", c.err, got)
		}
		if got.Code == native.CodeWriteTimeout && (got.WriteType != native.WriteBatch || got.Consistency != native.Quorum || got.Required != 1) {
			t.Errorf("%+v", got)
		}
	}
	if got := db.mapError(read, exec.ErrTombstones); len(got.Reasons) != 1 || got.Reasons[0].Code != native.ReasonTooManyTombstones || got.Required != 1 {
		t.Errorf("%+v", got)
	}
	if got := db.MapError(&session.Request{}, errors.New("x")); got.Code != native.CodeServer {
		t.Error(got)
	}
}

// stepped is a clock that a test puts forward.
type stepped struct {
	clock.Clock
	mono time.Duration
}

func (c *stepped) Mono() time.Duration { return c.mono }

// What every request may meet is not logged for every request.
func TestLogOnceAMinute(t *testing.T) {
	var log strings.Builder
	now := &stepped{Clock: clock.Real}
	db := newDB(t, func(c *Config) { c.Clock, c.Log = now, slog.New(slog.NewTextHandler(&log, nil)) })
	lines := map[string]error{"a read was given up": exec.ErrTombstones, "stored data is damaged": mutation.ErrCorrupt, "statement failed": errors.New("x")}
	fail := func() {
		for _, err := range lines {
			db.mapError(&call{level: ring.One}, err)
		}
	}
	for range 3 {
		fail()
	}
	now.mono += 2 * time.Minute
	fail()
	for line := range lines {
		if got := strings.Count(log.String(), line); got != 2 {
			t.Errorf("%d lines of %q", got, line)
		}
	}
	if got := strings.Count(log.String(), "others=2\n"); got != len(lines) {
		t.Errorf("%d lines tell of others:\n%s", got, &log)
	}
}

// ringed is a cluster of more than one replica as far as errors tell.
type ringed struct {
	cluster.Cluster
	placement *cluster.Placement
	propose   error
}

func (r *ringed) Topology() *cluster.Topology {
	t := *r.Cluster.Topology()
	t.Tables = map[schema.TableID]*cluster.Placement{}
	for _, ks := range r.Schema().Keyspaces {
		for _, def := range ks.Tables {
			t.Tables[def.ID] = r.placement
		}
	}
	return &t
}

func (r *ringed) Propose(ctx context.Context, c schema.Change, check func(*schema.Snapshot) error) (*schema.Snapshot, error) {
	if r.propose != nil {
		return nil, r.propose
	}
	return r.Cluster.Propose(ctx, c, check)
}

func TestTimeoutsTellWhatTheLevelWants(t *testing.T) {
	r := &ringed{placement: &cluster.Placement{RF: 3}}
	db := newDB(t, func(c *Config) { r.Cluster, c.Cluster = c.Cluster, r })
	db.exec("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	db.exec("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
	db.store.BeforeApply = func([]mutation.Record, bool) error { return errTimeout }
	db.store.BeforeRead = func(*mutation.ReadCommand, bool) error { return errTimeout }
	centres := &cluster.Placement{RF: 8, Factors: map[string]int{"datacenter1": 5, "other": 3, "none": 0}}
	for _, c := range []struct {
		placement *cluster.Placement
		level     ring.ConsistencyLevel
		want      int32
	}{
		{r.placement, ring.Quorum, 2},
		{r.placement, ring.All, 3},
		{r.placement, ring.LocalQuorum, 2},
		{centres, ring.Quorum, 5},
		{centres, ring.LocalQuorum, 3},
		{centres, ring.EachQuorum, 5},
		{centres, ring.One, 1},
	} {
		r.placement = c.placement
		for _, text := range []string{"INSERT INTO t (k, v) VALUES (1, 1)", "SELECT * FROM t WHERE k = 1", "SELECT * FROM t",
			"BEGIN BATCH INSERT INTO t (k, v) VALUES (1, 1); APPLY BATCH"} {
			rows, err := db.Query(context.Background(), Statement{Text: text, Keyspace: "ks", Consistency: c.level})
			if err == nil {
				err = rows.Close()
			}
			var e *native.Error
			if !errors.As(err, &e) || e.Required != c.want || e.Code != native.CodeReadTimeout && e.Code != native.CodeWriteTimeout {
				t.Errorf("%s at %v: %+v, not %d", text, c.level, err, c.want)
			}
		}
	}
}

func TestChangesThatAreNotDecidedInTime(t *testing.T) {
	r := &ringed{}
	db := newDB(t, func(c *Config) { r.Cluster, c.Cluster = c.Cluster, r })
	db.exec("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	db.exec("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
	r.propose = fmt.Errorf("no leader: %w", context.DeadlineExceeded)
	db.fails(native.CodeServer, "may still come into force: no leader", "CREATE TABLE u (k int PRIMARY KEY)")
	db.fails(native.CodeTruncate, "may still come into force: no leader", "TRUNCATE t")
	r.propose = fmt.Errorf("cut off: %w", context.Canceled)
	db.fails(native.CodeServer, "shutting down; the change of the schema was not agreed on yet and may still", "CREATE TABLE u (k int PRIMARY KEY)")
	db.fails(native.CodeTruncate, "shutting down; the TRUNCATE was not agreed on yet and may still", "TRUNCATE t")
	r.propose = errors.New("rot")
	db.fails(native.CodeServer, "rot", "CREATE TABLE u (k int PRIMARY KEY)")
	db.fails(native.CodeTruncate, "Error during truncate: rot", "TRUNCATE t")
}

func TestAuthenticate(t *testing.T) {
	db := newDB(t, func(c *Config) {
		c.Login = func(_ context.Context, user, password string) error {
			if user != "cassandra" || password != "pass\x00word" {
				return native.BadCredentials("no")
			}
			return nil
		}
	})
	ctx := context.Background()
	if user, err := db.Authenticate(ctx, nil, []byte("\x00cassandra\x00pass\x00word")); err != nil || user != "cassandra" {
		t.Error(user, err)
	}
	for _, bad := range []string{"", "\x00cassandra", "\x00cassandra\x00", "x\x00other\x00y"} {
		if _, err := db.Authenticate(ctx, nil, []byte(bad)); !errors.Is(err, &native.Error{Code: native.CodeBadCredentials}) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	db.open()
	if _, err := db.Authenticate(ctx, nil, []byte("\x00cassandra\x00cassandra")); err == nil {
		t.Error("somebody got in without a list of users")
	}
}

func TestConfigMustBeWhole(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty config was taken")
	}
}
