package cql

import "strconv"

// reservedTypes are names that no user type may have.
var reservedTypes = map[string]bool{"byte": true, "complex": true, "enum": true, "interval": true, "macaddr": true, "bitstring": true}

// typeName reads [keyspace.]name of a user type.
func (p *parser) typeName() Name {
	n := Name{Pos: p.pos()}
	if p.ahead(1) == TokDot {
		n.Keyspace = p.ident().Name
		p.next()
	}
	at := p.i
	if !isTypeName(p.kind()) {
		p.noViable()
		return n
	}
	id := p.ident()
	if !id.Quoted && reservedTypes[id.Name] {
		p.reject(at, "Invalid (reserved) user type name %s", id.Name)
	}
	n.Name = id.Name
	return n
}

// isTypeName reports whether a token may name a user type.
func isTypeName(k TokenKind) bool {
	return isName(k) && (k < firstKeyword || k.class() == classBasic || k == kwKey)
}

func (p *parser) typeExpr() *TypeExpr {
	t := &TypeExpr{Position: p.pos()}
	if !p.enter() {
		return t
	}
	defer p.leave()
	k := p.kind()
	switch {
	case k == TokString:
		t.Kind, t.Name = TypeCustom, p.str()
	case k == kwFrozen && p.ahead(1) == TokLt:
		p.next()
		p.next()
		t = p.typeExpr()
		t.Frozen = true
		p.expect(TokGt)
	case typeArgs(k) != 0 && p.ahead(1) == TokLt:
		p.parametric(t)
	case k >= firstKeyword && k.class() == classType && p.ahead(1) != TokDot:
		t.Kind, t.Name = TypeNative, lower(p.next().Text(p.src))
	default:
		n := p.typeName()
		t.Kind, t.Keyspace, t.Name = TypeUser, n.Keyspace, n.Name
	}
	return t
}

// typeArgs gives the number of types between the angle brackets, -1 for any number, 0 when k names no such type.
func typeArgs(k TokenKind) int {
	switch k {
	case kwList, kwSet, kwVector:
		return 1
	case kwMap:
		return 2
	case kwTuple:
		return -1
	}
	return 0
}

func (p *parser) parametric(t *TypeExpr) {
	k := p.next().Kind
	p.next()
	switch k {
	case kwList:
		t.Kind = TypeList
	case kwSet:
		t.Kind = TypeSet
	case kwMap:
		t.Kind = TypeMap
	case kwTuple:
		t.Kind = TypeTuple
	case kwVector:
		t.Kind = TypeVector
	}
	t.Args = append(t.Args, p.typeExpr())
	if k == kwMap {
		p.expect(TokComma)
		t.Args = append(t.Args, p.typeExpr())
	}
	for k == kwTuple && p.accept(TokComma) {
		t.Args = append(t.Args, p.typeExpr())
	}
	if k == kwVector {
		p.expect(TokComma)
		at := p.i
		text := p.expect(TokInteger).Text(p.src)
		dim, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			p.reject(at, "Invalid vector dimension %s", text)
		}
		t.Dim = int(dim)
	}
	p.expect(TokGt)
}

// skipType gives the index behind the type that starts at index i, or 0 when none does. It only looks.
func (p *parser) skipType(i, depth int) int {
	if depth > MaxNesting || i+1 >= len(p.toks) {
		return 0
	}
	k, after := p.toks[i].Kind, p.toks[i+1].Kind
	switch {
	case k == TokString:
		return i + 1
	case (k == kwFrozen || typeArgs(k) != 0) && after == TokLt:
		for i += 2; ; i++ {
			if p.toks[i].Kind == TokInteger {
				i++
			} else if i = p.skipType(i, depth+1); i == 0 {
				return 0
			}
			switch p.toks[i].Kind {
			case TokGt:
				return i + 1
			case TokComma:
			default:
				return 0
			}
		}
	case !isName(k):
		return 0
	case after == TokDot:
		if i+2 < len(p.toks) && isName(p.toks[i+2].Kind) {
			return i + 3
		}
		return 0
	}
	return i + 1
}
