package cql

import "strings"

// functionNamed reads [keyspace.]name of a function.
func (p *parser) functionNamed() Name {
	if k := p.kind(); p.ahead(1) != TokDot && !isFunctionName(k) {
		p.noViable()
	}
	return p.functionName()
}

func (p *parser) createFunctionOrAggregate(n node) Statement {
	replace := false
	if p.accept(kwOr) {
		p.expect(kwReplace)
		replace = true
	}
	switch p.kind() {
	case kwFunction:
		return p.createFunction(n, replace)
	case kwAggregate:
		return p.createAggregate(n, replace)
	}
	p.noViable()
	return nil
}

func (p *parser) createFunction(n node, replace bool) Statement {
	p.next()
	s := &CreateFunction{node: n, OrReplace: replace, IfNotExists: p.ifNotExists(), Name: p.functionNamed()}
	p.expect(TokLParen)
	if !p.accept(TokRParen) {
		s.Args = append(s.Args, FunctionArg(p.fieldDef()))
		for p.accept(TokComma) {
			s.Args = append(s.Args, FunctionArg(p.fieldDef()))
		}
		p.expect(TokRParen)
	}
	switch {
	case p.accept(kwCalled):
		s.CalledOnNullInput = true
	case p.accept(kwReturns):
		p.expect(kwNull)
	default:
		p.noViable()
	}
	p.expect(kwOn)
	p.expect(kwNull)
	p.expect(kwInput)
	p.expect(kwReturns)
	s.Returns = p.typeExpr()
	p.expect(kwLanguage)
	s.Language = strings.ToLower(p.expect(TokIdent).Text(p.src))
	p.expect(kwAs)
	s.Body = p.str()
	return s
}

func (p *parser) createAggregate(n node, replace bool) Statement {
	p.next()
	s := &CreateAggregate{node: n, OrReplace: replace, IfNotExists: p.ifNotExists(), Name: p.functionNamed()}
	p.expect(TokLParen)
	s.ArgTypes = p.types()
	p.expect(kwSfunc)
	s.StateFunc = p.functionNamed().Name
	p.expect(kwStype)
	s.StateType = p.typeExpr()
	if p.accept(kwFinalfunc) {
		s.FinalFunc = p.functionNamed().Name
	}
	if p.accept(kwInitcond) {
		s.InitCond = p.term()
	}
	return s
}
