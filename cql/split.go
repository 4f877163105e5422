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
	for {
		p, whole, open := lx.piece()
		switch {
		case !whole:
			return done, p, open
		case p.Text != ";":
			done = append(done, p)
		}
	}
}

// First is Split for the first statement only: whole tells that p ends with its `;`. It reads no further, so that a shell can
// take a long script piece by piece.
func First(text string) (p Piece, whole, open bool) { return NewLexer(text).piece() }

// piece reads up to the end of a statement or of the text.
func (lx *Lexer) piece() (p Piece, whole, open bool) {
	var s splitter
	upTo := func(end int32) Piece {
		if s.words == 0 {
			return Piece{"", len(lx.src), int(lx.line)}
		}
		return Piece{lx.src[s.start.Start:end], int(s.start.Start), int(s.start.Line)}
	}
	for {
		t, err := lx.Next()
		if err != nil {
			if lx.skipBad(err) {
				if s.words == 0 {
					s.start, s.words = t, 1
				}
				return upTo(int32(len(lx.src))), false, true
			}
			t.Kind, t.End = TokIdent, lx.off // some sign that belongs to the statement
		}
		if t.Kind == TokEOF {
			return upTo(t.End), false, false
		}
		if s.add(lx.src, t) {
			return upTo(t.End), true, false
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
