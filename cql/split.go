package cql

import "errors"

// Piece is one statement of a longer text, with its `;` when it has one.
type Piece struct {
	Text string
	// Offset and Line tell where Text starts in the whole text: bytes from 0, lines from 1.
	Offset, Line int
}

// Split cuts a text at the semicolons that end statements: not those inside of strings, quoted names and comments, nor those between
// BEGIN BATCH and APPLY BATCH. What follows the last end comes back as rest, empty when it is but white space and comments; open
// tells that rest breaks off inside of a string, a quoted name or a comment. Statements are cut, not checked.
func Split(text string) (done []Piece, rest Piece, open bool) {
	lx := NewLexer(text)
	var s splitter
	for {
		t, err := lx.Next()
		if err != nil {
			if end := lx.skipBad(err); end {
				if s.words == 0 {
					s.start = t
				}
				return done, Piece{text[s.start.Start:], int(s.start.Start), int(s.start.Line)}, true
			}
			t.Kind, t.End = TokIdent, lx.off // some sign that belongs to the statement
		}
		if t.Kind == TokEOF {
			if s.words == 0 {
				return done, Piece{"", len(text), int(t.Line)}, false
			}
			return done, Piece{text[s.start.Start:], int(s.start.Start), int(s.start.Line)}, false
		}
		if s.add(text, t) {
			if s.words > 1 {
				done = append(done, Piece{text[s.start.Start:t.End], int(s.start.Start), int(s.start.Line)})
			}
			s = splitter{}
		}
	}
}

// skipBad gets over a sign that is no CQL; it reports true when the rest of the text is inside of an open quote or comment.
func (lx *Lexer) skipBad(err error) bool {
	var e *SyntaxError
	if errors.As(err, &e) && int(lx.off) < len(lx.src) {
		n := lx.off + 1
		for int(n) < len(lx.src) && lx.src[n]&0xC0 == 0x80 {
			n++
		}
		lx.advance(n, TokString)
		return false
	}
	return true
}

// splitter follows one statement.
type splitter struct {
	start Token // first token
	words int   // tokens so far
	// block is set inside of BEGIN ... until closing says that the last two tokens were APPLY BATCH or COMMIT TRANSACTION.
	block, closing bool
	last           TokenKind
	lastCommit     bool
}

// add takes the next token and reports whether it ends the statement.
func (s *splitter) add(text string, t Token) bool {
	if s.words == 0 {
		s.start = t
		s.block = t.Kind == kwBegin
	}
	s.words++
	if t.Kind == TokSemicolon {
		return !s.block || s.closing
	}
	word := lower(t.Text(text))
	s.closing = s.last == kwApply && t.Kind == kwBatch || s.lastCommit && word == "transaction"
	s.last, s.lastCommit = t.Kind, word == "commit"
	return false
}
