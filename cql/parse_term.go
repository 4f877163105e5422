package cql

import "strings"

// maxOperators bounds the operators, field and element accesses of one level of an expression, and so the depth of its tree.
const maxOperators = 1024

// term reads a value: constants, markers, collections, functions, arithmetic, but no columns.
func (p *parser) term() Term { return p.additive(false) }

// selectable reads a term in which columns may stand.
func (p *parser) selectable() Selectable { return p.additive(true) }

func (p *parser) additive(cols bool) Expr {
	left := p.multiplicative(cols)
	for n := 0; ; n++ {
		t := p.toks[p.i]
		switch {
		case t.Kind == TokPlus && !cols && p.columnAhead(1):
			return left // `SET c = [1] + c`: the caller takes the rest
		case t.Kind == TokPlus || t.Kind == TokMinus:
			p.next()
		case p.signedNumber():
			// `a -1` is lexed as a and -1: take the sign as the operator.
			p.toks[p.i].Start++
			p.toks[p.i].Col++
			t.Kind = TokMinus
		default:
			return left
		}
		op := BinaryOperator('+')
		if t.Kind == TokMinus {
			op = '-'
		}
		left = &BinaryOp{Op: op, Left: unwrap(left), Right: unwrap(p.multiplicative(cols)), OpPos: t.Pos()}
		if !p.countOperator(n) {
			return left
		}
	}
}

func (p *parser) signedNumber() bool {
	t := p.toks[p.i]
	return (t.Kind == TokInteger || t.Kind == TokFloat || t.Kind == TokDuration) && p.src[t.Start] == '-'
}

func (p *parser) countOperator(n int) bool {
	if n < maxOperators {
		return true
	}
	p.reject(p.i, "line %d:%d more than %d operators in one expression", p.toks[p.i].Line, p.toks[p.i].Col, maxOperators)
	return false
}

// columnAhead reports whether a plain column name, no function call, starts n tokens ahead.
func (p *parser) columnAhead(n int) bool {
	if !isName(p.ahead(n)) {
		return false
	}
	return p.ahead(n+1) != TokLParen && !(p.ahead(n+1) == TokDot && p.ahead(n+3) == TokLParen)
}

func (p *parser) multiplicative(cols bool) Expr {
	left := p.unary(cols)
	for n := 0; ; n++ {
		t := p.toks[p.i]
		if t.Kind != TokStar && t.Kind != TokSlash && t.Kind != TokPercent {
			return left
		}
		p.next()
		left = &BinaryOp{Op: BinaryOperator(p.src[t.Start]), Left: unwrap(left), Right: unwrap(p.unary(cols)), OpPos: t.Pos()}
		if !p.countOperator(n) {
			return left
		}
	}
}

// unwrap takes the parentheses off an operand: `(a + b) * c`, `((a)) + 1`.
func unwrap(e Expr) Expr {
	for {
		t, ok := e.(*TupleLiteral)
		if !ok || len(t.Elems) != 1 {
			return e
		}
		e = t.Elems[0]
	}
}

func (p *parser) unary(cols bool) Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	if p.kind() == TokMinus {
		pos := p.next().Pos()
		return &Negation{Expr: unwrap(p.unary(cols)), Position: pos}
	}
	e := p.primary(cols)
	if !cols {
		return e
	}
	return p.modifiers(e)
}

// modifiers reads `.field`, `[key]` and `[from..to]` behind e.
func (p *parser) modifiers(e Expr) Expr {
	for n := 0; p.countOperator(n); n++ {
		switch {
		case p.accept(TokDot):
			e = &Field{Base: e, Name: p.ident()}
		case p.accept(TokLBracket):
			e = p.subscript(e)
		default:
			return e
		}
	}
	return e
}

func (p *parser) subscript(base Expr) Expr {
	if p.accept(TokRange) {
		s := &Slice{Base: base, To: p.term()}
		p.expect(TokRBracket)
		return s
	}
	key := p.term()
	if !p.accept(TokRange) {
		p.expect(TokRBracket)
		return &Element{Base: base, Key: key}
	}
	s := &Slice{Base: base, From: key}
	if p.kind() != TokRBracket {
		s.To = p.term()
	}
	p.expect(TokRBracket)
	return s
}

func (p *parser) primary(cols bool) Expr {
	k := p.kind()
	switch k {
	case TokString, TokInteger, TokFloat, TokBool, TokUUID, TokHex, TokDuration, kwNan, kwInfinity, kwNull:
		return p.literal()
	case TokMarker, TokColon:
		return p.marker()
	case TokLBracket:
		l := &ListLiteral{Position: p.next().Pos()}
		l.Elems = p.exprs(cols, TokRBracket)
		return l
	case TokLBrace:
		return p.braces(cols)
	case TokLParen:
		return p.parens(cols)
	case kwCast:
		if p.ahead(1) == TokLParen {
			return p.cast(cols)
		}
	case kwTtl, kwWritetime, kwMaxwritetime:
		if cols && p.ahead(1) == TokLParen {
			return p.cellAttr()
		}
	}
	switch {
	case isFunctionName(k) && p.ahead(1) == TokLParen, isName(k) && p.ahead(1) == TokDot && isFunctionName(p.ahead(2)) &&
		p.ahead(3) == TokLParen:
		return p.call(cols)
	case cols && isName(k):
		return &Column{p.ident()}
	}
	p.noViable()
	return nil
}

func (p *parser) literal() *Literal {
	t := p.next()
	text := t.Text(p.src)
	l := &Literal{Text: text, Position: t.Pos()}
	switch t.Kind {
	case TokString:
		l.Kind, l.Text = LitString, stringValue(text)
	case TokInteger:
		l.Kind = LitInteger
	case TokFloat:
		l.Kind, l.Text = LitFloat, floatText(text)
	case kwNan:
		l.Kind, l.Text = LitFloat, "NaN"
	case kwInfinity:
		l.Kind, l.Text = LitFloat, "Infinity"
	case TokBool:
		l.Kind, l.Text = LitBool, lower(text)
	case TokUUID:
		l.Kind = LitUUID
	case TokHex:
		l.Kind, l.Text = LitHex, text[2:]
	case TokDuration:
		l.Kind = LitDuration
	case kwNull:
		l.Kind, l.Text = LitNull, ""
	}
	return l
}

// floatText is the Text of a TokFloat, whose sign may have been taken as an operator.
func floatText(text string) string {
	digits := strings.TrimPrefix(text, "-")
	sign := text[:len(text)-len(digits)]
	switch digits[0] | 0x20 {
	case 'n':
		return sign + "NaN"
	case 'i':
		return sign + "Infinity"
	}
	return text
}

func (p *parser) marker() *BindMarker {
	at := p.i
	m := &BindMarker{Index: len(p.markers), Position: p.next().Pos()}
	if p.toks[at].Kind == TokColon {
		m.Name = p.ident().Name
	}
	if len(p.markers) >= MaxMarkers {
		p.reject(at, "Too many markers(?). %d markers exceed the allowed maximum of %d", len(p.markers)+1, MaxMarkers)
		return m
	}
	p.markers = append(p.markers, m)
	return m
}

// exprs reads a comma-separated list, which may be empty, and its closing token.
func (p *parser) exprs(cols bool, end TokenKind) []Expr {
	if p.accept(end) {
		return nil
	}
	list := []Expr{p.additive(cols)}
	for p.accept(TokComma) {
		list = append(list, p.additive(cols))
	}
	p.expect(end)
	return list
}

// braces reads a set, a map or a user type value.
func (p *parser) braces(cols bool) Expr {
	pos := p.next().Pos()
	if p.accept(TokRBrace) {
		return &SetLiteral{Position: pos}
	}
	if !cols && isName(p.kind()) && p.ahead(1) == TokColon {
		return p.udt(pos)
	}
	first := p.additive(cols)
	if p.kind() != TokColon {
		s := &SetLiteral{Elems: []Expr{first}, Position: pos}
		for p.accept(TokComma) {
			s.Elems = append(s.Elems, p.additive(cols))
		}
		p.expect(TokRBrace)
		return s
	}
	m := &MapLiteral{Position: pos}
	columns := true
	for key := first; ; key = p.additive(cols) {
		p.expect(TokColon)
		m.Entries = append(m.Entries, MapEntry{key, p.additive(cols)})
		_, isColumn := key.(*Column)
		columns = columns && isColumn
		if !p.accept(TokComma) {
			break
		}
	}
	p.expect(TokRBrace)
	if !columns {
		return m
	}
	u := &UDTLiteral{Position: pos, Fields: make([]UDTField, len(m.Entries))}
	for i, e := range m.Entries {
		u.Fields[i] = UDTField{e.Key.(*Column).Ident, e.Value}
	}
	return u
}

func (p *parser) udt(pos Pos) Expr {
	u := &UDTLiteral{Position: pos}
	for {
		name := p.ident()
		p.expect(TokColon)
		u.Fields = append(u.Fields, UDTField{name, p.additive(false)})
		if !p.accept(TokComma) {
			break
		}
	}
	p.expect(TokRBrace)
	return u
}

// parens reads a type hint, a tuple, or in a SELECT list an expression between parentheses.
func (p *parser) parens(cols bool) Expr {
	pos := p.next().Pos()
	if end := p.skipType(p.i, 0); end > 0 && p.toks[end].Kind == TokRParen && p.startsPrimary(end+1, cols) {
		h := &TypeHint{Type: p.typeExpr(), Position: pos}
		p.expect(TokRParen)
		if !p.enter() {
			return h
		}
		defer p.leave()
		h.Expr = p.primary(cols)
		if t, ok := h.Expr.(*TupleLiteral); ok && cols {
			h.Expr = unwrap(t)
		}
		return h
	}
	if p.kind() == TokRParen {
		p.noViable()
	}
	elems := p.exprs(cols, TokRParen)
	if cols && len(elems) == 1 {
		return elems[0]
	}
	return &TupleLiteral{Elems: elems, Position: pos}
}

// startsPrimary reports whether what a type hint applies to may start at index i.
func (p *parser) startsPrimary(i int, cols bool) bool {
	if i >= len(p.toks) {
		return false
	}
	switch k := p.toks[i].Kind; k {
	case TokString, TokInteger, TokFloat, TokBool, TokUUID, TokHex, TokDuration, TokMarker, TokColon, TokLBracket, TokLBrace,
		TokLParen, kwNan, kwInfinity, kwNull:
		return true
	default:
		if !isName(k) && k != kwToken || i+1 >= len(p.toks) {
			return false
		}
		if after := p.toks[i+1].Kind; after == TokLParen || after == TokDot {
			return true
		}
		return cols && k != kwAs
	}
}

func (p *parser) cast(cols bool) Expr {
	c := &Cast{Position: p.next().Pos()}
	p.expect(TokLParen)
	if cols {
		c.Expr = p.selectable()
	} else {
		c.Expr = p.unary(false)
	}
	p.expect(kwAs)
	if k := p.kind(); k < firstKeyword || k.class() != classType {
		p.noViable()
	}
	c.Type = p.typeExpr()
	p.expect(TokRParen)
	return c
}

func (p *parser) cellAttr() Expr {
	t := p.next()
	a := &CellAttr{Position: t.Pos()}
	switch t.Kind {
	case kwTtl:
		a.Kind = AttrTTL
	case kwMaxwritetime:
		a.Kind = AttrMaxWritetime
	}
	p.expect(TokLParen)
	a.Of = p.modifiers(&Column{p.ident()})
	p.expect(TokRParen)
	return a
}

func (p *parser) functionName() Name {
	n := Name{Pos: p.pos()}
	if p.ahead(1) == TokDot {
		n.Keyspace = p.keyspace().Name
		p.next()
	}
	if !isFunctionName(p.kind()) {
		p.noViable()
		return n
	}
	n.Name = p.identOf(p.next()).Name
	return n
}

func (p *parser) call(cols bool) Expr {
	pos := p.pos()
	f := &FunctionCall{Name: p.functionName(), Position: pos}
	p.expect(TokLParen)
	if cols && f.Name.Name == "count" && p.accept2(TokStar, TokRParen) {
		f.Star = true
		return f
	}
	f.Args = p.exprs(cols, TokRParen)
	return f
}

// intValue reads what LIMIT, TTL and TIMESTAMP take.
func (p *parser) intValue() Term {
	switch p.kind() {
	case TokInteger:
		return p.literal()
	case TokMarker, TokColon:
		return p.marker()
	}
	p.noViable()
	return nil
}
