package session

import (
	"testing"

	"github.com/ilion-db/ilion/cql/native"
)

type brokenMapper struct{ *fakeHandler }

func (brokenMapper) MapError(*Request, error) *native.Error { panic("asked to") }

func TestPanicOfTheWriter(t *testing.T) {
	s := startServer(t, Config{}, brokenMapper{newFakeHandler()})
	c := connect(t, s, 4)
	c.query(1, "nonsense")
	c.closed()
	eventually(t, func() bool { return s.Stats().Panics.Load() == 1 && s.Stats().Connections.Load() == 0 })
}

// TestPanicsGiveBack loses answers to a panic: some before their turn ends, some
// encoded and some not, with bodies that are copied and that are not.
func TestPanicsGiveBack(t *testing.T) {
	for name, texts := range map[string][]string{
		"reader":                {"echo a", "big 8000", "panic", "echo b"},
		"writer":                {"nonsense"},
		"writer, first of many": {"nonsense", "echo a", "big 8000"},
		"writer, last of many":  {"echo a", "big 8000", "nonsense"},
		"writer, among many":    {"echo a", "big 8000", "nonsense", "echo b", "nonsense", "big 8000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, Config{}, brokenMapper{newFakeHandler()})
			c := connect(t, s, 4)
			c.queries(texts...)
			for {
				if _, err := c.tryRecv(); err != nil {
					break
				}
			}
			eventually(t, func() bool { return s.Stats().Connections.Load() == 0 })
			if n := s.Stats().Panics.Load(); n != 1 {
				t.Errorf("%d panics", n)
			}
			if n := s.UnsentBytes(); n != 0 {
				t.Errorf("%d bytes are unsent to nobody", n)
			}
			eventually(t, func() bool { return s.InputBytes() == 0 })
		})
	}
}

// queries sends them at once.
func (c *client) queries(texts ...string) {
	var b []byte
	for i, text := range texts {
		b = append(b, c.frame(int16(i), native.OpQuery, query(text))...)
	}
	c.write(b)
}
