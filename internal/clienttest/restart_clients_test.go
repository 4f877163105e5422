//go:build clients

package clienttest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ilion-db/ilion/internal/foreign"
)

// TestRestartOtherLanguages restarts the server under the Python and Node.js
// drivers.
func TestRestartOtherLanguages(t *testing.T) {
	bin, modules := foreign.Python(t), foreign.Node(t)
	scripts := filepath.Join(repository(t), "internal", "clienttest")
	for _, c := range []struct {
		name    string
		command []string
		args    []string
	}{
		{"python v5", []string{filepath.Join(bin, "python"), filepath.Join(scripts, "python", "restart.py")}, []string{"5"}},
		{"python v4", []string{filepath.Join(bin, "python"), filepath.Join(scripts, "python", "restart.py")}, []string{"4"}},
		{"node", []string{"node", filepath.Join(scripts, "node", "restart.js")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, serverOptions{})
			args := append(append(c.command[1:], testHost, fmt.Sprint(s.port)), c.args...)
			cmd, cancel := command(c.command[0], args...)
			defer cancel()
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			restartUnder(t, s, cmd)
		})
	}
}

// restartUnder restarts the server when the script has written its rows.
func restartUnder(t *testing.T, s *server, cmd *exec.Cmd) {
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(io.TeeReader(out, &log))
	if line, err := lines.ReadString('\n'); line != "written\n" {
		cmd.Wait()
		t.Fatalf("%q %v\n%s", line, err, log.String())
	}
	s.stop()
	s.start()
	fmt.Fprintln(in, "restarted")
	io.Copy(io.Discard, lines)
	err = cmd.Wait()
	t.Logf("\n%s", indent(log.String()))
	if err != nil {
		t.Error(err)
	}
}
