package main

import (
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/internal/admin"
)

// change has something done and shows what was.
func (q *question) change(cmd *cobra.Command, path string, query url.Values) error {
	var done admin.Done
	if err := admin.Post(cmd.Context(), q.address(), path, query, &done); err != nil {
		return err
	}
	if q.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(&done)
	}
	done.WriteText(cmd.OutOrStdout())
	return nil
}

// snapshotCommands are nodetool's words about copies of table files.
func snapshotCommands() []*cobra.Command {
	return []*cobra.Command{
		snapshotCommand(),
		plainCommand("listsnapshots", "Show the snapshots of a node", admin.ListSnapshotsPath, func() text { return &admin.Snapshots{} }),
		clearCommand(),
		importCommand(),
	}
}

func snapshotCommand() *cobra.Command {
	var q question
	var tag string
	cmd := &cobra.Command{
		Use: "snapshot [KEYSPACE[.TABLE]]", Short: "Keep the table files of a node as they are now",
		Long: "Flush tables and make hard links to their files, on this node: of everything,\nof a keyspace or of one table. Each node of a ring holds its own part.",
		Args: exactly(0, 1, "a keyspace, or a keyspace and a table with a point between"),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"tag": {tag}}
			if len(args) > 0 {
				keyspace, table, _ := strings.Cut(args[0], ".")
				query.Set("keyspace", keyspace)
				query.Set("table", table)
			}
			return q.change(cmd, admin.SnapshotPath, query)
		},
	}
	q.flags(cmd)
	cmd.Flags().StringVarP(&tag, "tag", "t", "", "`name` of the snapshot; the time in milliseconds if there is none")
	return cmd
}

func clearCommand() *cobra.Command {
	var q question
	var tag string
	var all bool
	cmd := &cobra.Command{
		Use: "clearsnapshot (--tag NAME | --all) [KEYSPACE]", Short: "Remove snapshots of a node",
		Args: exactly(0, 1, "a keyspace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (tag != "") {
				return errors.New("which snapshots? Say either --tag NAME or --all")
			}
			query := url.Values{"tag": {tag}}
			if len(args) > 0 {
				query.Set("keyspace", args[0])
			}
			return q.change(cmd, admin.ClearSnapshotPath, query)
		},
	}
	q.flags(cmd)
	cmd.Flags().StringVarP(&tag, "tag", "t", "", "`name` of the snapshot")
	cmd.Flags().BoolVar(&all, "all", false, "remove all snapshots")
	return cmd
}

func importCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use: "import KEYSPACE TABLE DIRECTORY", Short: "Add the rows of table files, of a snapshot for instance",
		Long: "Add the rows of the table's files in a directory of the node's machine, of a\n" +
			"snapshot for instance. The files stay. Rows in them that are older than what\nthe table has, deletions among it, do not show.",
		Args: exactly(3, 3, "a keyspace, a table and a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[2])
			if err != nil {
				return err
			}
			return q.change(cmd, admin.ImportPath, url.Values{"keyspace": {args[0]}, "table": {args[1]}, "directory": {dir}})
		},
	}
	q.flags(cmd)
	return cmd
}
