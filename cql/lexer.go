package cql

import "strings"

// Lexer cuts a text into tokens. Its zero value is not usable: make one with NewLexer. It allocates only for errors.
type Lexer struct {
	// KeepHidden makes Next give white space and comments too.
	KeepHidden bool
	src        string
	off        int32
	line       int32
	col        int32
}

// NewLexer starts at the beginning of src. A text over 2 GiB is cut off.
func NewLexer(src string) *Lexer {
	lx := &Lexer{src: src[:min(len(src), 1<<31-1)]}
	lx.reset()
	return lx
}

func (lx *Lexer) reset() { lx.off, lx.line, lx.col = 0, 1, 0 }

// Next gives the next token; after the last one it gives TokEOF again and again. The error is a *SyntaxError; after it the
// lexer must not be used.
func (lx *Lexer) Next() (Token, error) {
	for {
		t := Token{Start: lx.off, Line: lx.line, Col: lx.col}
		if int(lx.off) >= len(lx.src) {
			t.End = t.Start
			return t, nil
		}
		kind, end, err := lx.scan(t)
		if err != nil {
			return t, err
		}
		t.Kind, t.End = kind, end
		lx.advance(end, kind)
		if lx.KeepHidden || kind != TokSpace && kind != TokComment {
			return t, nil
		}
	}
}

// advance moves behind a token. Only these kinds can hold line ends or bytes that are no ASCII.
func (lx *Lexer) advance(end int32, kind TokenKind) {
	switch kind {
	case TokSpace, TokComment, TokString, TokQuotedName, TokDuration:
		for _, c := range []byte(lx.src[lx.off:end]) {
			if c == '\n' {
				lx.line++
				lx.col = 0
			} else if c&0xC0 != 0x80 {
				lx.col++
			}
		}
	default:
		lx.col += end - lx.off
	}
	lx.off = end
}

func (lx *Lexer) at(i int32) byte {
	if int(i) < len(lx.src) {
		return lx.src[i]
	}
	return 0
}

// scan finds kind and end of the token that starts at t.
func (lx *Lexer) scan(t Token) (TokenKind, int32, error) {
	i := t.Start
	c := lx.src[i]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		for i++; isSpace(lx.at(i)); i++ {
		}
		return TokSpace, i, nil
	case isLetter(c):
		kind, end := lx.word(i)
		return kind, end, nil
	case isDigit(c):
		kind, end := lx.number(i, i)
		return kind, end, nil
	case c == '\'':
		return lx.quoted(t, '\'', TokString)
	case c == '"':
		return lx.quoted(t, '"', TokQuotedName)
	case c == '$':
		return lx.dollar(t)
	case c == '-' || c == '/':
		return lx.minusOrSlash(t)
	}
	kind, n := symbol(c, lx.at(i+1))
	if n == 0 {
		t.End = i + 1
		for int(t.End) < len(lx.src) && lx.src[t.End]&0xC0 == 0x80 {
			t.End++
		}
		return 0, 0, lexError(lx.src, t, "no viable alternative at character '%s'", lx.src[i:t.End])
	}
	return kind, i + n, nil
}

func symbol(c, next byte) (TokenKind, int32) {
	if next == '=' {
		switch c {
		case '!':
			return TokNe, 2
		case '<':
			return TokLe, 2
		case '>':
			return TokGe, 2
		case '+':
			return TokPlusEq, 2
		}
	}
	switch c {
	case '?':
		return TokMarker, 1
	case ':':
		return TokColon, 1
	case ';':
		return TokSemicolon, 1
	case ',':
		return TokComma, 1
	case '.':
		if next == '.' {
			return TokRange, 2
		}
		return TokDot, 1
	case '(':
		return TokLParen, 1
	case ')':
		return TokRParen, 1
	case '[':
		return TokLBracket, 1
	case ']':
		return TokRBracket, 1
	case '{':
		return TokLBrace, 1
	case '}':
		return TokRBrace, 1
	case '=':
		return TokEq, 1
	case '<':
		return TokLt, 1
	case '>':
		return TokGt, 1
	case '+':
		return TokPlus, 1
	case '*':
		return TokStar, 1
	case '%':
		return TokPercent, 1
	}
	return 0, 0
}

// quoted scans up to the closing quote; a doubled quote stands for itself.
func (lx *Lexer) quoted(t Token, quote byte, kind TokenKind) (TokenKind, int32, error) {
	i := int(t.Start) + 1
	for {
		n := strings.IndexByte(lx.src[i:], quote)
		if n < 0 {
			return 0, 0, lx.openEnd(t, string(quote))
		}
		i += n + 1
		if i < len(lx.src) && lx.src[i] == quote {
			i++
			continue
		}
		return kind, int32(i), nil
	}
}

// openEnd is the error for a quote or comment that is never closed. Msg names the end of the text, the place is where it opens.
func (lx *Lexer) openEnd(t Token, want string) error {
	lx.advance(int32(len(lx.src)), TokString)
	end := Token{Line: lx.line, Col: lx.col}
	e := lexError(lx.src, end, "mismatched character '<EOF>' expecting '%s'", want)
	e.Line, e.Col, e.Offset, e.Length = int(t.Line), int(t.Col), int(t.Start), 1
	return e
}

func (lx *Lexer) dollar(t Token) (TokenKind, int32, error) {
	if lx.at(t.Start+1) != '$' {
		t.End = t.Start + 1
		return 0, 0, lexError(lx.src, t, "mismatched character '%s' expecting '$'", charDisplay(lx.src, t.End))
	}
	n := strings.Index(lx.src[t.Start+2:], "$$")
	if n < 0 {
		return 0, 0, lx.openEnd(t, "$")
	}
	return TokString, t.Start + 2 + int32(n) + 2, nil
}

func charDisplay(src string, i int32) string {
	if int(i) >= len(src) {
		return "<EOF>"
	}
	return src[i : i+1]
}

// minusOrSlash scans comments, negative numbers and durations, -= and the two operators.
func (lx *Lexer) minusOrSlash(t Token) (TokenKind, int32, error) {
	i := t.Start
	c, next := lx.src[i], lx.at(i+1)
	switch {
	case c == next:
		end := int32(len(lx.src))
		if n := strings.IndexAny(lx.src[i:], "\n\r"); n >= 0 {
			end = i + int32(n)
		}
		return TokComment, end, nil
	case c == '/' && next == '*':
		n := strings.Index(lx.src[i+2:], "*/")
		if n < 0 {
			return 0, 0, lx.openEnd(t, "*")
		}
		return TokComment, i + 2 + int32(n) + 2, nil
	case c == '/':
		return TokSlash, i + 1, nil
	case next == '=':
		return TokMinusEq, i + 2, nil
	case isDigit(next):
		kind, end := lx.number(i, i+1)
		return kind, end, nil
	case next == 'P':
		if end := lx.isoDuration(i + 1); end > 0 {
			return TokDuration, end, nil
		}
	case next == 'n' || next == 'N' || next == 'i' || next == 'I':
		if kind, end := lx.word(i + 1); kind == kwNan || kind == kwInfinity {
			return TokFloat, end, nil
		}
	}
	return TokMinus, i + 1, nil
}

// word scans a keyword, a name, true/false, and what starts like a name: a uuid or an ISO duration.
func (lx *Lexer) word(i int32) (TokenKind, int32) {
	c := lx.src[i]
	if isHex(c) && lx.isUUID(i) {
		return TokUUID, i + 36
	}
	end := i + 1
	for isWordByte(lx.at(end)) {
		end++
	}
	if c == 'P' {
		if d := lx.isoDuration(i); d >= end {
			return TokDuration, d
		}
	}
	n := end - i
	if n > maxKeywordBytes {
		return TokIdent, end
	}
	var lower [maxKeywordBytes]byte
	for j := range n {
		b := lx.src[i+j]
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[j] = b
	}
	switch string(lower[:n]) {
	case "true", "false":
		return TokBool, end
	}
	if k, ok := keywordKinds[string(lower[:n])]; ok {
		return k, end
	}
	return TokIdent, end
}

// number scans an integer, float, duration, hex blob or uuid; digits start at i and the token (a sign before it) at start.
func (lx *Lexer) number(start, i int32) (TokenKind, int32) {
	if start == i {
		if lx.isUUID(i) {
			return TokUUID, i + 36
		}
		if lx.src[i] == '0' && (lx.at(i+1) == 'x' || lx.at(i+1) == 'X') {
			for i += 2; isHex(lx.at(i)); i++ {
			}
			return TokHex, i
		}
	}
	end := lx.digits(i)
	if d := lx.unitDuration(i); d > 0 {
		return TokDuration, d
	}
	kind := TokInteger
	if lx.at(end) == '.' && (lx.at(end+1) != '.' || lx.at(end+2) == '.') {
		kind = TokFloat
		end = lx.digits(end + 1)
	}
	if e := lx.at(end); e == 'e' || e == 'E' {
		x := end + 1
		if s := lx.at(x); s == '+' || s == '-' {
			x++
		}
		if isDigit(lx.at(x)) {
			return TokFloat, lx.digits(x)
		}
	}
	return kind, end
}

func (lx *Lexer) digits(i int32) int32 {
	for isDigit(lx.at(i)) {
		i++
	}
	return i
}

// unitDuration gives the end of `1h30m` that starts at i, or 0.
func (lx *Lexer) unitDuration(i int32) int32 {
	end := int32(0)
	for {
		d := lx.digits(i)
		if d == i {
			return end
		}
		u := lx.unit(d)
		if u == 0 {
			return end
		}
		i = d + u
		end = i
	}
}

// unit gives the bytes of the duration unit at i, or 0.
func (lx *Lexer) unit(i int32) int32 {
	next := lx.at(i+1) | 0x20
	switch lx.at(i) | 0x20 {
	case 'm':
		if next == 'o' || next == 's' {
			return 2
		}
		return 1
	case 'y', 'w', 'd', 'h', 's':
		return 1
	case 'u', 'n':
		if next == 's' {
			return 2
		}
	}
	if lx.at(i) == 0xC2 && lx.at(i+1) == 0xB5 && lx.at(i+2)|0x20 == 's' {
		return 3
	}
	return 0
}

// isoDuration gives the end of the ISO 8601 duration whose P is at i, or 0.
func (lx *Lexer) isoDuration(i int32) int32 {
	if end := i + 20; int(end) <= len(lx.src) && isoAlternative(lx.src[i+1:end]) {
		return end
	}
	end := lx.designators(i+1, "YMD")
	if end == 0 {
		if w := lx.designators(i+1, "W"); w > 0 {
			return w
		}
		end = i + 1
	}
	if lx.at(end) == 'T' {
		if t := lx.designators(end+1, "HMS"); t > 0 {
			return t
		}
	}
	if end == i+1 {
		return 0
	}
	return end
}

// designators scans number-letter pairs whose letters come in the order of set; it gives 0 when there is none.
func (lx *Lexer) designators(i int32, set string) int32 {
	end := int32(0)
	for {
		d := lx.digits(i)
		if d == i || int(d) >= len(lx.src) {
			return end
		}
		n := strings.IndexByte(set, lx.src[d])
		if n < 0 {
			return end
		}
		set = set[n+1:]
		i = d + 1
		end = i
	}
}

// isoAlternative tells whether s is like 0001-02-03T04:05:06.
func isoAlternative(s string) bool { return matchShape(s, "dddd-dd-ddTdd:dd:dd") }

func (lx *Lexer) isUUID(i int32) bool {
	return int(i)+36 <= len(lx.src) && lx.src[i+8] == '-' && matchShape(lx.src[i:i+36], "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
}

// matchShape compares s with a pattern of the same length: d is a digit, h a hex digit, anything else is itself.
func matchShape(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := range len(s) {
		switch shape[i] {
		case 'd':
			if !isDigit(s[i]) {
				return false
			}
		case 'h':
			if !isHex(s[i]) {
				return false
			}
		default:
			if s[i] != shape[i] {
				return false
			}
		}
	}
	return true
}

func isSpace(c byte) bool    { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isLetter(c byte) bool   { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isHex(c byte) bool      { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// stringValue gives the value of a TokString.
func stringValue(text string) string {
	if text[0] == '$' {
		return text[2 : len(text)-2]
	}
	body := text[1 : len(text)-1]
	if strings.IndexByte(body, '\'') < 0 {
		return body
	}
	return strings.ReplaceAll(body, "''", "'")
}

// quotedValue gives the name of a TokQuotedName.
func quotedValue(text string) string {
	body := text[1 : len(text)-1]
	if strings.IndexByte(body, '"') < 0 {
		return body
	}
	return strings.ReplaceAll(body, `""`, `"`)
}
