package cql

import (
	"fmt"
	"strings"
)

// SyntaxError tells why and where a text is no CQL. Msg is whole, in Cassandra's words, with the place and the excerpt; Line, Col and
// Offset are the same place for programs (at the end of the text, Msg says `line 0:-1` as Cassandra does and the fields say where
// the end is). Length is the bytes of the offending token, 0 at the end of the text.
type SyntaxError struct {
	Line, Col, Offset, Length int
	Msg                       string
}

// Error gives Msg.
func (e *SyntaxError) Error() string { return e.Msg }

// The excerpt of an error starts this many tokens, white space included, before the offending one.
const excerptTokensBefore = 10

// maxExcerptBytes bounds the excerpt of a message; Cassandra has no bound, but a message must fit a frame.
const maxExcerptBytes = 512

// maxMessageToken bounds a token quoted in a message.
const maxMessageToken = 128

func lexError(src string, at Token, format string, args ...any) *SyntaxError {
	e := &SyntaxError{Line: int(at.Line), Col: int(at.Col), Offset: int(at.Start), Length: int(at.End - at.Start)}
	e.Msg = fmt.Sprintf("line %d:%d ", at.Line, at.Col) + fmt.Sprintf(format, args...)
	return e
}

// parseError builds the error for a token that the grammar does not want.
func parseError(src string, at Token, msg string) *SyntaxError {
	e := &SyntaxError{Line: int(at.Line), Col: int(at.Col), Offset: int(at.Start), Length: int(at.End - at.Start)}
	if at.Kind == TokEOF {
		e.Msg = "line 0:-1 " + msg
		return e
	}
	e.Msg = fmt.Sprintf("line %d:%d %s%s", at.Line, at.Col, msg, excerpt(src, at))
	return e
}

func mismatched(src string, at Token, want string) *SyntaxError {
	return parseError(src, at, "mismatched input '"+tokenDisplay(src, at)+"' expecting "+want)
}

func noViable(src string, at Token) *SyntaxError {
	return parseError(src, at, "no viable alternative at input '"+tokenDisplay(src, at)+"'")
}

func tokenDisplay(src string, t Token) string {
	if t.Kind == TokEOF {
		return "<EOF>"
	}
	s := t.Text(src)
	switch t.Kind {
	case TokString:
		s = stringValue(s)
	case TokQuotedName:
		s = quotedValue(s)
	}
	if len(s) > maxMessageToken {
		s = s[:cutRune(s, maxMessageToken)] + "..."
	}
	return strings.NewReplacer("\n", "\\n", "\r", "\\r", "\t", "\\t").Replace(s)
}

// excerpt gives ` (...text [token]...)`: up to ten tokens before the offending one, white space counted, line ends left out.
func excerpt(src string, at Token) string {
	lx := Lexer{src: src, KeepHidden: true}
	lx.reset()
	var ring [excerptTokensBefore + 1]Token
	n := 0
	for {
		t, err := lx.Next()
		if err != nil || t.Kind == TokEOF {
			return ""
		}
		ring[n%len(ring)] = t
		n++
		if t.Start >= at.Start {
			break
		}
	}
	from := 0
	if n > len(ring) {
		from = int(ring[n%len(ring)].Start)
	}
	before := src[from:at.Start]
	cut := from > 0
	if len(before) > maxExcerptBytes {
		before, cut = before[len(before)-cutRune(before, maxExcerptBytes):], true
		for len(before) > 0 && before[0]&0xC0 == 0x80 {
			before = before[1:]
		}
	}
	token, tail := src[at.Start:at.End], ""
	if len(token) > maxExcerptBytes {
		token = token[:cutRune(token, maxExcerptBytes)]
	}
	if int(at.End) != len(strings.TrimRight(src, "\n")) {
		tail = "..."
	}
	var b strings.Builder
	b.WriteString(" (")
	if cut {
		b.WriteString("...")
	}
	b.WriteString(strings.ReplaceAll(before, "\n", ""))
	b.WriteByte('[')
	b.WriteString(strings.ReplaceAll(token, "\n", ""))
	b.WriteByte(']')
	b.WriteString(tail)
	b.WriteByte(')')
	return b.String()
}

// cutRune gives the largest n <= limit at which s may be cut without splitting a character.
func cutRune(s string, limit int) int {
	n := min(limit, len(s))
	for n > 0 && n < len(s) && s[n]&0xC0 == 0x80 {
		n--
	}
	return n
}
