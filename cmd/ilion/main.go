// Command ilion is the database, its shell and its load generator in one
// binary: see `ilion help`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the release build.
var version = "0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ilion:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ilion",
		Short: "A wide-column database that speaks Cassandra's protocol",
		Example: "  ilion serve                      # in one terminal\n" +
			"  ilion cql                        # in another\n" +
			"  ilion bench write -n 100000",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())
	})
	cmd.AddCommand(serveCommand(), cqlCommand(), benchCommand(), demoCommand(), versionCommand())
	cmd.AddCommand(adminCommands()...)
	cmd.AddCommand(snapshotCommands()...)
	cmd.AddCommand(recoveryCommands()...)
	return cmd
}

// noArguments is cobra.NoArgs, which would call them unknown commands.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes flags only, not %q (see `%[1]s --help`)", cmd.CommandPath(), args[0])
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  noArguments,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "ilion", version)
		},
	}
}
