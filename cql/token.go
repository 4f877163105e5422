package cql

// TokenKind is the kind of a Token. Kinds from the first keyword on are keywords.
type TokenKind uint8

// Kinds of tokens that are no keywords.
const (
	TokEOF TokenKind = iota
	TokIdent
	TokQuotedName // also `""`
	TokString     // 'text' or $$text$$
	TokInteger
	TokFloat // also NaN and Infinity with or without sign
	TokBool
	TokUUID
	TokHex
	TokDuration
	TokMarker // ?
	TokColon
	TokSemicolon
	TokComma
	TokDot
	TokRange // ..
	TokLParen
	TokRParen
	TokLBracket
	TokRBracket
	TokLBrace
	TokRBrace
	TokEq
	TokNe
	TokLt
	TokLe
	TokGt
	TokGe
	TokPlus
	TokMinus
	TokStar
	TokSlash
	TokPercent
	TokPlusEq
	TokMinusEq
	// TokSpace is a run of white space and TokComment one comment; only a Lexer with KeepHidden gives them.
	TokSpace
	TokComment
	firstKeyword
)

// Token is one token of a text. Start and End are byte offsets; Line counts from 1, Col (characters) from 0.
type Token struct {
	Kind       TokenKind
	Start, End int32
	Line, Col  int32
}

// IsKeyword reports whether the token is a keyword, reserved or not.
func (t Token) IsKeyword() bool { return t.Kind >= firstKeyword }

// Text gives the token as written.
func (t Token) Text(src string) string { return src[t.Start:t.End] }

// Pos gives the place of the token.
func (t Token) Pos() Pos { return Pos{Line: t.Line, Col: t.Col, Offset: t.Start} }

// display names a kind the way that Cassandra's messages do after "expecting".
func (k TokenKind) display() string {
	if k >= firstKeyword {
		return "K_" + keywords[k-firstKeyword].label()
	}
	return [...]string{
		TokEOF: "EOF", TokIdent: "IDENT", TokQuotedName: "QUOTED_NAME", TokString: "STRING_LITERAL", TokInteger: "INTEGER",
		TokFloat: "FLOAT", TokBool: "BOOLEAN", TokUUID: "UUID", TokHex: "HEXNUMBER", TokDuration: "DURATION", TokMarker: "QMARK",
		TokColon: "':'", TokSemicolon: "';'", TokComma: "','", TokDot: "'.'", TokRange: "RANGE", TokLParen: "'('", TokRParen: "')'",
		TokLBracket: "'['", TokRBracket: "']'", TokLBrace: "'{'", TokRBrace: "'}'", TokEq: "'='", TokNe: "'!='", TokLt: "'<'",
		TokLe: "'<='", TokGt: "'>'", TokGe: "'>='", TokPlus: "'+'", TokMinus: "'-'", TokStar: "'*'", TokSlash: "'/'",
		TokPercent: "'%'", TokPlusEq: "'+='", TokMinusEq: "'-='", TokSpace: "WS", TokComment: "COMMENT",
	}[k]
}
