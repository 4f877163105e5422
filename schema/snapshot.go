package schema

import (
	"crypto/md5"
	"maps"
	"slices"
)

// NewSnapshot returns the empty schema.
func NewSnapshot() *Snapshot {
	s := &Snapshot{Keyspaces: map[string]*Keyspace{}, byID: map[TableID]*Table{}}
	s.Version = s.hash(nil)
	return s
}

// Apply returns the schema after the change, at that epoch; s is not touched.
// What did not change is shared. The error is an *Error for the client. The
// definitions in c become part of the snapshot and must not be changed after.
func (s *Snapshot) Apply(c Change, epoch uint64) (*Snapshot, error) {
	n := &Snapshot{Epoch: epoch, Keyspaces: maps.Clone(s.Keyspaces), byID: maps.Clone(s.byID)}
	var err error
	switch c.Kind {
	case CreateKeyspace, AlterKeyspace, DropKeyspace:
		err = n.applyKeyspace(c)
	case CreateTable, AlterTable, DropTable, Truncate:
		err = n.applyTable(c, epoch)
	case CreateType, AlterType, DropType:
		err = n.applyType(c, epoch)
	default:
		err = invalid("Unknown kind of schema change %d", c.Kind)
	}
	if err != nil {
		return nil, err
	}
	n.Version = n.hash(s)
	return n, nil
}

func (s *Snapshot) applyKeyspace(c Change) error {
	if c.Keyspace == nil {
		return invalid("Schema change without a keyspace")
	}
	name := c.Keyspace.Name
	old := s.Keyspaces[name]
	if c.Kind == CreateKeyspace {
		if old != nil {
			return &Error{Kind: ErrExists, Keyspace: name, Message: `Cannot add existing keyspace "` + name + `"`}
		}
		ks := *c.Keyspace
		ks.Tables, ks.Types = map[string]*Table{}, map[string]*Type{}
		s.Keyspaces[name] = &ks
		return nil
	}
	if old == nil {
		return invalid("Keyspace '%s' doesn't exist", name)
	}
	if c.Kind == AlterKeyspace {
		ks := *c.Keyspace
		ks.Tables, ks.Types = old.Tables, old.Types
		s.Keyspaces[name] = &ks
		return nil
	}
	for _, t := range old.Tables {
		delete(s.byID, t.ID)
	}
	delete(s.Keyspaces, name)
	return nil
}

// SkipColumnIDs returns the schema, at that epoch, with the next n column ids of
// each table never to be given to a column.
func (s *Snapshot) SkipColumnIDs(n ColumnID, epoch uint64) (*Snapshot, error) {
	if len(s.byID) == 0 || n == 0 {
		return s, nil
	}
	next := &Snapshot{Epoch: epoch, Keyspaces: maps.Clone(s.Keyspaces), byID: maps.Clone(s.byID)}
	for name, ks := range s.Keyspaces {
		own, err := next.own(name)
		if err != nil {
			return nil, err
		}
		for _, old := range ks.Tables {
			t := *old
			t.NextColumnID += n
			if err := next.put(own, t, epoch); err != nil {
				return nil, err
			}
		}
	}
	next.Version = next.hash(s)
	return next, nil
}

// own makes the keyspace one that may be changed in place.
func (s *Snapshot) own(name string) (*Keyspace, error) {
	old := s.Keyspaces[name]
	if old == nil {
		return nil, invalid("Keyspace '%s' doesn't exist", name)
	}
	if s.building {
		return old, nil
	}
	ks := *old
	ks.Tables, ks.Types = maps.Clone(old.Tables), maps.Clone(old.Types)
	s.Keyspaces[name] = &ks
	return &ks, nil
}

func (s *Snapshot) applyTable(c Change, epoch uint64) error {
	if c.Table == nil {
		return invalid("Schema change without a table")
	}
	ks, err := s.own(c.Table.Keyspace)
	if err != nil {
		return err
	}
	old := ks.Tables[c.Table.Name]
	if c.Kind == CreateTable {
		if old != nil {
			return &Error{Kind: ErrExists, Keyspace: ks.Name, Table: old.Name,
				Message: `Cannot add already existing table "` + old.Name + `" to keyspace "` + ks.Name + `"`}
		}
		if s.byID[c.Table.ID] != nil {
			return invalid("Table id %s is in use", UUID(c.Table.ID))
		}
		return s.put(ks, *c.Table, epoch)
	}
	if old == nil || c.Table.ID != (TableID{}) && c.Table.ID != old.ID {
		return invalid("Table '%s.%s' doesn't exist", ks.Name, c.Table.Name)
	}
	switch c.Kind {
	case AlterTable:
		t := *c.Table
		t.TruncatedAt, t.TruncatedEpoch = max(t.TruncatedAt, old.TruncatedAt), old.TruncatedEpoch
		return s.put(ks, t, epoch)
	case Truncate:
		t := *old
		t.TruncatedAt, t.TruncatedEpoch = max(t.TruncatedAt, c.TruncatedAt), epoch
		return s.put(ks, t, epoch)
	}
	delete(ks.Tables, old.Name)
	delete(s.byID, old.ID)
	return nil
}

func (s *Snapshot) put(ks *Keyspace, t Table, epoch uint64) error {
	t.Epoch = epoch
	t.Static, t.Regular = slices.Clone(t.Static), slices.Clone(t.Regular)
	t.Init()
	if err := t.check(); err != nil {
		return err
	}
	ks.Tables[t.Name] = &t
	s.byID[t.ID] = &t
	return nil
}

// check tells why a definition does not hold together.
func (t *Table) check() error {
	bad := func(why string) error { return invalid("Table %s.%s: %s", t.Keyspace, t.Name, why) }
	if t.Name == "" || t.Keyspace == "" {
		return bad("no name")
	}
	if len(t.PartitionKey) == 0 {
		return bad("no partition key")
	}
	n := 0
	for kind, cols := range [][]*Column{t.PartitionKey, t.Clustering, t.Static, t.Regular} {
		n += len(cols)
		for i, c := range cols {
			want := i
			if kind >= int(Static) {
				want = -1
			}
			switch {
			case c.Type == nil || c.Name == "":
				return bad("column without name or type")
			case c.Type.checkSize() != nil:
				return c.Type.checkSize()
			case c.Kind != ColumnKind(kind) || c.Position != want:
				return bad("column " + c.Name + " in the wrong place")
			case c.ID == 0 || c.ID >= t.NextColumnID && !t.Virtual:
				return bad("column " + c.Name + " has an id that was not given")
			}
		}
	}
	if len(t.byName) != n || len(t.byID) != n {
		return bad("two columns of one name or id")
	}
	for _, d := range t.Dropped {
		if t.byID[d.ID] != nil || d.Type == nil {
			return bad("dropped column " + d.Name + " is in use")
		}
	}
	return nil
}

func (s *Snapshot) applyType(c Change, epoch uint64) error {
	if c.Type == nil || c.Type.kind != KindUDT {
		return invalid("Schema change without a type")
	}
	udt := c.Type
	if err := udt.checkSize(); err != nil && c.Kind != DropType {
		return err
	}
	ks, err := s.own(udt.keyspace)
	if err != nil {
		return err
	}
	old := ks.Types[udt.name]
	switch {
	case c.Kind == CreateType && old != nil:
		return invalid("A user type with name '%s' already exists", udt.name)
	case c.Kind != CreateType && old == nil:
		return invalid("Type '%s.%s' doesn't exist", udt.keyspace, udt.name)
	case c.Kind == CreateType:
		ks.Types[udt.name] = udt
		return nil
	case c.Kind == DropType:
		if who := ks.userOf(udt); who != "" {
			return invalid("Cannot drop user type '%s.%s' as it is still used by %s", udt.keyspace, udt.name, who)
		}
		delete(ks.Types, udt.name)
		return nil
	}
	ks.Types[udt.name] = udt
	for name, t := range ks.Types {
		if name != udt.name {
			t = t.withUDT(udt)
			if err := t.checkSize(); err != nil {
				return err
			}
			ks.Types[name] = t
		}
	}
	return s.retype(ks, udt, epoch)
}

// userOf names what uses a type, or "".
func (k *Keyspace) userOf(udt *Type) string {
	for _, name := range sortedKeys(k.Types) {
		if t := k.Types[name]; name != udt.name && t.References(udt.keyspace, udt.name) {
			return "user type " + name
		}
	}
	for _, name := range sortedKeys(k.Tables) {
		for _, c := range k.Tables[name].Columns() {
			if c.Type.References(udt.keyspace, udt.name) {
				return "table " + name
			}
		}
	}
	return ""
}

// retype gives every column of the keyspace that uses the type its new form.
func (s *Snapshot) retype(ks *Keyspace, udt *Type, epoch uint64) error {
	for _, name := range sortedKeys(ks.Tables) {
		t := *ks.Tables[name]
		if !slices.ContainsFunc(t.Columns(), func(c *Column) bool { return c.Type.References(udt.keyspace, udt.name) }) {
			continue
		}
		for _, cols := range []*[]*Column{&t.PartitionKey, &t.Clustering, &t.Static, &t.Regular} {
			*cols = slices.Clone(*cols)
			for i, c := range *cols {
				n := *c
				n.Type = c.Type.withUDT(udt)
				(*cols)[i] = &n
			}
		}
		if err := s.put(ks, t, epoch); err != nil {
			return err
		}
	}
	return nil
}

// withUDT is the type with every use of a user-defined type replaced.
func (t *Type) withUDT(udt *Type) *Type {
	if !t.References(udt.keyspace, udt.name) {
		return t
	}
	if t.kind == KindUDT && t.name == udt.name {
		if t.frozen {
			return udt.Freeze()
		}
		return udt
	}
	c := *t
	c.elems = slices.Clone(t.elems)
	for i, e := range c.elems {
		c.elems[i] = e.withUDT(udt)
	}
	c.lossy, c.fixed = false, 0
	c.init()
	return &c
}

// hash is the version of the schema: a UUID made from the MD5 of the text that
// recreates it, so that nodes with equal schemas agree whatever their versions
// and history. A table counts by the MD5 of its own text, which a later
// snapshot takes over as long as the definition is the same.
func (s *Snapshot) hash(before *Snapshot) UUID {
	h := md5.New()
	s.digests = make(map[*Table]UUID, len(s.byID))
	for _, name := range sortedKeys(s.Keyspaces) {
		ks := s.Keyspaces[name]
		h.Write([]byte(ks.CreateStatement() + "\n"))
		for _, n := range sortedKeys(ks.Types) {
			h.Write([]byte(ks.Types[n].CreateStatement() + "\n"))
		}
		for _, n := range sortedKeys(ks.Tables) {
			d := s.digest(ks.Tables[n], before)
			h.Write(d[:])
		}
	}
	u := UUID(h.Sum(nil))
	u[6] = u[6]&0x0f | 0x30
	u[8] = u[8]&0x3f | 0x80
	return u
}

// digest is the hash of a table's definition.
func (s *Snapshot) digest(t *Table, before *Snapshot) UUID {
	d, known := UUID{}, false
	if before != nil {
		d, known = before.digests[t]
	}
	if !known {
		d = md5.Sum([]byte(t.CreateStatement(true)))
	}
	s.digests[t] = d
	return d
}
