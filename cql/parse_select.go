package cql

func (p *parser) selectStatement() Statement {
	s := &Select{node: p.node()}
	p.next()
	if p.modifierWord(kwJson) {
		p.next()
		s.JSON = true
	}
	if p.modifierWord(kwDistinct) {
		p.next()
		s.Distinct = true
	}
	s.Star, s.Selectors = p.selectors()
	p.expect(kwFrom)
	s.From = p.table()
	if p.accept(kwWhere) {
		s.Where = p.where()
	}
	if p.accept2(kwGroup, kwBy) {
		s.GroupBy = append(s.GroupBy, p.selectable())
		for p.accept(TokComma) {
			s.GroupBy = append(s.GroupBy, p.selectable())
		}
	}
	if p.accept(kwOrder) {
		p.expect(kwBy)
		s.OrderBy = p.orderings()
	}
	if p.accept(kwPer) {
		p.expect(kwPartition)
		p.expect(kwLimit)
		s.PerPartitionLimit = p.intValue()
	}
	if p.accept(kwLimit) {
		s.Limit = p.intValue()
	}
	if s.AllowPos = p.pos(); p.accept(kwAllow) {
		p.expect(kwFiltering)
		s.AllowFiltering = true
	} else {
		s.AllowPos = Pos{}
	}
	if p.accept(kwWith) {
		s.Options = p.properties()
	}
	return s
}

// modifierWord reports whether JSON or DISTINCT stands at the current token as a modifier and not as the name of a column.
func (p *parser) modifierWord(k TokenKind) bool {
	if p.kind() != k {
		return false
	}
	switch after := p.ahead(1); after {
	case TokStar, TokLParen, TokLBrace, TokString, TokInteger, TokFloat, TokBool, TokUUID, TokHex, TokDuration, TokMarker,
		TokColon, kwNull, kwNan, kwInfinity, kwToken:
		return true
	case kwAs:
		return false
	default:
		return isName(after)
	}
}

func (p *parser) selectors() (star bool, list []Selector) {
	if p.accept(TokStar) {
		return true, nil
	}
	list = append(list, p.selector())
	for p.accept(TokComma) {
		list = append(list, p.selector())
	}
	return false, list
}

func (p *parser) selector() Selector {
	s := Selector{Expr: p.selectable()}
	if p.accept(kwAs) {
		id := p.ident()
		s.Alias = &id
	}
	return s
}

func (p *parser) orderings() []OrderBy {
	var list []OrderBy
	for {
		o := OrderBy{Position: p.pos(), Column: p.columnIdent()}
		if p.accept2(kwAnn, kwOf) {
			o.ANN, o.Vector = true, p.term()
		}
		if !p.accept(kwAsc) {
			o.Desc = p.accept(kwDesc)
		}
		list = append(list, o)
		if !p.accept(TokComma) {
			return list
		}
	}
}

func (p *parser) where() []Relation {
	list := make([]Relation, 0, 2)
	list = append(list, p.relation())
	for p.accept(kwAnd) {
		list = append(list, p.relation())
	}
	return list
}

func (p *parser) relation() Relation {
	r := Relation{Position: p.pos()}
	switch {
	case p.kind() == kwToken && p.ahead(1) == TokLParen:
		p.next()
		r.Kind, r.Columns = RelToken, p.identTuple()
		p.operand(&r)
	case p.isWord(0, "expr") && p.ahead(1) == TokLParen:
		p.next()
		p.next()
		r.Kind, r.Index = RelIndexExpr, p.qualified("index")
		p.expect(TokComma)
		r.Value = p.term()
		p.expect(TokRParen)
	case p.kind() == TokLParen && isName(p.ahead(1)) && (p.ahead(2) == TokComma || p.ahead(2) == TokRParen):
		r.Kind, r.Columns = RelTuple, p.identTuple()
		p.operand(&r)
	case p.kind() == TokLParen:
		if !p.enter() {
			return r
		}
		defer p.leave()
		p.next()
		r = p.relation()
		p.expect(TokRParen)
	default:
		r.Columns = []Ident{p.columnIdent()}
		if p.accept(TokLBracket) {
			r.Kind, r.Key = RelElement, p.term()
			p.expect(TokRBracket)
		}
		p.operand(&r)
	}
	return r
}

func (p *parser) identTuple() []Ident {
	p.expect(TokLParen)
	list := []Ident{p.columnIdent()}
	for p.accept(TokComma) {
		list = append(list, p.columnIdent())
	}
	p.expect(TokRParen)
	return list
}

// comparison reads one of = != < <= > >=.
func (p *parser) comparison() (Operator, bool) {
	var op Operator
	switch p.kind() {
	case TokEq:
		op = OpEq
	case TokNe:
		op = OpNe
	case TokLt:
		op = OpLt
	case TokLe:
		op = OpLe
	case TokGt:
		op = OpGt
	case TokGe:
		op = OpGe
	default:
		return 0, false
	}
	p.next()
	return op, true
}

// operand reads the operator and the right side of r.
func (p *parser) operand(r *Relation) {
	r.OpPos = p.pos()
	if op, ok := p.comparison(); ok {
		r.Op, r.Value = op, p.value(r.Kind)
		return
	}
	at := p.i
	not := p.accept(kwNot)
	switch {
	case p.accept(kwIn):
		r.Op = pick(not, OpNotIn, OpIn)
		r.Value, r.Values, r.InList = p.inValues(r.Kind)
	case p.accept(kwContains):
		r.Op = pick(not, OpNotContains, OpContains)
		if p.accept(kwKey) {
			r.Op = pick(not, OpNotContainsKey, OpContainsKey)
		}
		r.Value = p.term()
	case p.accept(kwBetween):
		r.Op = pick(not, OpNotBetween, OpBetween)
		r.Values = []Term{p.value(r.Kind)}
		p.expect(kwAnd)
		r.Values = append(r.Values, p.value(r.Kind))
	case !not && p.accept(kwLike):
		r.Op, r.Value = OpLike, p.term()
	case !not && p.accept(kwIs):
		r.Op = OpIsNull
		if p.accept(kwNot) {
			r.Op = OpIsNotNull
		}
		p.expect(kwNull)
	default:
		p.noViableAt(at)
	}
}

func pick(not bool, negated, plain Operator) Operator {
	if not {
		return negated
	}
	return plain
}

// value reads one right side; that of a tuple of columns must be a tuple or a marker.
func (p *parser) value(kind RelationKind) Term {
	if kind != RelTuple {
		return p.term()
	}
	switch p.kind() {
	case TokLParen, TokMarker, TokColon:
		return p.term()
	}
	p.noViable()
	return nil
}

// inValues reads `?`, `:name` or a list between parentheses.
func (p *parser) inValues(kind RelationKind) (marker Term, list []Term, inList bool) {
	switch p.kind() {
	case TokMarker, TokColon:
		return p.marker(), nil, false
	case TokLParen:
		p.next()
		if p.accept(TokRParen) {
			return nil, nil, true
		}
		list = append(list, p.value(kind))
		for p.accept(TokComma) {
			list = append(list, p.value(kind))
		}
		p.expect(TokRParen)
		return nil, list, true
	}
	p.noViable()
	return nil, nil, false
}
