package shell

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/ilion-db/ilion/internal/vfs"
)

// Formats of results.
const (
	FormatTable = "table"
	FormatJSON  = "json" // one object per line
	FormatCSV   = "csv"
)

// Config says what a shell connects to and where it reads and writes. Zero values mean the defaults in the comments.
type Config struct {
	Host               string // 127.0.0.1
	Port               int    // 9042
	Username, Password string // no authentication when Username is empty
	Keyspace           string // USE at the start
	Execute            string // statements to run instead of reading
	File               string // script to run instead of reading
	Format             string // FormatTable
	HistoryFile        string // none; statements that hold a password are never written
	TLS                *tls.Config
	RequestTimeout     time.Duration // 10 s
	In                 io.Reader     // needed unless Execute or File is set
	Out, Err           io.Writer     // needed
	// FS reads scripts and keeps the history; vfs.OS when nil.
	FS vfs.FS
	// Connect opens the session; nil connects with the driver.
	Connect func(context.Context, Config) (Session, error)
}

// Exit codes of Run.
const (
	exitOK         = 0
	exitConnection = 1
	exitStatement  = 2 // some statement failed
	exitInterrupt  = 130
)

func (c *Config) setDefaults() error {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Port == 0 {
		c.Port = 9042
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 10 * time.Second
	}
	if c.FS == nil {
		c.FS = vfs.OS
	}
	if c.Connect == nil {
		c.Connect = connect
	}
	switch c.Format {
	case "":
		c.Format = FormatTable
	case FormatTable, FormatJSON, FormatCSV:
	default:
		return fmt.Errorf("unknown format %q: table, json and csv are known", c.Format)
	}
	return nil
}

// Run is the shell: it executes Execute or File, or reads statements from In, with line editing when In is a terminal. The result is
// the exit code of the program: 0, 1 without a connection, 2 when a statement failed, 130 when ctx ended.
func Run(ctx context.Context, c Config) (exit int) {
	if err := c.setDefaults(); err != nil {
		fmt.Fprintln(c.Err, err)
		return exitConnection
	}
	session, err := c.Connect(ctx, c)
	if err != nil {
		fmt.Fprintf(c.Err, "Connection error: %v\n", err)
		if answer := (*ServerError)(nil); !errors.As(err, &answer) {
			fmt.Fprintf(c.Err, "Hint: is a server listening on %s:%d? `ilion serve` starts one.\n", c.Host, c.Port)
		}
		return exitConnection
	}
	defer session.Close()
	sh := newShell(c, session)
	if c.Keyspace != "" {
		if err := session.Use(ctx, c.Keyspace); err != nil {
			fmt.Fprintln(c.Err, err)
			return exitStatement
		}
		sh.keyspace = c.Keyspace
	}
	switch {
	case c.Execute != "":
		sh.whole(ctx, c.Execute, "")
	case c.File != "":
		sh.source(ctx, c.File)
	case isTerminal(c.In) && isTerminal(c.Out):
		sh.interactive(ctx)
		sh.failed = false
	default:
		sh.pipe(ctx, c.In)
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupt
	case sh.failed:
		return exitStatement
	}
	return exitOK
}

// isTerminal reports whether f is a character device other than a plain file or pipe.
func isTerminal(f any) bool {
	s, ok := f.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	info, err := s.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}
