package cql

import "strconv"

// Pos is a place in the statement text. Line counts from 1; Col counts characters from 0 as Cassandra's messages do;
// Offset counts bytes from 0. The zero Pos (Line 0) means "no place".
type Pos struct {
	Line, Col, Offset int32
}

// String gives "line:col".
func (p Pos) String() string {
	return strconv.Itoa(int(p.Line)) + ":" + strconv.Itoa(int(p.Col))
}

// Statement is one parsed CQL statement. The concrete types are pointers to the structs of this package (*Select, *Insert, ...).
// A Statement is never changed after Parse returns it and may be shared between goroutines.
type Statement interface {
	stmt()
	// Pos is where the first token of the statement stands.
	Pos() Pos
	// Markers lists the bind markers in the order of the text; BindMarker.Index is the position in this list. A repeated named
	// marker has one entry per occurrence. For a Batch the outer statement holds the markers of all; the inner ones hold none.
	Markers() []*BindMarker
}

// node is the part common to all statements.
type node struct {
	pos     Pos
	markers []*BindMarker
}

func (*node) stmt() {}

// Pos implements Statement.
func (n *node) Pos() Pos { return n.pos }

// Markers implements Statement.
func (n *node) Markers() []*BindMarker { return n.markers }

func (n *node) base() *node { return n }

// Ident is a name as written: Name is already folded to lower case unless Quoted.
type Ident struct {
	Name   string
	Quoted bool
	Pos    Pos
}

// Name is a possibly keyspace-qualified name of a table, type, function, index or view. Keyspace is empty when not given.
type Name struct {
	Keyspace string
	Name     string
	Pos      Pos
}

// String gives the name as CQL, quoted where needed; with an empty Name it is the keyspace alone.
func (n Name) String() string {
	switch {
	case n.Keyspace == "":
		return Quote(n.Name)
	case n.Name == "":
		return Quote(n.Keyspace)
	}
	return Quote(n.Keyspace) + "." + Quote(n.Name)
}

// Property is one `name = value` of a WITH clause, in the order of the text. Value is *Literal, *Column (a bare word such as
// `LOCAL`), or *MapLiteral with literals inside; `{}` is a *MapLiteral without entries here.
type Property struct {
	Name  string // lower case
	Pos   Pos
	Value Term
}

// Text gives the value of a plain property: the text of a literal without its quotes. ok is false for a map.
func (p Property) Text() (text string, ok bool) {
	return plainText(p.Value)
}

// Map gives the entries of a map property as strings, in the order of the text. ok is false for a plain value or a nested one.
func (p Property) Map() (entries [][2]string, ok bool) {
	m, ok := p.Value.(*MapLiteral)
	if !ok {
		return nil, false
	}
	entries = make([][2]string, 0, len(m.Entries))
	for _, e := range m.Entries {
		k, ok1 := plainText(e.Key)
		v, ok2 := plainText(e.Value)
		if !ok1 || !ok2 {
			return nil, false
		}
		entries = append(entries, [2]string{k, v})
	}
	return entries, true
}

func plainText(t Term) (string, bool) {
	switch v := t.(type) {
	case *Literal:
		return v.Text, true
	case *Column:
		return v.Name, true
	}
	return "", false
}
