package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/reeflective/readline"

	"github.com/ilion-db/ilion/cql"
)

// interactive reads statements with line editing until EXIT or the end of input.
func (sh *shell) interactive(ctx context.Context) {
	sh.terminal = true
	sh.banner(ctx)
	rl := readline.NewShell()
	rl.Prompt.Primary(sh.prompt)
	// The editor indents all lines by the wider prompt, so both have one width.
	rl.Prompt.Secondary(func() string { return spaces(pad(sh.prompt())-4) + "..> " })
	rl.AcceptMultiline = func(line []rune) bool { return accepts(string(line)) }
	rl.Completer = func(line []rune, cursor int) readline.Completions {
		list, _ := sh.candidates(ctx, string(line[:cursor]))
		return readline.CompleteValues(list...)
	}
	h := openHistory(sh.cfg.FS, sh.cfg.HistoryFile)
	rl.History.Delete()
	rl.History.Add("history", h)
	for !sh.quit && ctx.Err() == nil {
		sh.out.Flush()
		line, err := rl.Readline()
		switch {
		case errors.Is(err, io.EOF):
			fmt.Fprintln(sh.out)
			sh.out.Flush()
			return
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case err != nil:
			sh.fail("", err)
			return
		}
		sh.whole(ctx, line, "")
	}
}

func (sh *shell) banner(ctx context.Context) {
	s, err := sh.server(ctx)
	if err != nil {
		sh.fail("", err)
		return
	}
	fmt.Fprintf(sh.out, "Connected to %s at %s:%d\n%s\nUse HELP for help.\n", s.cluster, sh.cfg.Host, sh.cfg.Port, s.version())
}

func (sh *shell) prompt() string {
	if sh.keyspace == "" {
		return "cql> "
	}
	return "cql:" + sh.keyspace + "> "
}

// accepts reports whether text needs no further line: it is empty, a shell command, or ends with whole statements.
func accepts(text string) bool {
	if strings.TrimSpace(text) == "" || firstCommand(text) != "" {
		return true
	}
	_, rest, _ := cql.Split(text)
	return rest.Text == "" || firstCommand(rest.Text) != ""
}
