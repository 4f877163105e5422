package cql

func (p *parser) create() Statement {
	n := p.node()
	p.next()
	switch p.kind() {
	case kwKeyspace, kwSchema:
		return p.createKeyspace(n)
	case kwTable, kwColumnfamily:
		return p.createTable(n)
	case kwType:
		return p.createType(n)
	case kwIndex, kwCustom:
		return p.createIndex(n)
	case kwMaterialized:
		return p.createView(n)
	case kwTrigger:
		return p.createTrigger(n)
	case kwFunction, kwAggregate, kwOr:
		return p.createFunctionOrAggregate(n)
	case kwRole, kwUser:
		return p.createRole(n)
	}
	if p.isWord(0, "service") && p.isWord(1, "level") {
		return p.skipUnsupported("CREATE SERVICE LEVEL")
	}
	p.noViable()
	return nil
}

func (p *parser) alter() Statement {
	n := p.node()
	p.next()
	switch p.kind() {
	case kwKeyspace, kwSchema:
		p.next()
		s := &AlterKeyspace{node: n, IfExists: p.ifExists(), Name: p.keyspace()}
		p.expect(kwWith)
		s.Options = p.properties()
		return s
	case kwTable, kwColumnfamily:
		return p.alterTable(n)
	case kwType:
		return p.alterType(n)
	case kwMaterialized:
		p.next()
		p.expect(kwView)
		s := &AlterView{node: n, IfExists: p.ifExists(), Name: p.table()}
		p.expect(kwWith)
		s.Options = p.properties()
		return s
	case kwRole, kwUser:
		return p.alterRole(n)
	}
	if p.isWord(0, "service") && p.isWord(1, "level") {
		return p.skipUnsupported("ALTER SERVICE LEVEL")
	}
	p.noViable()
	return nil
}

func (p *parser) drop() Statement {
	n := p.node()
	p.next()
	k := p.kind()
	switch k {
	case kwKeyspace, kwSchema:
		p.next()
		return &DropKeyspace{node: n, IfExists: p.ifExists(), Name: p.keyspace()}
	case kwTable, kwColumnfamily:
		p.next()
		return &DropTable{node: n, IfExists: p.ifExists(), Name: p.table()}
	case kwType:
		p.next()
		return &DropType{node: n, IfExists: p.ifExists(), Name: p.typeName()}
	case kwIndex:
		p.next()
		return &DropIndex{node: n, IfExists: p.ifExists(), Name: p.qualified("index")}
	case kwMaterialized:
		p.next()
		p.expect(kwView)
		return &DropView{node: n, IfExists: p.ifExists(), Name: p.table()}
	case kwTrigger:
		p.next()
		s := &DropTrigger{node: n, IfExists: p.ifExists(), Name: p.ident()}
		p.expect(kwOn)
		s.Table = p.table()
		return s
	case kwFunction, kwAggregate:
		p.next()
		s := &DropFunction{node: n, Aggregate: k == kwAggregate, IfExists: p.ifExists(), Name: p.functionNamed()}
		if p.accept(TokLParen) {
			s.HasArgs, s.ArgTypes = true, p.types()
		}
		return s
	case kwRole, kwUser:
		p.next()
		s := &DropRole{node: n, User: k == kwUser, IfExists: p.ifExists()}
		s.Name = p.roleName(s.User)
		return s
	case kwIdentity:
		p.next()
		return &DropIdentity{node: n, IfExists: p.ifExists(), Identity: p.identity()}
	}
	p.noViable()
	return nil
}

func (p *parser) createKeyspace(n node) Statement {
	p.next()
	s := &CreateKeyspace{node: n, IfNotExists: p.ifNotExists(), Name: p.keyspace()}
	p.expect(kwWith)
	s.Options = p.properties()
	return s
}

// properties reads `name = value AND ...`.
func (p *parser) properties() []Property {
	var list []Property
	list = p.property(list)
	for p.accept(kwAnd) {
		list = p.property(list)
	}
	return list
}

// property adds one `name = value` to list, which must not hold the name yet.
func (p *parser) property(list []Property) []Property {
	at := p.i
	prop := Property{Pos: p.pos(), Name: lower(p.ident().Name)}
	p.expect(TokEq)
	switch k := p.kind(); {
	case k == TokLBrace:
		prop.Value = p.propertyMap()
	case k >= firstKeyword && k.class() != classReserved:
		prop.Value = &Column{p.ident()}
	case k >= TokString && k <= TokDuration || k == kwNan || k == kwInfinity:
		prop.Value = p.literal()
	default:
		p.noViable()
	}
	for _, old := range list {
		if old.Name == prop.Name {
			p.reject(at, "Multiple definition for property '%s'", prop.Name)
		}
	}
	return append(list, prop)
}

// propertyMap reads a map whose keys and values are constants.
func (p *parser) propertyMap() *MapLiteral {
	m := &MapLiteral{Position: p.next().Pos()}
	if p.accept(TokRBrace) {
		return m
	}
	for {
		at := p.i
		key := p.term()
		p.expect(TokColon)
		valueAt := p.i
		value := p.term()
		k, ok := key.(*Literal)
		if !ok && p.err == nil {
			p.reject(at, "Invalid property name: %s%s", key, markerNote(key))
		}
		if _, ok := value.(*Literal); !ok && p.err == nil {
			p.reject(valueAt, "Invalid property value: %s for property: %s%s", value, key, markerNote(value))
		}
		for _, old := range m.Entries {
			if p.err == nil && old.Key.(*Literal).Text == k.Text {
				p.reject(at, "Multiple definition for property %s", k.Text)
			}
		}
		m.Entries = append(m.Entries, MapEntry{key, value})
		if p.err != nil || !p.accept(TokComma) {
			break
		}
	}
	p.expect(TokRBrace)
	return m
}

func markerNote(e Expr) string {
	if _, ok := e.(*BindMarker); ok {
		return " (bind variables are not supported in DDL queries)"
	}
	return ""
}

func (p *parser) createType(n node) Statement {
	p.next()
	s := &CreateType{node: n, IfNotExists: p.ifNotExists(), Name: p.typeName()}
	p.expect(TokLParen)
	s.Fields = append(s.Fields, p.fieldDef())
	for p.accept(TokComma) {
		if p.kind() != TokComma && p.kind() != TokRParen {
			s.Fields = append(s.Fields, p.fieldDef())
		}
	}
	p.expect(TokRParen)
	return s
}

func (p *parser) fieldDef() FieldDef { return FieldDef{Name: p.ident(), Type: p.typeExpr()} }

func (p *parser) alterType(n node) Statement {
	p.next()
	s := &AlterType{node: n, IfExists: p.ifExists(), Name: p.typeName()}
	switch {
	case p.accept(kwAdd):
		s.Kind, s.FieldIfNotExists, s.Field = AlterTypeAdd, p.ifNotExists(), p.fieldDef()
	case p.accept(kwRename):
		s.Kind, s.FieldIfExists, s.Rename = AlterTypeRename, p.ifExists(), p.renames()
	case p.accept(kwAlter):
		s.Kind, s.Field.Name = AlterTypeAlter, p.ident()
		p.expect(kwType)
		s.Field.Type = p.typeExpr()
	default:
		p.noViable()
	}
	return s
}

func (p *parser) createIndex(n node) Statement {
	s := &CreateIndex{node: n, Custom: p.accept(kwCustom)}
	p.expect(kwIndex)
	s.IfNotExists = p.ifNotExists()
	if p.kind() != kwOn {
		s.Name = p.qualified("index")
	}
	p.expect(kwOn)
	s.Table = p.table()
	p.expect(TokLParen)
	if p.kind() != TokRParen {
		s.Targets = append(s.Targets, p.indexTarget())
		for p.accept(TokComma) {
			s.Targets = append(s.Targets, p.indexTarget())
		}
	}
	p.expect(TokRParen)
	if p.accept(kwUsing) {
		s.Class = p.str()
	}
	if p.accept(kwWith) {
		s.Options = p.properties()
	}
	return s
}

func (p *parser) indexTarget() IndexTarget {
	kind := IndexSimple
	if p.ahead(1) == TokLParen {
		switch p.kind() {
		case kwValues:
			kind = IndexValues
		case kwKeys:
			kind = IndexKeys
		case kwEntries:
			kind = IndexEntries
		case kwFull:
			kind = IndexFull
		}
	}
	if kind == IndexSimple {
		return IndexTarget{Column: p.columnIdent()}
	}
	p.next()
	p.next()
	t := IndexTarget{Kind: kind, Column: p.columnIdent()}
	p.expect(TokRParen)
	return t
}

func (p *parser) createView(n node) Statement {
	p.next()
	p.expect(kwView)
	s := &CreateView{node: n, IfNotExists: p.ifNotExists(), Name: p.table()}
	p.expect(kwAs)
	p.expect(kwSelect)
	s.Star, s.Selectors = p.selectors()
	p.expect(kwFrom)
	s.Base = p.table()
	if p.accept(kwWhere) {
		s.Where = p.where()
	}
	p.expect(kwPrimary)
	p.expect(kwKey)
	s.PartitionKey, s.ClusteringKey = p.primaryKey()
	if p.accept(kwWith) {
		s.ClusteringOrder, s.CompactStorage, s.Options = p.tableOptions()
	}
	return s
}

func (p *parser) createTrigger(n node) Statement {
	p.next()
	s := &CreateTrigger{node: n, IfNotExists: p.ifNotExists(), Name: p.ident()}
	p.expect(kwOn)
	s.Table = p.table()
	p.expect(kwUsing)
	s.Class = p.str()
	return s
}

// types reads a comma-separated list of types, which may be empty, and the closing parenthesis.
func (p *parser) types() []*TypeExpr {
	if p.accept(TokRParen) {
		return nil
	}
	list := []*TypeExpr{p.typeExpr()}
	for p.accept(TokComma) {
		list = append(list, p.typeExpr())
	}
	p.expect(TokRParen)
	return list
}
