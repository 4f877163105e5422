package cql

func (p *parser) createTable(n node) Statement {
	p.next()
	exists := p.ifNotExists()
	name := p.table()
	if p.accept(kwLike) {
		s := &CopyTable{node: n, IfNotExists: exists, Name: name, Like: p.table()}
		if p.accept(kwWith) {
			s.Options = p.likeOptions()
		}
		return s
	}
	s := &CreateTable{node: n, IfNotExists: exists, Name: name}
	p.expect(TokLParen)
	p.tableColumn(s)
	for p.accept(TokComma) {
		// An empty slot between commas is legal.
		if p.kind() != TokComma && p.kind() != TokRParen {
			p.tableColumn(s)
		}
	}
	p.expect(TokRParen)
	if p.accept(kwWith) {
		s.ClusteringOrder, s.CompactStorage, s.Options = p.tableOptions()
	}
	return s
}

// likeOptions reads the options of CREATE TABLE LIKE, where a bare word such as INDEXES may stand.
func (p *parser) likeOptions() []Property {
	var list []Property
	for {
		if p.ahead(1) != TokEq {
			id := p.ident()
			list = append(list, Property{Name: id.Name, Pos: id.Pos, Value: &Column{id}})
		} else {
			list = p.property(list)
		}
		if !p.accept(kwAnd) {
			return list
		}
	}
}

func (p *parser) tableColumn(s *CreateTable) {
	if p.accept(kwPrimary) {
		p.expect(kwKey)
		s.KeyCount++
		s.PartitionKey, s.ClusteringKey = p.primaryKey()
		return
	}
	c := p.columnDef()
	if p.accept(kwPrimary) {
		p.expect(kwKey)
		c.PrimaryKey = true
		s.KeyCount++
		s.PartitionKey, s.ClusteringKey = []Ident{c.Name}, nil
	}
	s.Columns = append(s.Columns, c)
}

func (p *parser) columnDef() ColumnDef {
	c := ColumnDef{Name: p.ident(), Type: p.typeExpr()}
	c.Static = p.accept(kwStatic)
	if p.accept(kwMasked) {
		c.Mask = p.mask()
	}
	if p.kind() == kwCheck {
		c.Check = p.check()
	}
	return c
}

// mask reads what follows MASKED.
func (p *parser) mask() *FunctionCall {
	p.expect(kwWith)
	pos := p.pos()
	if p.accept(kwDefault) {
		return &FunctionCall{Name: Name{Name: "mask_default", Pos: pos}, Position: pos}
	}
	f := &FunctionCall{Name: p.functionNamed(), Position: pos}
	p.expect(TokLParen)
	f.Args = p.exprs(false, TokRParen)
	return f
}

// check takes the text of a CHECK constraint: all up to the comma or parenthesis that ends the column.
func (p *parser) check() string {
	p.next()
	from, depth := p.toks[p.i].Start, 0
	end := from
	for {
		switch p.kind() {
		case TokLParen:
			depth++
		case TokRParen:
			depth--
		case TokEOF, kwPrimary, TokSemicolon:
			return p.src[from:end]
		}
		if depth < 0 || depth == 0 && p.kind() == TokComma {
			return p.src[from:end]
		}
		end = p.next().End
	}
}

// primaryKey reads `((a, b), c, d)` or `(a, c)`.
func (p *parser) primaryKey() (partition, clustering []Ident) {
	p.expect(TokLParen)
	if p.accept(TokLParen) {
		partition = p.idents()
		p.expect(TokRParen)
	} else {
		partition = []Ident{p.ident()}
	}
	if p.accept(TokComma) {
		clustering = p.idents()
	}
	p.expect(TokRParen)
	return partition, clustering
}

func (p *parser) idents() []Ident {
	list := []Ident{p.ident()}
	for p.accept(TokComma) {
		list = append(list, p.ident())
	}
	return list
}

// tableOptions reads the WITH clause of a table or a view.
func (p *parser) tableOptions() (order []ClusteringOrder, compact bool, list []Property) {
	for {
		switch {
		case p.kind() == kwCompact && p.ahead(1) == kwStorage:
			p.next()
			p.next()
			compact = true
		case p.kind() == kwClustering && p.ahead(1) == kwOrder:
			p.next()
			p.next()
			p.expect(kwBy)
			p.expect(TokLParen)
			order = append(order, p.clusteringOrder())
			for p.accept(TokComma) {
				order = append(order, p.clusteringOrder())
			}
			p.expect(TokRParen)
		default:
			list = p.property(list)
		}
		if !p.accept(kwAnd) {
			return order, compact, list
		}
	}
}

func (p *parser) clusteringOrder() ClusteringOrder {
	o := ClusteringOrder{Column: p.ident()}
	if o.Desc = p.accept(kwDesc); !o.Desc && !p.accept(kwAsc) {
		p.noViable()
	}
	return o
}

func (p *parser) alterTable(n node) Statement {
	p.next()
	s := &AlterTable{node: n, IfExists: p.ifExists(), Name: p.table()}
	switch p.kind() {
	case kwAdd:
		p.next()
		s.Kind, s.AddIfNotExists = AlterTableAdd, p.ifNotExists()
		if !p.accept(TokLParen) {
			s.Add = []ColumnDef{p.columnDef()}
			break
		}
		s.Add = append(s.Add, p.columnDef())
		for p.accept(TokComma) {
			s.Add = append(s.Add, p.columnDef())
		}
		p.expect(TokRParen)
	case kwDrop:
		p.next()
		p.alterTableDrop(s)
	case kwRename:
		p.next()
		s.Kind, s.ColumnIfExists = AlterTableRename, p.ifExists()
		s.Rename = p.renames()
	case kwAlter:
		p.next()
		p.alterColumn(s)
	case kwWith:
		p.next()
		s.Kind, s.Options = AlterTableWith, p.properties()
	default:
		p.noViable()
	}
	return s
}

func (p *parser) alterTableDrop(s *AlterTable) {
	if p.accept2(kwCompact, kwStorage) {
		s.Kind, s.DropCompactStorage = AlterTableDropCompact, true
		return
	}
	s.Kind, s.ColumnIfExists = AlterTableDrop, p.ifExists()
	if p.accept(TokLParen) {
		s.Drop = p.idents()
		p.expect(TokRParen)
	} else {
		s.Drop = []Ident{p.ident()}
	}
	if p.accept(kwUsing) {
		p.expect(kwTimestamp)
		if p.kind() != TokInteger {
			p.expect(TokInteger)
		}
		s.DropTimestamp = p.literal()
	}
}

func (p *parser) renames() [][2]Ident {
	var list [][2]Ident
	for {
		from := p.ident()
		p.expect(kwTo)
		list = append(list, [2]Ident{from, p.ident()})
		if !p.accept(kwAnd) {
			return list
		}
	}
}

func (p *parser) alterColumn(s *AlterTable) {
	s.ColumnIfExists = p.ifExists()
	c := ColumnDef{Name: p.columnIdent()}
	switch {
	case p.accept(kwType):
		s.Kind, c.Type = AlterTableType, p.typeExpr()
	case p.accept2(kwDrop, kwMasked):
		s.Kind = AlterTableMask
	case p.accept(kwMasked):
		s.Kind, c.Mask = AlterTableMask, p.mask()
	case p.accept2(kwDrop, kwCheck):
		s.Kind, c.Check = AlterTableMask, "DROP"
	case p.kind() == kwCheck:
		s.Kind, c.Check = AlterTableMask, p.check()
	default:
		p.noViable()
	}
	s.Add = []ColumnDef{c}
}
