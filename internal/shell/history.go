package shell

import (
	"errors"
	"regexp"
	"strings"

	"github.com/ilion-db/ilion/internal/vfs"
)

// Bounds of the history file.
const (
	maxHistory      = 1000
	maxHistoryBytes = 4 << 20
	maxHistoryEntry = 16 << 10
)

// history is the list of past statements, kept in a file of one statement per line with line ends and backslashes escaped. It
// implements readline's history source.
type history struct {
	fs      vfs.FS
	name    string // no file when empty
	entries []string
}

// openHistory reads the file; a missing or broken one is an empty history.
func openHistory(fs vfs.FS, name string) *history {
	h := &history{fs: fs, name: name}
	if name == "" {
		return h
	}
	data, err := vfs.ReadFile(fs, name, maxHistoryBytes)
	if err != nil {
		return h
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			h.entries = append(h.entries, unescape.Replace(line))
		}
	}
	return h
}

var (
	escape   = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "")
	unescape = strings.NewReplacer("\\\\", "\\", "\\n", "\n")
	secret   = regexp.MustCompile(`(?i)\bpassword\b|^\s*login\b`)
)

// Write adds a statement unless it holds a password or repeats the one before.
func (h *history) Write(line string) (int, error) {
	line = strings.TrimSpace(line)
	if n := len(h.entries); line == "" || len(line) > maxHistoryEntry || secret.MatchString(line) || n > 0 && h.entries[n-1] == line {
		return n, nil
	}
	h.entries = append(h.entries, line)
	if n := len(h.entries); n > maxHistory {
		h.entries = h.entries[n-maxHistory:]
	}
	if h.name == "" {
		return len(h.entries), nil
	}
	var b strings.Builder
	for _, e := range h.entries {
		b.WriteString(escape.Replace(e) + "\n")
	}
	return len(h.entries), vfs.WriteFileAtomic(h.fs, h.name, []byte(b.String()))
}

// GetLine gives the statement at pos, the oldest at 0.
func (h *history) GetLine(pos int) (string, error) {
	if pos < 0 || pos >= len(h.entries) {
		return "", errors.New("shell: no such line in the history")
	}
	return h.entries[pos], nil
}

// Len is the number of statements.
func (h *history) Len() int { return len(h.entries) }

// Dump gives all statements.
func (h *history) Dump() any { return h.entries }
