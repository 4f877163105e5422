package foreign

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The versions that are tested.
var (
	pythonPackages = []string{"cassandra-driver==3.29.3", "cqlsh==6.2.2", "lz4==4.4.5"}
	nodePackages   = []string{"cassandra-driver@4.10.0"}
)

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

// install runs the commands that fill a directory of the cache with packages,
// unless they have done so before. A marker written last tells. One process at
// a time does so.
func install(t testing.TB, name string, packages []string, commands func(dir string) [][]string) string {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(cache(t), name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close() // which gives up the lock
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
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
		var out []byte
		for range attempts {
			if out, err = run(dir, c); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(c, " "), err, out)
		}
	}
	if err := os.WriteFile(marker, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A registry may have a bad moment: a command that fetches from one is tried
// again, after a time that is far above what it takes if it does not end.
const (
	attempts = 3
	patience = 10 * time.Minute
)

func run(dir string, command []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, time.Minute
	return cmd.CombinedOutput()
}

// Python returns the bin directory of a virtual environment with the driver
// and cqlsh.
func Python(t testing.TB) string {
	t.Helper()
	dir := install(t, "python", pythonPackages, func(dir string) [][]string {
		return [][]string{
			{"python3", "-m", "venv", dir},
			append([]string{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"}, pythonPackages...),
		}
	})
	return filepath.Join(dir, "bin")
}

// Node returns a directory of Node.js modules with the driver.
func Node(t testing.TB) string {
	t.Helper()
	dir := install(t, "node", nodePackages, func(dir string) [][]string {
		return [][]string{append([]string{"npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir}, nodePackages...)}
	})
	return filepath.Join(dir, "node_modules")
}
