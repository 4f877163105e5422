package cql

// modification reads INSERT, UPDATE or DELETE.
func (p *parser) modification() Statement {
	switch p.kind() {
	case kwInsert:
		return p.insert()
	case kwUpdate:
		return p.update()
	case kwDelete:
		return p.delete()
	}
	p.noViable()
	return nil
}

func (p *parser) insert() Statement {
	s := &Insert{node: p.node()}
	p.next()
	p.expect(kwInto)
	s.Table = p.table()
	switch {
	case p.accept(kwJson):
		p.insertJSON(s)
	case p.kind() == TokLParen:
		s.Columns = p.identTuple()
		p.expect(kwValues)
		p.expect(TokLParen)
		s.Values = make([]Term, 0, len(s.Columns))
		s.Values = append(s.Values, p.term())
		for p.accept(TokComma) {
			s.Values = append(s.Values, p.term())
		}
		p.expect(TokRParen)
	default:
		p.noViable()
	}
	s.IfNotExists = p.ifNotExists()
	p.using(&s.Using, true)
	return s
}

func (p *parser) insertJSON(s *Insert) {
	switch p.kind() {
	case TokString:
		s.JSON = p.literal()
	case TokMarker, TokColon:
		s.JSON = p.marker()
	default:
		p.noViable()
	}
	if !p.accept(kwDefault) {
		return
	}
	if p.accept(kwUnset) {
		s.JSONDefault = JSONDefaultUnset
	} else {
		p.expect(kwNull)
	}
}

// using reads an optional USING clause; ttl tells whether TTL may stand in it.
func (p *parser) using(u *Using, ttl bool) {
	pos := p.pos()
	if !p.accept(kwUsing) {
		return
	}
	u.Position = pos
	for {
		switch {
		case (ttl || u.Timestamp == nil) && p.accept(kwTimestamp):
			u.Timestamp = p.intValue()
		case ttl && p.accept(kwTtl):
			u.TTL = p.intValue()
		case p.isWord(0, "timeout"):
			p.next()
			u.Timeout = p.term()
		case !ttl && u.Timestamp == nil:
			p.expect(kwTimestamp)
		default:
			p.noViable()
		}
		if !p.accept(kwAnd) {
			return
		}
	}
}

func (p *parser) update() Statement {
	s := &Update{node: p.node()}
	p.next()
	s.Table = p.table()
	p.using(&s.Using, true)
	p.expect(kwSet)
	for {
		at := p.i
		a := p.assignment()
		s.Assignments = append(s.Assignments, a)
		if !p.accept(TokComma) {
			break
		}
		if len(s.Assignments) > MaxMarkers {
			p.reject(at, "More than %d columns are set", MaxMarkers)
		}
	}
	p.checkAssignments(s)
	p.expect(kwWhere)
	s.Where = p.where()
	s.IfExists, s.Conditions = p.conditions()
	return s
}

// checkAssignments refuses a column that is set as a whole and set again, and a field that is set twice.
func (p *parser) checkAssignments(s *Update) {
	if len(s.Assignments) < 2 {
		return
	}
	type place struct{ column, field string }
	whole := make(map[place]bool, len(s.Assignments))
	for _, a := range s.Assignments {
		column := place{column: a.Column.Name}
		w, seen := whole[column]
		again := seen && (w || a.Kind == AssignSet)
		if a.Kind == AssignField {
			field := place{a.Column.Name, a.Field.Name}
			again = again || whole[field]
			whole[field] = true
		}
		if again {
			p.reject(p.i, "Multiple incompatible setting of column %s", a.Column.Name)
			return
		}
		whole[column] = a.Kind == AssignSet
	}
}

func (p *parser) assignment() Assignment {
	at := p.i
	a := Assignment{Column: p.columnIdent()}
	switch {
	case p.accept(TokEq):
		p.assignWhole(&a, at)
	case p.accept(TokPlusEq):
		a.Kind, a.Value = AssignAdd, p.term()
	case p.accept(TokMinusEq):
		a.Kind, a.Value = AssignSub, p.term()
	case p.accept(TokLBracket):
		a.Kind, a.Key = AssignElement, p.term()
		p.expect(TokRBracket)
		p.expect(TokEq)
		a.Value = p.term()
	case p.accept(TokDot):
		a.Kind, a.Field = AssignField, p.ident()
		p.expect(TokEq)
		a.Value = p.term()
	default:
		p.noViable()
	}
	return a
}

// assignWhole reads the right side of `c =`.
func (p *parser) assignWhole(a *Assignment, at int) {
	if !p.columnAhead(0) {
		a.Value = p.term()
		if p.accept(TokPlus) {
			a.Kind = AssignPrepend
			if p.columnIdent().Name != a.Column.Name {
				p.reject(at, "Only expressions of the form X = <value> + X are supported.")
			}
		}
		return
	}
	name := p.columnIdent()
	sign := "+"
	switch {
	case p.accept(TokPlus):
		a.Kind, a.Value = AssignAdd, p.term()
	case p.accept(TokMinus):
		sign = "-"
		a.Kind, a.Value = AssignSub, p.term()
	case p.kind() == TokInteger && p.signedNumber():
		// `c = c -5` is lexed as c and -5.
		sign = "-"
		a.Kind, a.Value = AssignAdd, p.literal()
	default:
		p.noViable()
		return
	}
	if name.Name != a.Column.Name {
		p.reject(at, "Only expressions of the form X = X %s<value> are supported.", sign)
	}
}

func (p *parser) delete() Statement {
	s := &Delete{node: p.node()}
	p.next()
	if p.kind() != kwFrom {
		s.Selections = append(s.Selections, p.deletion())
		for p.accept(TokComma) {
			s.Selections = append(s.Selections, p.deletion())
		}
	}
	p.expect(kwFrom)
	s.Table = p.table()
	p.using(&s.Using, false)
	p.expect(kwWhere)
	s.Where = p.where()
	s.IfExists, s.Conditions = p.conditions()
	return s
}

func (p *parser) deletion() Deletion {
	d := Deletion{Column: p.columnIdent()}
	switch {
	case p.accept(TokLBracket):
		d.Key = p.term()
		p.expect(TokRBracket)
	case p.accept(TokDot):
		f := p.ident()
		d.Field = &f
	}
	return d
}

// conditions reads an optional IF clause of UPDATE or DELETE.
func (p *parser) conditions() (exists bool, list []Condition) {
	if !p.accept(kwIf) {
		return false, nil
	}
	if p.kind() == kwExists {
		switch p.ahead(1) {
		case TokEq, TokNe, TokLt, TokLe, TokGt, TokGe, TokLBracket, TokDot, kwIn, kwContains:
		default:
			p.next()
			return true, nil
		}
	}
	list = append(list, p.condition())
	for p.accept(kwAnd) {
		list = append(list, p.condition())
	}
	return false, list
}

func (p *parser) condition() Condition {
	c := Condition{Position: p.pos(), Column: p.columnIdent()}
	switch {
	case p.accept(TokLBracket):
		c.Key = p.term()
		p.expect(TokRBracket)
	case p.accept(TokDot):
		f := p.ident()
		c.Field = &f
	}
	if op, ok := p.comparison(); ok {
		c.Op, c.Value = op, p.term()
		return c
	}
	switch {
	case p.accept(kwIn):
		c.Op = OpIn
		c.Value, c.Values, c.InList = p.inValues(RelColumn)
	case c.Key == nil && c.Field == nil && p.accept(kwContains):
		c.Op = OpContains
		if p.kind() == kwKey && p.ahead(1) != TokLParen {
			p.next()
			c.Op = OpContainsKey
		}
		c.Value = p.term()
	default:
		p.noViable()
	}
	return c
}

func (p *parser) batch() Statement {
	b := &Batch{node: p.node()}
	if p.isWord(1, "transaction") {
		return p.skipUnsupported("BEGIN TRANSACTION")
	}
	p.next()
	switch {
	case p.accept(kwUnlogged):
		b.Kind = BatchUnlogged
	case p.accept(kwCounter):
		b.Kind = BatchCounter
	}
	p.expect(kwBatch)
	p.using(&b.Using, true)
	for p.kind() == kwInsert || p.kind() == kwUpdate || p.kind() == kwDelete {
		if len(b.Statements) >= MaxBatchStatements {
			p.reject(p.i, "Batch has more than %d statements", MaxBatchStatements)
		}
		b.Statements = append(b.Statements, p.modification())
		p.accept(TokSemicolon)
	}
	if p.kind() != kwApply {
		p.expect(kwApply)
	}
	p.next()
	p.expect(kwBatch)
	return b
}
