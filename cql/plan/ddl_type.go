package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

func typeEvent(change, keyspace, name string) *native.SchemaChange {
	return &native.SchemaChange{Change: change, Target: native.TargetType, Keyspace: keyspace, Name: name}
}

// typePlan proposes a type whose previous form was old, or nil.
func typePlan(kind schema.ChangeKind, event *native.SchemaChange, t, old *schema.Type) *SchemaPlan {
	return &SchemaPlan{
		Event: event,
		build: func(*Env, *Options) (schema.Change, error) { return schema.Change{Kind: kind, Type: t}, nil },
		check: func(snap *schema.Snapshot) error {
			ks := snap.Keyspace(t.Keyspace())
			if ks == nil {
				return errNoKeyspace(t.Keyspace())
			}
			now := ks.Types[t.Name()]
			if (now == nil) != (old == nil) || now != nil && !now.Equal(old) {
				return ErrStale
			}
			return nil
		},
	}
}

func (c *compiler) createType(s *cql.CreateType) (*SchemaPlan, error) {
	ks, err := c.userKeyspace(s.Name)
	if err != nil {
		return nil, err
	}
	c.keyspace = ks
	k := c.snap.Keyspace(ks)
	if k == nil {
		return nil, errNoKeyspace(ks)
	}
	name := s.Name.Name
	if k.Types[name] != nil {
		if s.IfNotExists {
			return &SchemaPlan{NoOp: true}, nil
		}
		return nil, invalid("A user type with name '%s' already exists", name)
	}
	var names []string
	var types []*schema.Type
	for _, f := range s.Fields {
		if slices.Contains(names, f.Name.Name) {
			return nil, invalid("Duplicate field name '%s' in type '%s'", f.Name.Name, name)
		}
		t, err := c.fieldType(f)
		if err != nil {
			return nil, err
		}
		names, types = append(names, f.Name.Name), append(types, t)
	}
	t := schema.UDTOf(ks, name, names, types, false)
	return typePlan(schema.CreateType, typeEvent(native.ChangeCreated, ks, name), t, nil), nil
}

func (c *compiler) fieldType(f cql.FieldDef) (*schema.Type, error) {
	t, err := c.typeOf(f.Type)
	switch {
	case err != nil:
		return nil, err
	case t.Kind() == schema.KindCounter:
		return nil, invalid("A user type cannot contain counters")
	case t.Kind() == schema.KindUDT && !t.Frozen():
		return nil, invalid("A user type cannot contain non-frozen UDTs")
	}
	return t, wrap(schema.CheckColumnType(t))
}

// qualified is the text of a type, a user-defined one with its keyspace.
func qualified(t *schema.Type) string {
	if t.Kind() != schema.KindUDT {
		return t.String()
	}
	text := t.Keyspace() + "." + schema.QuoteName(t.Name())
	if t.Frozen() {
		return "frozen<" + text + ">"
	}
	return text
}

// existingType finds the type of a statement, nil if there is none.
func (c *compiler) existingType(n cql.Name) (ks string, t *schema.Type, err error) {
	if ks, err = c.userKeyspace(n); err != nil {
		return ks, nil, err
	}
	c.keyspace = ks
	if k := c.snap.Keyspace(ks); k != nil {
		t = k.Types[n.Name]
	}
	return ks, t, nil
}

func (c *compiler) alterType(s *cql.AlterType) (*SchemaPlan, error) {
	ks, old, err := c.existingType(s.Name)
	if err != nil {
		return nil, err
	}
	name := s.Name.Name
	if old == nil {
		if s.IfExists {
			return &SchemaPlan{NoOp: true}, nil
		}
		return nil, invalid("Type %s.%s doesn't exist", ks, name)
	}
	names, types := slices.Clone(old.Fields()), slices.Clone(old.Elems())
	switch s.Kind {
	case cql.AlterTypeAdd:
		if slices.Contains(names, s.Field.Name.Name) {
			if s.FieldIfNotExists {
				return &SchemaPlan{NoOp: true}, nil
			}
			return nil, invalid("Cannot add field %s to type %s.%s: a field with name %s already exists", s.Field.Name.Name, ks, name, s.Field.Name.Name)
		}
		t, err := c.fieldType(s.Field)
		if err != nil {
			return nil, err
		}
		if t.References(ks, name) {
			return nil, invalid("Cannot add new field %s of type %s to user type %s.%s as it would create a circular reference",
				s.Field.Name.Name, qualified(t), ks, name)
		}
		names, types = append(names, s.Field.Name.Name), append(types, t)
	case cql.AlterTypeRename:
		renamed := false
		for _, r := range s.Rename {
			i := slices.Index(names, r[0].Name)
			switch {
			case i < 0 && s.FieldIfExists:
				continue
			case i < 0:
				return nil, invalid("Unkown field %s in user type %s.%s", r[0].Name, ks, name)
			case slices.Contains(names, r[1].Name):
				return nil, invalid("Duplicate field name %s in type %s", r[1].Name, ks)
			}
			names[i], renamed = r[1].Name, true
		}
		if !renamed {
			return &SchemaPlan{NoOp: true}, nil
		}
	default:
		return nil, invalid("Altering field types is no longer supported")
	}
	t := schema.UDTOf(ks, name, names, types, false)
	return typePlan(schema.AlterType, typeEvent(native.ChangeUpdated, ks, name), t, old), nil
}

func (c *compiler) dropType(s *cql.DropType) (*SchemaPlan, error) {
	ks, old, err := c.existingType(s.Name)
	if err != nil {
		return nil, err
	}
	if old == nil {
		if s.IfExists {
			return &SchemaPlan{NoOp: true}, nil
		}
		return nil, invalid("Type '%s.%s' doesn't exist", ks, s.Name.Name)
	}
	return typePlan(schema.DropType, typeEvent(native.ChangeDropped, ks, s.Name.Name), old, old), nil
}
