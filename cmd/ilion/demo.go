package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/internal/demo"
)

func demoCommand() *cobra.Command {
	var c demo.Config
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a throw-away cluster with sample data and a small load",
		Long: "Run a throw-away cluster: processes of this program on 127.0.0.1, 127.0.0.2 and\n" +
			"so on, sample data, a small load, and what to type next. Ctrl-C ends it and\n" +
			"removes its data.",
		Example: "  ilion demo\n  ilion demo -n 6 --dcs 2",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Out, c.Live = cmd.OutOrStdout(), terminal(os.Stdout)
			return demo.Run(cmd.Context(), c)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&c.Nodes, "nodes", "n", 3, "how many nodes")
	f.IntVar(&c.Datacenters, "dcs", 1, "how many data centres they are in")
	f.Float64Var(&c.Rate, "rate", 200, "requests a second, half of them writes")
	f.IntVar(&c.Rows, "rows", 1000, "messages in the sample data")
	return cmd
}
