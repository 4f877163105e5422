package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ilion-db/ilion/internal/admin"
)

// Config is one demo.
type Config struct {
	Nodes       int       // 1 to 50
	Datacenters int       // 1 to Nodes; the nodes are spread over them in turn
	Rate        float64   // requests a second of the load, more than 0
	Rows        int       // of sample data
	Binary      string    // of the nodes; this program by default
	Out         io.Writer // what there is to see and to type
	Live        bool      // Out is a terminal: the line of the load is rewritten in place
}

// maxNodes bounds a demo.
const maxNodes = 50

// Ports and memory of every node.
const (
	nativePort    = 9042
	httpPort      = 9180
	internodePort = 7000
	memory        = "256MiB"
)

// restartAfter is how long a node stays away that has ended.
const restartAfter = 15 * time.Second

// stopTime is what a node gets to end by itself.
const stopTime = 10 * time.Second

// startTime is what a node gets to become ready.
const startTime = 60 * time.Second

// Run starts the nodes and the load and ends them when ctx does.
func Run(ctx context.Context, c Config) (err error) {
	if c.Nodes < 1 || c.Nodes > maxNodes {
		return fmt.Errorf("demo: %d nodes, possible are 1 to %d", c.Nodes, maxNodes)
	}
	if c.Datacenters < 1 || c.Datacenters > c.Nodes {
		return fmt.Errorf("demo: %d data centres for %d nodes", c.Datacenters, c.Nodes)
	}
	if !(c.Rate > 0) {
		return fmt.Errorf("demo: %v requests a second, must be more than 0", c.Rate)
	}
	if c.Binary == "" {
		if c.Binary, err = os.Executable(); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	for i := range c.Nodes {
		if err := free(address(i)); err != nil {
			return fmt.Errorf("demo: node %d: %w", i+1, err)
		}
	}
	dir, err := os.MkdirTemp("", "ilion-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d := &demo{cfg: c, dir: dir}
	defer func() {
		d.stop()
		if rmErr := os.RemoveAll(dir); rmErr != nil && err == nil {
			err = fmt.Errorf("demo: %w", rmErr)
		}
	}()
	if err = d.start(ctx); err == nil {
		err = d.load(ctx)
	}
	if ctx.Err() != nil {
		fmt.Fprintln(c.Out, "\nThe demo is over: its nodes are stopped and its data is removed.")
		return nil
	}
	return err
}

type demo struct {
	cfg   Config
	dir   string
	nodes []*process
}

func address(i int) string { return fmt.Sprintf("127.0.0.%d", i+1) }

// free tells which of the ports that a node needs is not there for it. With
// another server on one, the demo would take that for its node.
func free(address string) error {
	for _, port := range []int{nativePort, httpPort, internodePort} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("port %d of %s cannot be had (%w): stop what uses it, an `ilion serve` for instance", port, address, errors.Unwrap(err))
		}
		l.Close()
	}
	return nil
}

func (d *demo) dc(i int) string { return fmt.Sprintf("dc%d", i%d.cfg.Datacenters+1) }

// start starts all nodes, the first one alone so that the others can join it,
// and shows who they are.
func (d *demo) start(ctx context.Context) error {
	for i := range d.cfg.Nodes {
		at := address(i)
		args := []string{
			"serve", "--data-dir", filepath.Join(d.dir, fmt.Sprintf("node%d", i+1)), "--cluster-name", "Demo",
			"--listen-address", at, "--native-port", fmt.Sprint(nativePort), "--http-port", fmt.Sprint(httpPort),
			"--internode-port", fmt.Sprint(internodePort), "--dc", d.dc(i), "--rack", "rack1", "--memory", memory,
		}
		if i > 0 {
			args = append(args, "--join", address(0))
		}
		p := &process{name: fmt.Sprintf("node %d", i+1), address: at, binary: d.cfg.Binary, args: args, log: filepath.Join(d.dir, fmt.Sprintf("node%d.log", i+1))}
		d.nodes = append(d.nodes, p)
		if err := p.start(); err != nil {
			return err
		}
		if i == 0 {
			if err := p.ready(ctx); err != nil {
				return err
			}
		}
	}
	for _, p := range d.nodes {
		if err := p.ready(ctx); err != nil {
			return err
		}
	}
	return d.show(ctx)
}

// show tells what runs.
func (d *demo) show(ctx context.Context) error {
	var status admin.Status
	if err := admin.Get(ctx, d.nodes[0].http(), admin.StatusPath, url.Values{}, &status); err != nil {
		return err
	}
	fmt.Fprintf(d.cfg.Out, "A cluster of %d nodes, in %s until ctrl-C:\n\n", len(d.nodes), d.dir)
	status.WriteText(d.cfg.Out)
	return nil
}

// advise tells what to type in another terminal.
func (d *demo) advise(name string) {
	last := d.nodes[len(d.nodes)-1]
	lines := []string{
		"Type in another terminal:",
		fmt.Sprintf("  %s cql -e \"SELECT * FROM demo.messages LIMIT 5\"", name),
		fmt.Sprintf("  %s status demo", name),
		fmt.Sprintf("  %s getendpoints demo messages room1", name),
	}
	if len(d.nodes) > 1 {
		lines = append(lines,
			fmt.Sprintf("  kill -9 %-30d # %s: the load goes on; it comes back after %d seconds", last.pid(), last.name, int(restartAfter.Seconds())),
			fmt.Sprintf("  curl -s http://%s/metrics | grep hint     # what waits for it meanwhile", d.nodes[0].http()))
	}
	fmt.Fprintln(d.cfg.Out, strings.Join(lines, "\n")+"\n")
}

// stop ends all nodes.
func (d *demo) stop() {
	for _, p := range d.nodes {
		p.terminate()
	}
	for _, p := range d.nodes {
		p.wait(stopTime)
	}
}

// revive starts nodes again that have ended, one look at a time.
func (d *demo) revive(now time.Time) (err error) {
	for _, p := range d.nodes {
		err = errors.Join(err, p.revive(now, d.cfg.Out))
	}
	return err
}
