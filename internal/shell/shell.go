package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/internal/vfs"
)

// defaultPageSize is the rows of a page, as in cqlsh.
const defaultPageSize = 100

// maxScriptBytes bounds a script file, maxSourceDepth how deep scripts may call others with SOURCE.
const (
	maxScriptBytes = 256 << 20
	maxSourceDepth = 16
)

// maxPending bounds a statement that is typed or piped in line by line.
const maxPending = 2 * cql.MaxTextBytes

// shell holds the settings that its commands change. One goroutine uses it.
type shell struct {
	cfg         Config
	session     Session
	out         *bufio.Writer // flushed before anything goes to Err, before each prompt and at each page's end
	keyspace    string
	consistency string
	serial      string
	paging      bool
	pageSize    int
	expand      bool
	terminal    bool // In and Out are a terminal: pages pause, colours
	failed      bool // some statement failed
	quit        bool
	depth       int // of SOURCE
	names       names
}

func newShell(c Config, s Session) *shell {
	return &shell{cfg: c, session: s, out: bufio.NewWriterSize(c.Out, 64<<10), consistency: "ONE", serial: "SERIAL", paging: true, pageSize: defaultPageSize}
}

// pipe runs what comes in, each statement as soon as it is whole.
func (sh *shell) pipe(ctx context.Context, in io.Reader) {
	r := bufio.NewReader(in)
	pending := ""
	for !sh.quit && ctx.Err() == nil {
		line, err := r.ReadString('\n')
		pending += line
		if strings.Contains(line, ";") || firstCommand(pending) != "" {
			pending = sh.script(ctx, pending, "")
		}
		if len(pending) > maxPending {
			sh.fail("", fmt.Errorf("statement over %d bytes", maxPending))
			return
		}
		if err != nil {
			sh.whole(ctx, pending, "")
			return
		}
	}
}

// script runs the whole statements and commands of text and gives back what is left. name stands in front of errors.
func (sh *shell) script(ctx context.Context, text, name string) (rest string) {
	line := 1
	for !sh.quit && ctx.Err() == nil {
		if cmd := firstCommand(text); cmd != "" {
			lead := strings.Index(text, cmd)
			line += strings.Count(text[:lead], "\n")
			if bare := strings.TrimRight(strings.TrimSpace(cmd), "; \t"); describePattern.MatchString(bare) {
				sh.statement(ctx, bare, scriptPlace(name, line))
			} else {
				sh.command(ctx, bare)
			}
			sh.out.Flush()
			line += strings.Count(cmd, "\n")
			text = text[lead+len(cmd):]
			continue
		}
		p, whole, _ := cql.First(text)
		if !whole {
			return p.Text
		}
		if p.Text != ";" {
			sh.statement(ctx, p.Text, scriptPlace(name, line+p.Line-1))
		}
		end := p.Offset + len(p.Text)
		line += strings.Count(text[:end], "\n")
		text = text[end:]
	}
	return ""
}

func scriptPlace(name string, line int) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d:", name, line)
}

// source runs a script file.
func (sh *shell) source(ctx context.Context, name string) {
	if sh.depth >= maxSourceDepth {
		sh.fail("", fmt.Errorf("scripts call each other more than %d deep", maxSourceDepth))
		return
	}
	text, err := vfs.ReadFile(sh.cfg.FS, name, maxScriptBytes)
	if err != nil {
		sh.fail("", fmt.Errorf("could not open %q: %w", name, err))
		return
	}
	sh.depth++
	sh.whole(ctx, string(text), name)
	sh.depth--
}

// whole runs all of text; the last statement needs no `;`, and one with an open quote goes to the server as it is.
func (sh *shell) whole(ctx context.Context, text, name string) {
	if rest := sh.script(ctx, text+"\n;", name); rest != "" && !sh.quit && ctx.Err() == nil {
		sh.statement(ctx, strings.TrimSuffix(rest, "\n;"), scriptPlace(name, 1+strings.Count(text[:max(0, len(text)+2-len(rest))], "\n")))
	}
}

func (sh *shell) fail(where string, err error) {
	sh.failed = true
	sh.out.Flush()
	fmt.Fprintf(sh.cfg.Err, "%s%s\n", where, sh.paintError(err.Error()))
}

func (sh *shell) paintError(s string) string {
	if sh.terminal {
		return colorError + s + colorReset
	}
	return s
}

// statement runs one statement and prints its result; where stands in front of an error.
func (sh *shell) statement(ctx context.Context, text, where string) {
	tree, parseErr := cql.Parse(text)
	if u, ok := tree.(*cql.Use); ok {
		sh.use(ctx, u.Keyspace.Name, text, where)
		return
	}
	req := Request{Statement: strings.TrimRight(text, "; \t\r\n"), Consistency: sh.consistency, SerialConsistency: sh.serial}
	if sh.paging {
		req.PageSize = sh.pageSize
	}
	res, err := sh.execute(ctx, req)
	if err != nil {
		sh.serverError(text, where, err)
		return
	}
	if parseErr == nil {
		sh.names.forget(tree)
	}
	sh.print(ctx, tree, req, res)
}

func (sh *shell) execute(ctx context.Context, req Request) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, sh.cfg.RequestTimeout)
	defer cancel()
	res, err := sh.session.Execute(ctx, req)
	return res, sh.timeout(err)
}

func (sh *shell) timeout(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("OperationTimedOut: no answer within %v", sh.cfg.RequestTimeout)
	}
	return err
}

func (sh *shell) serverError(text, where string, err error) {
	sh.fail(where, err)
	fmt.Fprint(sh.cfg.Err, explain(text, err))
}

func (sh *shell) use(ctx context.Context, keyspace, text, where string) {
	ctx, cancel := context.WithTimeout(ctx, sh.cfg.RequestTimeout)
	defer cancel()
	if err := sh.timeout(sh.session.Use(ctx, keyspace)); err != nil {
		sh.serverError(text, where, err)
		return
	}
	sh.keyspace = keyspace
}

// print shows a result in the format that was asked for, page by page.
func (sh *shell) print(ctx context.Context, tree cql.Statement, req Request, res *Result) {
	if len(res.Columns) == 0 {
		sh.warnings(res.Warnings)
		return
	}
	p := printer{sh: sh, tree: tree}
	if d, ok := tree.(*cql.Describe); ok && sh.cfg.Format == FormatTable {
		p.describe = d
	}
	p.begin()
	var warnings []string
	for {
		if err := p.page(res); err != nil {
			sh.fail("", err)
			return
		}
		if err := sh.out.Flush(); err != nil {
			sh.quit, sh.failed = true, true // nobody reads any more
			return
		}
		warnings = append(warnings, res.Warnings...)
		if len(res.PageState) == 0 {
			break
		}
		if p.pauses() && !sh.more() {
			break
		}
		req.PageState = res.PageState
		next, err := sh.execute(ctx, req)
		if err != nil {
			sh.serverError(req.Statement, "", err)
			return
		}
		next.Columns = res.Columns
		res = next
	}
	p.end()
	sh.out.Flush()
	sh.warnings(warnings)
}

// maxWarnings bounds the warnings shown for one statement, which may have come with many pages.
const maxWarnings = 20

func (sh *shell) warnings(list []string) {
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) > 0 {
		fmt.Fprintf(sh.cfg.Err, "\nWarnings :\n%s\n\n", strings.Join(list[:min(len(list), maxWarnings)], "\n"))
	}
}

// more asks whether to show the next page.
func (sh *shell) more() bool {
	fmt.Fprint(sh.out, "---MORE---")
	sh.out.Flush()
	var answer []byte
	var one [1]byte
	for {
		n, err := sh.cfg.In.Read(one[:])
		if n == 0 || one[0] == '\n' || one[0] == '\r' {
			return err == nil && !strings.HasPrefix(strings.ToLower(string(answer)), "q")
		}
		answer = append(answer, one[0])
	}
}
