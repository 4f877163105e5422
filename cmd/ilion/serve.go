package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ilion-db/ilion/internal/clock"
	"github.com/ilion-db/ilion/internal/config"
	"github.com/ilion-db/ilion/internal/node"
	"github.com/ilion-db/ilion/internal/rand"
	"github.com/ilion-db/ilion/internal/vfs"
)

// drainTime is how long requests in flight may take after SIGTERM.
const drainTime = 10 * time.Second

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve CQL from a data directory",
		Long: "Serve CQL from a data directory. Every flag is also an environment variable\n" +
			"(--data-dir is ILION_DATA_DIR) and a key of the file given by --config, or by\n" +
			"ILION_CONFIG (data_dir); a flag wins over the environment, and that over the file.\n" +
			"SIGTERM and ctrl-C end it once requests in flight are answered.",
		Args: noArguments,
	}
	values := map[string]*string{}
	defaults := config.Default()
	for _, s := range config.Settings() {
		if s.Bool {
			values[s.Name] = new(string)
			cmd.Flags().BoolFunc(s.Name, s.Usage, func(v string) error { *values[s.Name] = v; return nil })
			continue
		}
		values[s.Name] = cmd.Flags().String(s.Name, s.Get(&defaults), s.Usage)
	}
	file := cmd.Flags().String("config", "", "YAML `file` of settings")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := load(cmd, *file, values)
		if err != nil {
			return err
		}
		return serve(cmd.Context(), c, cmd.OutOrStdout())
	}
	return cmd
}

// load puts file, environment and flags together, in rising order.
func load(cmd *cobra.Command, file string, values map[string]*string) (*config.Config, error) {
	c := config.Default()
	if file == "" {
		file = os.Getenv("ILION_CONFIG")
	}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		if err := c.ApplyYAML(file, data); err != nil {
			return nil, err
		}
	}
	if err := c.ApplyEnv(os.LookupEnv); err != nil {
		return nil, err
	}
	for _, s := range config.Settings() {
		if !cmd.Flags().Changed(s.Name) {
			continue
		}
		if err := s.Set(&c, *values[s.Name]); err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
	}
	return &c, c.Validate()
}

// program is how a person calls this program again: as it was called, if that is
// a place beside where they are, or by its name.
func program(called string) string {
	if strings.HasPrefix(called, ".") {
		return called
	}
	return "ilion"
}

// serve runs a node until ctx ends or it fails.
func serve(ctx context.Context, c *config.Config, out io.Writer) error {
	var handler slog.Handler = slog.NewTextHandler(out, nil)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(out, nil)
	}
	n, err := node.New(ctx, node.Options{
		Config:  *c,
		Version: version,
		Clock:   clock.Real,
		FS:      vfs.OS,
		Rand:    rand.NewSecure(),
		Log:     slog.New(handler),
	})
	if err != nil {
		return err
	}
	if c.LogFormat == "text" {
		n.Banner(out, program(os.Args[0]))
	} else {
		slog.New(handler).Info("ready", "version", version, "cql", n.CQLAddr().String(), "http", n.HTTPAddr().String(), "data_dir", c.DataDir)
	}
	select {
	case <-ctx.Done():
	case <-n.Failed():
		err = n.FailedErr()
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if closeErr := n.Close(drain); err == nil {
		err = closeErr
	}
	return err
}
