package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ilion-db/ilion/internal/vfs"
)

// A replay of a log that cannot be read to its end stores nothing more of it:
// neither the runs that wait nor the one that a worker has begun.
func TestReplayGivesUp(t *testing.T) {
	o := testOptions(t, vfs.NewMem(), "/d", 1)
	e := mustOpen(t, o)
	defer e.Close()
	tab := e.allTables()[table0]
	w := newReplayWorkers(e, true)
	w.size = 64 << 10
	value := strings.Repeat("v", 1<<10)
	half := func() bool { return w.filling[0] != nil && w.filling[0].bytes > w.size/2 }
	for i := 0; !w.sent || !half(); i++ { // else the log would be little, or a run of memtables
		if err := w.hand(tab, insert(0, fmt.Sprint("k", i), 1, 1, value)); err != nil {
			t.Fatal(err)
		}
	}
	w.pause()
	stored := func() (files []string) {
		files, err := o.FS.List(tab.dir())
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	before := stored()
	if len(before) == 0 {
		t.Error("nothing is stored of runs that were full")
	}
	begun := &replayRun{}
	for i := range 60 {
		rec := insert(0, fmt.Sprint("q", i), 1, 1, value)
		begun.add(w, tab, rec.Token().Ordered(), rec)
	}
	unread := errors.New("the log is damaged")
	r := &replayer{engine: e, workers: w}
	if err := r.end(unread); !errors.Is(err, unread) {
		t.Errorf("%v", err)
	}
	s := replayStore{workers: w}
	if err := s.store(begun); !errors.Is(err, unread) {
		t.Errorf("a run that was begun: %v", err)
	}
	begun.reset(w)
	begun.release(w)
	if after := stored(); !slices.Equal(before, after) {
		t.Errorf("files %v, before %v", after, before)
	}
	if n := tab.current.Load().mems[0].Stats().Records; n != 0 {
		t.Errorf("%d records are in the memtable", n)
	}
	if held := w.held.Load(); held != 0 {
		t.Errorf("%d bytes of runs are held", held)
	}
}
