package cql

import (
	"fmt"
	"strings"
	"sync"
)

// Parse reads one statement; a trailing `;` is allowed. The error is a *SyntaxError. The tree keeps parts of text alive.
func Parse(text string) (Statement, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	defer p.release()
	s := p.statement()
	for p.accept(TokSemicolon) {
	}
	p.expect(TokEOF)
	if p.err != nil {
		return nil, p.err
	}
	return p.finish(s), nil
}

// ParseType reads a type such as `map<text, frozen<list<int>>>`.
func ParseType(text string) (*TypeExpr, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	defer p.release()
	t := p.typeExpr()
	p.expect(TokEOF)
	if p.err != nil {
		return nil, p.err
	}
	return t, nil
}

// parser is a recursive-descent parser over the tokens of one text.
//
// The first error is kept in err and moves the parser to the end token, where no loop goes on; so the grammar functions need no
// checks of their own, what they return after an error is thrown away. Every function that can call itself goes through enter.
type parser struct {
	src     string
	toks    []Token // ends with TokEOF
	i       int     // current token, never beyond the last
	depth   int     // enter calls not yet left, at most MaxNesting
	markers []*BindMarker
	err     error
}

// maxPooledTokens keeps the buffers of rare huge statements out of the pool.
const maxPooledTokens = 4096

var parserPool = sync.Pool{New: func() any { return &parser{toks: make([]Token, 0, 128)} }}

func newParser(text string) (*parser, error) {
	if len(text) > MaxTextBytes {
		return nil, plainError(Token{Line: 1}, fmt.Sprintf("statement of %d bytes is over the limit of %d", len(text), MaxTextBytes))
	}
	p := parserPool.Get().(*parser)
	p.src = text
	lx := Lexer{src: text}
	lx.reset()
	for {
		t, err := lx.Next()
		if err == nil && len(p.toks) >= MaxTokens {
			err = plainError(t, fmt.Sprintf("statement has more than %d words and signs", MaxTokens))
		}
		if err != nil {
			p.release()
			return nil, err
		}
		p.toks = append(p.toks, t)
		if t.Kind == TokEOF {
			return p, nil
		}
	}
}

func (p *parser) release() {
	if cap(p.toks) > maxPooledTokens {
		return
	}
	*p = parser{toks: p.toks[:0]}
	parserPool.Put(p)
}

func (p *parser) finish(s Statement) Statement {
	if b, ok := s.(interface{ base() *node }); ok {
		b.base().markers = p.markers
	}
	return s
}

// plainError is an error whose message has no place in front, as Cassandra gives for rules outside of its grammar.
func plainError(at Token, msg string) *SyntaxError {
	return &SyntaxError{Line: int(at.Line), Col: int(at.Col), Offset: int(at.Start), Length: int(at.End - at.Start), Msg: msg}
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.i = len(p.toks) - 1
}

func (p *parser) noViable() { p.noViableAt(p.i) }

func (p *parser) noViableAt(i int) {
	if p.err == nil {
		p.fail(noViable(p.src, p.toks[min(i, len(p.toks)-1)]))
	}
}

// reject fails at the token at index i with a rule that the grammar does not hold.
func (p *parser) reject(i int, format string, args ...any) {
	if p.err == nil {
		p.fail(plainError(p.toks[i], fmt.Sprintf(format, args...)))
	}
}

func (p *parser) kind() TokenKind { return p.toks[p.i].Kind }

// ahead gives the kind of the n-th token after the current one.
func (p *parser) ahead(n int) TokenKind { return p.toks[min(p.i+n, len(p.toks)-1)].Kind }

func (p *parser) pos() Pos { return p.toks[p.i].Pos() }

func (p *parser) next() Token {
	t := p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) accept(k TokenKind) bool {
	if p.toks[p.i].Kind != k || k == TokEOF {
		return false
	}
	p.next()
	return true
}

// accept2 takes two tokens or none.
func (p *parser) accept2(a, b TokenKind) bool {
	if p.kind() != a || p.ahead(1) != b {
		return false
	}
	p.next()
	p.next()
	return true
}

func (p *parser) expect(k TokenKind) Token {
	if p.kind() != k {
		if p.err == nil {
			p.fail(mismatched(p.src, p.toks[p.i], k.display()))
		}
		return p.toks[p.i]
	}
	return p.next()
}

// isWord reports whether the n-th token after the current one is the bare word w (lower case), which need not be a keyword.
func (p *parser) isWord(n int, w string) bool {
	t := p.toks[min(p.i+n, len(p.toks)-1)]
	return (t.Kind == TokIdent || t.IsKeyword()) && strings.EqualFold(t.Text(p.src), w)
}

// enter counts a level of nesting; the caller calls leave when it reports true.
func (p *parser) enter() bool {
	if p.depth >= MaxNesting {
		p.reject(p.i, "line %d:%d nested more than %d levels deep", p.toks[p.i].Line, p.toks[p.i].Col, MaxNesting)
		return false
	}
	p.depth++
	return true
}

func (p *parser) leave() { p.depth-- }

func (p *parser) str() string {
	t := p.expect(TokString)
	if p.err != nil {
		return ""
	}
	return stringValue(t.Text(p.src))
}

func isName(k TokenKind) bool {
	return k == TokIdent || k == TokQuotedName || k >= firstKeyword && k.class() != classReserved
}

func isFunctionName(k TokenKind) bool {
	if k < firstKeyword {
		return k == TokIdent || k == TokQuotedName
	}
	c := k.class()
	return c == classBasic || c == classType || k == kwToken || k == kwCount
}

// ident reads a name; an unquoted one is folded to lower case.
func (p *parser) ident() Ident {
	if p.kind() == TokQuotedName && p.toks[p.i].End-p.toks[p.i].Start == 2 {
		p.noViable()
	}
	return p.columnIdent()
}

// columnIdent is ident that also takes `""`.
func (p *parser) columnIdent() Ident {
	if !isName(p.kind()) {
		p.noViable()
		return Ident{}
	}
	return p.identOf(p.next())
}

func (p *parser) identOf(t Token) Ident {
	id := Ident{Pos: t.Pos()}
	if t.Kind == TokQuotedName {
		id.Name, id.Quoted = quotedValue(t.Text(p.src)), true
		return id
	}
	id.Name = lower(t.Text(p.src))
	return id
}

// lower folds ASCII letters and gives s itself when there is nothing to fold.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// qualified reads [keyspace.]name; what says in a message what the name stands for.
func (p *parser) qualified(what string) Name {
	n := Name{Pos: p.pos()}
	if p.kind() == TokMarker {
		if p.ahead(1) == TokDot {
			what = "keyspace"
		}
		p.reject(p.i, "Bind variables cannot be used for %s names", what)
	}
	n.Name = p.ident().Name
	if p.accept(TokDot) {
		if p.kind() == TokMarker {
			p.reject(p.i, "Bind variables cannot be used for %s names", what)
		}
		n.Keyspace, n.Name = n.Name, p.ident().Name
	}
	return n
}

func (p *parser) table() Name { return p.qualified("table") }

func (p *parser) keyspace() Ident {
	if p.kind() == TokMarker {
		p.reject(p.i, "Bind variables cannot be used for keyspace names")
	}
	return p.ident()
}

func (p *parser) ifNotExists() bool {
	if !p.accept(kwIf) {
		return false
	}
	p.expect(kwNot)
	p.expect(kwExists)
	return true
}

func (p *parser) ifExists() bool {
	if !p.accept(kwIf) {
		return false
	}
	p.expect(kwExists)
	return true
}

func (p *parser) node() node { return node{pos: p.pos()} }

// statement reads one statement up to its last token.
func (p *parser) statement() Statement {
	switch p.kind() {
	case kwSelect:
		return p.selectStatement()
	case kwInsert, kwUpdate, kwDelete:
		return p.modification()
	case kwBegin:
		return p.batch()
	case kwUse:
		n := p.node()
		p.next()
		return &Use{node: n, Keyspace: p.keyspace()}
	case kwTruncate:
		n := p.node()
		p.next()
		if p.kind() == kwTable || p.kind() == kwColumnfamily {
			p.next()
		}
		return &Truncate{node: n, Table: p.table()}
	case kwCreate:
		return p.create()
	case kwAlter:
		return p.alter()
	case kwDrop:
		return p.drop()
	case kwGrant, kwRevoke:
		return p.grant()
	case kwList:
		return p.list()
	case kwDescribe, kwDesc:
		return p.describe()
	case kwAdd:
		return p.addIdentity()
	}
	return p.unsupported()
}

// laterStatements are statements of later releases or of other servers, told by their first two words.
var laterStatements = [][2]string{
	{"comment", "on"}, {"security", "label"}, {"prune", "materialized"}, {"invoke", "command"}, {"commit", "transaction"},
	{"attach", "service"}, {"detach", "service"},
}

func (p *parser) unsupported() Statement {
	for _, w := range laterStatements {
		if p.isWord(0, w[0]) && p.isWord(1, w[1]) {
			return p.skipUnsupported(strings.ToUpper(w[0] + " " + w[1]))
		}
	}
	p.noViable()
	return nil
}

// skipUnsupported takes all that is left.
func (p *parser) skipUnsupported(feature string) Statement {
	n := p.node()
	p.i = len(p.toks) - 1
	return &Unsupported{node: n, Feature: feature}
}
