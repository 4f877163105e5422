package clienttest

import (
	"fmt"
	"os/exec"
	"testing"
)

// examples are the applications of docs/examples.
var examples = []string{"sensors", "profiles", "chat"}

// application runs one of the examples against a server.
func application(t testing.TB, s *server, name string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"-host", testHost, "-port", fmt.Sprint(s.port)}, args...)
	cmd, cancel := command(buildCommand(t, "./docs/examples/"+name, ""), args...)
	t.Cleanup(cancel)
	return cmd
}

func mustRun(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// TestExamples loads each application's rows, reads them back, and again after
// a restart.
func TestExamples(t *testing.T) {
	const rows = "5003"
	s := startServer(t, serverOptions{})
	for _, name := range examples {
		mustRun(t, application(t, s, name, "-rows", rows))
		mustRun(t, application(t, s, name, "-rows", rows, "-verify"))
		// A check that cannot fail proves nothing.
		if out, err := application(t, s, name, "-rows", "5004", "-verify").CombinedOutput(); err == nil {
			t.Errorf("%s finds a row that is not there: %s", name, out)
		}
	}
	s.stop()
	s.start()
	for _, name := range examples {
		mustRun(t, application(t, s, name, "-rows", rows, "-verify"))
	}
}
