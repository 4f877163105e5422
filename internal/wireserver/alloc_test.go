//go:build !race

package wireserver_test

import (
	"testing"

	"github.com/ilion-db/ilion/internal/transport"
)

// A warm frame of executions allocates nothing, on either side.
func TestAllocations(t *testing.T) {
	p := open(t, transport.TCP, nil)
	defer p.close()
	for _, value := range []string{"d", "W", "R"} {
		exchange := p.exchange(8, value)
		for range 1000 {
			exchange()
		}
		// Pools may be emptied by the collector meanwhile: on average, not one.
		if n := testing.AllocsPerRun(2000, exchange); n > 0 {
			t.Errorf("%v allocations for a frame of 8 executions of %s", n, value)
		}
	}
}
