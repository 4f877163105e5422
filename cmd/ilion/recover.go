package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/transport"
	"github.com/ilion-db/ilion/internal/vfs"
)

// recoveryCommands are for an operator whose cluster has lost most of the nodes
// that agree on its schema.
func recoveryCommands() []*cobra.Command {
	return []*cobra.Command{
		recoveryCommand("recover", "Begin a new generation of a cluster that has lost its quorum",
			"Begin a new generation of a cluster that has lost the majority of its voters for\n"+
				"good, from what this node knows. The node must be stopped, and so must be all\n"+
				"that are left: start this one first, then run `ilion rejoin` on each of the others.\n"+
				"Data was served without the quorum all along; only schema and members could not\n"+
				"change. Run it on one node only.",
			func(_ context.Context, o node.Options) (uint16, error) { return node.Recover(o) }),
		recoveryCommand("rejoin", "Return a node to its cluster after a recovery that it was not part of",
			"Return a node to its cluster after `ilion recover` was run on another one. The node\n"+
				"must be stopped, and --join name a member that runs. Rows stay; what the node knew\n"+
				"of schema and members is replaced by what the cluster knows.",
			node.Rejoin),
	}
}

func recoveryCommand(name, short, long string, do func(context.Context, node.Options) (uint16, error)) *cobra.Command {
	c := config.Default()
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			generation, err := do(cmd.Context(), node.Options{
				Config: c, Clock: clock.Real, FS: vfs.OS, Rand: rand.NewSecure(), Transport: transport.TCP, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is of generation %d of cluster %q now. Start it.\n", c.DataDir, generation, c.ClusterName)
			return nil
		},
	}
	cmd.Flags().StringVar(&c.DataDir, "data-dir", c.DataDir, "`directory` of the stopped node's data")
	cmd.Flags().StringVar(&c.ClusterName, "cluster-name", c.ClusterName, "`name` of the cluster")
	if name == "rejoin" {
		cmd.Flags().StringSliceVar(&c.Join, "join", nil, "internode `address` of a member that runs")
		cmd.Flags().IntVar(&c.InternodePort, "internode-port", c.InternodePort, "`port` of that address if it has none")
		cmd.Flags().StringVar(&c.ClusterKeyFile, "cluster-key-file", "", "`file` with the secret that all nodes of the cluster share")
	}
	return cmd
}
