package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/internal/admin"
	"github.com/ilion-db/ilion/internal/config"
)

// text is an answer that can be written in nodetool's layout.
type text interface{ WriteText(io.Writer) }

// question is what all administration commands have in common: which node is
// asked, and how its answer is shown.
type question struct {
	host string
	json bool
}

func (q *question) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.host, "host", "127.0.0.1:9180", "node to ask, as `host` or host:port of HTTP")
	cmd.Flags().BoolVar(&q.json, "json", false, "JSON instead of text")
}

// address is where the node answers HTTP, at the port of the defaults if none is
// given.
func (q *question) address() string {
	if _, _, err := net.SplitHostPort(q.host); err == nil {
		return q.host
	}
	return net.JoinHostPort(strings.Trim(q.host, "[]"), strconv.Itoa(config.Default().HTTPPort))
}

// ask shows the answer to a path.
func (q *question) ask(cmd *cobra.Command, path string, query url.Values, answer text) error {
	if err := admin.Get(cmd.Context(), q.address(), path, query, answer); err != nil {
		return err
	}
	if q.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(answer)
	}
	answer.WriteText(cmd.OutOrStdout())
	return nil
}

// adminCommands are nodetool's words.
func adminCommands() []*cobra.Command {
	return []*cobra.Command{
		keyspaceCommand("status", "Show the nodes of the cluster and their states", admin.StatusPath, func() text { return &admin.Status{} }),
		keyspaceCommand("ring", "Show the tokens of the ring", admin.RingPath, func() text { return &admin.Ring{} }),
		infoCommand(),
		plainCommand("describecluster", "Show the cluster's name, schema versions and keyspaces", admin.DescribePath, func() text { return &admin.Description{} }),
		plainCommand("gossipinfo", "Show what the node has heard of the others", admin.GossipPath, func() text { return &admin.Gossip{} }),
		endpointsCommand(),
	}
}

func plainCommand(name, short, path string, answer func() text) *cobra.Command {
	var q question
	cmd := &cobra.Command{Use: name, Short: short, Args: noArguments, RunE: func(cmd *cobra.Command, _ []string) error {
		return q.ask(cmd, path, nil, answer())
	}}
	q.flags(cmd)
	return cmd
}

func keyspaceCommand(name, short, path string, answer func() text) *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use: name + " [KEYSPACE]", Short: short,
		Long: short + ". With a keyspace, what a node owns is the part of that\nkeyspace's replicas that it holds.",
		Args: exactly(0, 1, "a keyspace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{}
			if len(args) > 0 {
				query.Set("keyspace", args[0])
			}
			return q.ask(cmd, path, query, answer())
		},
	}
	q.flags(cmd)
	return cmd
}

// infoText shows all tokens if they are wanted.
type infoText struct {
	admin.Info
	tokens bool
}

func (i *infoText) WriteText(w io.Writer) { i.Info.WriteText(w, i.tokens) }

func infoCommand() *cobra.Command {
	var q question
	var answer infoText
	cmd := &cobra.Command{Use: "info", Short: "Show the state of a node", Args: noArguments, RunE: func(cmd *cobra.Command, _ []string) error {
		return q.ask(cmd, admin.InfoPath, nil, &answer)
	}}
	q.flags(cmd)
	cmd.Flags().BoolVarP(&answer.tokens, "tokens", "T", false, "show all tokens")
	return cmd
}

func endpointsCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use: "getendpoints KEYSPACE TABLE KEY", Short: "Show the nodes that hold a partition",
		Long: "Show the nodes that hold a partition. The components of a key of several\ncolumns are parted by colons.",
		Args: exactly(3, 3, "a keyspace, a table and a key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"keyspace": {args[0]}, "table": {args[1]}, "key": {args[2]}}
			return q.ask(cmd, admin.EndpointsPath, query, &admin.Endpoints{})
		},
	}
	q.flags(cmd)
	return cmd
}

// exactly wants so many arguments.
func exactly(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("%s takes %s (see `%[1]s --help`)", cmd.CommandPath(), what)
		}
		return nil
	}
}
