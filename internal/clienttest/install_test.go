//go:build clients

package clienttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The versions that are tested.
var (
	pythonPackages = []string{"cassandra-driver==3.29.3", "cqlsh==6.2.2", "lz4==4.4.5"}
	nodePackages   = []string{"cassandra-driver@4.10.0"}
)

// scriptTimeout is what one script may take.
const scriptTimeout = 5 * time.Minute

// cache returns the directory in which other languages' packages are kept
// from one run to the next.
func cache(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("ILION_CLIENT_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(user, "ilion-clients")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

var installing sync.Mutex

// install runs the commands that fill a directory of the cache with packages,
// unless they have done so before. A marker written last tells.
func install(t testing.TB, name string, packages []string, commands func(dir string) [][]string) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	dir := filepath.Join(cache(t), name)
	marker, want := filepath.Join(dir, "installed"), strings.Join(packages, " ")
	if got, err := os.ReadFile(marker); err == nil && string(got) == want {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range commands(dir) {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(c, " "), err, out)
		}
	}
	if err := os.WriteFile(marker, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// python returns the bin directory of a virtual environment with the driver
// and cqlsh.
func python(t testing.TB) string {
	t.Helper()
	dir := install(t, "python", pythonPackages, func(dir string) [][]string {
		return [][]string{
			{"python3", "-m", "venv", dir},
			append([]string{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"}, pythonPackages...),
		}
	})
	return filepath.Join(dir, "bin")
}

// node returns a directory of Node.js modules with the driver.
func node(t testing.TB) string {
	t.Helper()
	dir := install(t, "node", nodePackages, func(dir string) [][]string {
		return [][]string{append([]string{"npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir}, nodePackages...)}
	})
	return filepath.Join(dir, "node_modules")
}

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
	bin := python(t)
	s := sharedServer(t)
	for _, version := range []string{"5", "4"} {
		t.Run("v"+version, func(t *testing.T) {
			script(t, nil, filepath.Join(bin, "python"), filepath.Join(repository(t), "internal", "clienttest", "python", "driver.py"),
				testHost, fmt.Sprint(s.port), version)
		})
	}
}

func TestNodeDriver(t *testing.T) {
	modules := node(t)
	s := sharedServer(t)
	script(t, []string{"NODE_PATH=" + modules}, "node", filepath.Join(repository(t), "internal", "clienttest", "node", "driver.js"),
		testHost, fmt.Sprint(s.port))
}

// indent sets off the output of a program in a failure.
func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}
