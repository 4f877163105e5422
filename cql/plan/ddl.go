package plan

import (
	"errors"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// ErrStale is the answer of a check when the schema changed between compiling
// and proposing: compile the statement again.
var ErrStale = errors.New("plan: the schema has changed since the statement was compiled")

// SchemaPlan is a compiled schema statement. It is good for one execution.
type SchemaPlan struct {
	// Event is what to answer and announce once the change is in force; nil
	// for TRUNCATE, which is answered with void.
	Event *native.SchemaChange
	// NoOp tells that IF [NOT] EXISTS leaves nothing to do: answer void.
	NoOp bool
	// Truncate tells that the statement is a TRUNCATE of Change().Table.
	Truncate bool
	// Warnings are for the client.
	Warnings []string

	build func(env *Env, o *Options) (schema.Change, error)
	check func(*schema.Snapshot) error
}

// Change makes the change to propose and the check to propose it with, which
// fails if the newest schema does not fit it. o gives Clock and Datacenters. It
// must not be called if NoOp.
func (p *SchemaPlan) Change(env *Env, o *Options) (schema.Change, func(*schema.Snapshot) error, error) {
	c, err := p.build(env, o)
	return c, func(s *schema.Snapshot) error { return wrapCheck(p.check(s)) }, wrap(err)
}

func wrapCheck(err error) error {
	if errors.Is(err, ErrStale) {
		return err
	}
	return wrap(err)
}

func isSystemKeyspace(name string) bool { return schema.IsSystemKeyspace(name) }

func errSystemKeyspace(name string) error {
	return native.Unauthorized("%s keyspace is not user-modifiable.", name)
}

func errNoKeyspace(name string) error { return invalid("Keyspace '%s' doesn't exist", name) }

func errNoTable(keyspace, name string) error {
	return invalid("Table '%s.%s' doesn't exist", keyspace, name)
}

// definition compiles the statements about the schema, and refuses all others
// by name.
func (c *compiler) definition(p *Plan, stmt cql.Statement) error {
	s, err := c.schemaPlan(stmt)
	if err != nil {
		return err
	}
	p.Kind, p.Schema = KindSchema, s
	if len(c.vars.cols) > 0 {
		return invalid("Bind variables are not allowed in schema statements")
	}
	return nil
}

func (c *compiler) schemaPlan(stmt cql.Statement) (*SchemaPlan, error) {
	switch s := stmt.(type) {
	case *cql.CreateKeyspace:
		return c.createKeyspace(s)
	case *cql.AlterKeyspace:
		return c.alterKeyspace(s)
	case *cql.DropKeyspace:
		return c.dropKeyspace(s)
	case *cql.CreateTable:
		return c.createTable(s)
	case *cql.AlterTable:
		return c.alterTable(s)
	case *cql.DropTable:
		return c.dropTable(s)
	case *cql.Truncate:
		return c.truncate(s)
	case *cql.CreateType:
		return c.createType(s)
	case *cql.AlterType:
		return c.alterType(s)
	case *cql.DropType:
		return c.dropType(s)
	}
	return nil, unsupported(featureOf(stmt))
}

// featureOf names a statement that this version cannot execute.
func featureOf(stmt cql.Statement) string {
	switch s := stmt.(type) {
	case *cql.Unsupported:
		return s.Feature
	case *cql.CopyTable:
		return "CREATE TABLE LIKE"
	case *cql.CreateIndex:
		return "CREATE INDEX"
	case *cql.DropIndex:
		return "DROP INDEX"
	case *cql.CreateView:
		return "CREATE MATERIALIZED VIEW"
	case *cql.AlterView:
		return "ALTER MATERIALIZED VIEW"
	case *cql.DropView:
		return "DROP MATERIALIZED VIEW"
	case *cql.CreateFunction:
		return "CREATE FUNCTION"
	case *cql.CreateAggregate:
		return "CREATE AGGREGATE"
	case *cql.DropFunction:
		return "DROP FUNCTION"
	case *cql.CreateTrigger, *cql.DropTrigger:
		return "A trigger"
	case *cql.CreateRole, *cql.AlterRole, *cql.DropRole, *cql.GrantRole, *cql.ListRoles, *cql.AddIdentity, *cql.DropIdentity:
		return "Role management"
	case *cql.GrantPermission, *cql.ListPermissions:
		return "Permission management"
	}
	return "This statement"
}

// properties turns the WITH clause into schema's form.
func properties(in []cql.Property) ([]schema.Property, error) {
	out := make([]schema.Property, 0, len(in))
	for _, p := range in {
		sp := schema.Property{Name: p.Name}
		if text, ok := p.Text(); ok {
			sp.Value = text
			out = append(out, sp)
			continue
		}
		entries, ok := p.Map()
		if !ok {
			return nil, native.Syntax("Invalid value for property '%s'", p.Name)
		}
		sp.Map = make(map[string]string, len(entries))
		for _, e := range entries {
			sp.Map[e[0]] = e[1]
		}
		out = append(out, sp)
	}
	return out, nil
}

func keyspaceEvent(change, name string) *native.SchemaChange {
	return &native.SchemaChange{Change: change, Target: native.TargetKeyspace, Keyspace: name}
}

func (c *compiler) createKeyspace(s *cql.CreateKeyspace) (*SchemaPlan, error) {
	name := s.Name.Name
	props, err := properties(s.Options)
	if err != nil {
		return nil, err
	}
	opts, err := schema.ParseKeyspaceOptions(props)
	if err != nil {
		return nil, err
	}
	if isSystemKeyspace(name) {
		return nil, invalid("System keyspace '%s' is not user-modifiable", name)
	}
	if err := schema.CheckKeyspaceName(name); err != nil {
		return nil, err
	}
	p := &SchemaPlan{Event: keyspaceEvent(native.ChangeCreated, name)}
	if c.snap.Keyspace(name) != nil {
		if p.NoOp = s.IfNotExists; !p.NoOp {
			return nil, native.AlreadyExists(name, "")
		}
	}
	p.build = func(_ *Env, o *Options) (schema.Change, error) {
		ks, err := schema.NewKeyspace(name, opts, o.Datacenters)
		return schema.Change{Kind: schema.CreateKeyspace, Keyspace: ks}, err
	}
	p.check = func(snap *schema.Snapshot) error {
		if snap.Keyspace(name) != nil {
			return ErrStale
		}
		return nil
	}
	return p, nil
}

func (c *compiler) alterKeyspace(s *cql.AlterKeyspace) (*SchemaPlan, error) {
	name := s.Name.Name
	if isSystemKeyspace(name) {
		return nil, errSystemKeyspace(name)
	}
	props, err := properties(s.Options)
	if err != nil {
		return nil, err
	}
	opts, err := schema.ParseKeyspaceOptions(props)
	if err != nil {
		return nil, err
	}
	p := &SchemaPlan{Event: keyspaceEvent(native.ChangeUpdated, name)}
	old := c.snap.Keyspace(name)
	if old == nil {
		if p.NoOp = s.IfExists; !p.NoOp {
			return nil, errNoKeyspace(name)
		}
		return p, nil
	}
	p.build = func(_ *Env, o *Options) (schema.Change, error) {
		ks, err := old.Altered(opts, o.Datacenters)
		return schema.Change{Kind: schema.AlterKeyspace, Keyspace: ks}, err
	}
	p.check = func(snap *schema.Snapshot) error { return sameKeyspace(snap, old) }
	return p, nil
}

// sameKeyspace tells that a keyspace's own properties are what they were.
func sameKeyspace(snap *schema.Snapshot, old *schema.Keyspace) error {
	now := snap.Keyspace(old.Name)
	if now == nil {
		return errNoKeyspace(old.Name)
	}
	if now.CreateStatement() != old.CreateStatement() {
		return ErrStale
	}
	return nil
}

func (c *compiler) dropKeyspace(s *cql.DropKeyspace) (*SchemaPlan, error) {
	name := s.Name.Name
	if isSystemKeyspace(name) {
		return nil, errSystemKeyspace(name)
	}
	p := &SchemaPlan{Event: keyspaceEvent(native.ChangeDropped, name)}
	if c.snap.Keyspace(name) == nil {
		if p.NoOp = s.IfExists; !p.NoOp {
			return nil, errNoKeyspace(name)
		}
		return p, nil
	}
	p.build = func(*Env, *Options) (schema.Change, error) {
		return schema.Change{Kind: schema.DropKeyspace, Keyspace: &schema.Keyspace{Name: name}}, nil
	}
	p.check = func(snap *schema.Snapshot) error {
		if snap.Keyspace(name) == nil {
			return errNoKeyspace(name)
		}
		return nil
	}
	return p, nil
}

// userKeyspace resolves the keyspace of a definition and refuses those that the
// server keeps for itself.
func (c *compiler) userKeyspace(n cql.Name) (string, error) {
	ks, err := c.keyspaceOf(n)
	if err != nil {
		return "", err
	}
	if isSystemKeyspace(ks) {
		return "", errSystemKeyspace(ks)
	}
	return ks, nil
}
