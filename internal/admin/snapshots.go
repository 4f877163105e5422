package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Paths of what the commands change. They are asked by POST, and on the node's
// machine only.
const (
	SnapshotPath      = "/api/v1/snapshot"      // tag, keyspace, table
	ListSnapshotsPath = "/api/v1/listsnapshots" // nothing; it changes nothing
	ClearSnapshotPath = "/api/v1/clearsnapshot" // tag, keyspace
	ImportPath        = "/api/v1/import"        // keyspace, table, directory
)

// Store is what the commands do with the table files of a node. Names may be
// empty: a keyspace for all of them, a table for all of the keyspace.
type Store interface {
	// TakeSnapshot links the files as they are now and returns the snapshot's tag,
	// that is one by the time if none is given.
	TakeSnapshot(tag, keyspace, table string) (string, error)
	// Snapshots lists all there are, by tag, keyspace and table.
	Snapshots() ([]Snapshot, error)
	// ClearSnapshot removes the snapshot, or all if no tag is given.
	ClearSnapshot(tag, keyspace string) error
	// Import adds the rows of the table's files in a directory of the node, and
	// returns how many files there were.
	Import(ctx context.Context, keyspace, table, dir string) (files int, err error)
}

// Snapshot is the files of a table at one moment.
type Snapshot struct {
	Tag      string `json:"tag"`
	Keyspace string `json:"keyspace"`
	Table    string `json:"table"` // its id, if there is no such table any more
	Bytes    int64  `json:"size_bytes"`
	Own      int64  `json:"true_size_bytes"` // of what the table itself does not have any more
	Path     string `json:"directory"`
}

// Snapshots is the answer of `ilion listsnapshots`.
type Snapshots struct {
	Snapshots []Snapshot `json:"snapshots"`
}

// WriteText writes the layout of `nodetool listsnapshots`, and where they are.
func (s *Snapshots) WriteText(w io.Writer) {
	if len(s.Snapshots) == 0 {
		fmt.Fprintln(w, "There are no snapshots")
		return
	}
	t := table{{"Snapshot name", "Keyspace name", "Column family name", "True size", "Size on disk", "Directory"}}
	var own int64
	for _, x := range s.Snapshots {
		t = append(t, []string{x.Tag, x.Keyspace, x.Table, formatLoad(x.Own), formatLoad(x.Bytes), x.Path})
		own += x.Own
	}
	fmt.Fprintln(w, "Snapshot Details:")
	for _, line := range t.lines() {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "\nTotal TrueDiskSpaceUsed: %s\n", formatLoad(own))
}

// Done is the answer of a command that has changed something.
type Done struct {
	Tag   string `json:"tag,omitempty"`   // of the snapshot
	Files int    `json:"files,omitempty"` // that were imported
	Text  string `json:"message"`
}

// WriteText writes what was done.
func (d *Done) WriteText(w io.Writer) { fmt.Fprintln(w, d.Text) }

// scope is what a command is about.
func scope(keyspace, table string) string {
	switch {
	case keyspace == "":
		return "all keyspaces"
	case table == "":
		return keyspace
	}
	return keyspace + "." + table
}

func (c *Config) handleStore(mux *http.ServeMux) {
	answer := func(w http.ResponseWriter, v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v) // its error is the client's, who has gone
	}
	// A page that a browser on the node's machine shows must not reach these.
	origin := http.NewCrossOriginProtection()
	change := func(path string, do func(context.Context, url.Values) (*Done, error)) {
		mux.Handle("POST "+path, origin.Handler(byAddress(sameMachine("changes", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			done, err := do(r.Context(), r.URL.Query())
			answer(w, done, err)
		})))))
	}
	mux.HandleFunc("GET "+ListSnapshotsPath, func(w http.ResponseWriter, _ *http.Request) {
		list, err := c.Store.Snapshots()
		answer(w, &Snapshots{list}, err)
	})
	change(SnapshotPath, func(_ context.Context, q url.Values) (*Done, error) {
		tag, err := c.Store.TakeSnapshot(q.Get("tag"), q.Get("keyspace"), q.Get("table"))
		return &Done{Tag: tag, Text: fmt.Sprintf("Requested creating snapshot(s) for [%s] with snapshot name [%s]\nSnapshot directory: %[2]s",
			scope(q.Get("keyspace"), q.Get("table")), tag)}, err
	})
	change(ClearSnapshotPath, func(_ context.Context, q url.Values) (*Done, error) {
		tag, what := q.Get("tag"), "all snapshots"
		if tag != "" {
			what = "snapshot name [" + tag + "]"
		}
		err := c.Store.ClearSnapshot(tag, q.Get("keyspace"))
		return &Done{Tag: tag, Text: fmt.Sprintf("Requested clearing snapshot(s) for [%s] with %s", scope(q.Get("keyspace"), ""), what)}, err
	})
	change(ImportPath, func(ctx context.Context, q url.Values) (*Done, error) {
		of := scope(q.Get("keyspace"), q.Get("table"))
		n, err := c.Store.Import(ctx, q.Get("keyspace"), q.Get("table"), q.Get("directory"))
		return &Done{Files: n, Text: "Imported " + strconv.Itoa(n) + " file(s) into " + of}, err
	})
}
