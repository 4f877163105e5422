package query

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
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
	if got := db.MapError(&session.Request{}, errors.New("x")); got.Code != native.CodeServer {
		t.Error(got)
	}
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
