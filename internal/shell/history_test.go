package shell

import (
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

func TestHistory(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/home"); err != nil {
		t.Fatal(err)
	}
	h := openHistory(fs, "/home/history")
	for _, line := range []string{"SELECT 1;", "SELECT 1;", "", "CREATE ROLE r WITH PASSWORD = 'secret';", "alter user u with password 'x';",
		"LOGIN me", "SELECT 'a\\nb',\n 2;"} {
		if _, err := h.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	again := openHistory(fs, "/home/history")
	if again.Len() != 2 {
		t.Fatalf("%q", again.entries)
	}
	for i, want := range []string{"SELECT 1;", "SELECT 'a\\nb',\n 2;"} {
		if got, err := again.GetLine(i); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := again.GetLine(2); err == nil {
		t.Error("line 2 of 2")
	}
	data, err := vfs.ReadFile(fs, "/home/history", maxHistoryBytes)
	if err != nil || strings.Contains(string(data), "secret") {
		t.Errorf("%s, %v", data, err)
	}
	for range 2 * maxHistory {
		again.name = ""
		again.Write("a")
		again.Write("b")
	}
	if again.Len() != maxHistory {
		t.Error(again.Len())
	}
}

func TestScriptFile(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/s"); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := vfs.WriteFileAtomic(fs, name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	put("/s/a.cql", "SHOW HOST\n\nSOURCE '/s/b.cql'\nSELECT * FROM nobody")
	put("/s/b.cql", "-- one\nSELECT nme FROM people;\n")
	put("/s/loop.cql", "SOURCE '/s/loop.cql'")
	out, exit := session(t, people(), Config{File: "/s/a.cql", FS: fs}, "")
	if exit != exitStatement || !strings.Contains(out, "/s/b.cql:2:InvalidRequest") || !strings.Contains(out, "(0 rows)") {
		t.Error(exit, out)
	}
	out, _ = session(t, people(), Config{File: "/s/loop.cql", FS: fs}, "")
	if !strings.Contains(out, "deep") {
		t.Error(out)
	}
	if out, exit = session(t, people(), Config{File: "/s/none.cql", FS: fs}, ""); exit != exitStatement || !strings.Contains(out, "could not open") {
		t.Error(exit, out)
	}
}
