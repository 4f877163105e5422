package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/internal/shell"
	"github.com/ilion-db/ilion/internal/vfs"
)

func cqlCommand() *cobra.Command {
	c := shell.Config{FS: vfs.OS}
	var format string
	cmd := &cobra.Command{
		Use:   "cql [HOST [PORT]]",
		Short: "A shell for CQL",
		Long: "A shell for CQL: statements end with a semicolon, HELP lists its own commands,\n" +
			"the tabulator completes. HOST is 127.0.0.1 and PORT 9042 unless given.",
		Example: "  ilion cql\n" +
			"  ilion cql -e 'SELECT * FROM system.local' --format json\n" +
			"  ilion cql -f schema.cql 127.0.0.1 9043",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 2 {
				return fmt.Errorf("%s takes a host and a port, not %q too (see `%[1]s --help`)", cmd.CommandPath(), args[2])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Host, c.Port = "127.0.0.1", 9042
			if len(args) > 0 {
				c.Host = args[0]
			}
			if len(args) > 1 {
				port, err := strconv.Atoi(args[1])
				if err != nil || port < 1 || port > 65535 {
					return fmt.Errorf("%q is not a port", args[1])
				}
				c.Port = port
			}
			c.Format = format
			c.In, c.Out, c.Err = os.Stdin, os.Stdout, os.Stderr
			if home, err := os.UserHomeDir(); err == nil {
				c.HistoryFile = filepath.Join(home, ".ilion_history")
			}
			// The editor handles ctrl-C itself; a termination ends the shell.
			signal.Reset(syscall.SIGINT)
			if exit := shell.Run(cmd.Context(), c); exit != 0 {
				os.Exit(exit)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.Execute, "execute", "e", "", "run these `statements` and end")
	f.StringVarP(&c.File, "file", "f", "", "run the statements in this `file` and end")
	f.StringVar(&format, "format", "table", "`format` of results: table, json, csv")
	f.StringVarP(&c.Keyspace, "keyspace", "k", "", "`keyspace` to use")
	f.StringVarP(&c.Username, "username", "u", "", "user `name`")
	f.StringVarP(&c.Password, "password", "p", "", "`password` of that user")
	return cmd
}
