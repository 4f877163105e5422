//go:build clients

package clienttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/foreign"
)

// script runs a program to its end, logs its lines and fails the test if it
// fails.
func script(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	out, err := output(env, program, args...)
	t.Logf("%s %s:\n%s", filepath.Base(program), strings.Join(args, " "), indent(out))
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(program), err)
	}
	return out
}

// output runs a program to its end and returns what it prints.
func output(env []string, program string, args ...string) (string, error) {
	cmd, cancel := command(program, args...)
	defer cancel()
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
