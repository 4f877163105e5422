//go:build clients

package clienttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ilion-db/ilion/internal/foreign"
)

// scriptTimeout is what one script may take.
const scriptTimeout = 30 * time.Minute

// script runs a program to its end, logs its lines and fails the test if it
// fails.
func script(t *testing.T, env []string, command string, args ...string) string {
	t.Helper()
	out, err := output(t, env, command, args...)
	t.Logf("%s %s:\n%s", filepath.Base(command), strings.Join(args, " "), indent(out))
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(command), err)
	}
	return out
}

// output runs a program to its end and returns what it prints.
func output(t *testing.T, env []string, command string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPythonDriver(t *testing.T) {
	bin := foreign.Python(t)
	s := sharedServer(t)
	for _, version := range []string{"5", "4"} {
		t.Run("v"+version, func(t *testing.T) {
			script(t, nil, filepath.Join(bin, "python"), filepath.Join(repository(t), "internal", "clienttest", "python", "driver.py"),
				testHost, fmt.Sprint(s.port), version)
		})
	}
}

func TestNodeDriver(t *testing.T) {
	modules := foreign.Node(t)
	s := sharedServer(t)
	script(t, []string{"NODE_PATH=" + modules}, "node", filepath.Join(repository(t), "internal", "clienttest", "node", "driver.js"),
		testHost, fmt.Sprint(s.port))
}

// indent sets off the output of a program in a failure.
func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}
