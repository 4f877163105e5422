package config

import "testing"

// TestMostTokens goes to the most ranges that a node can be told to own, and one
// over.
func TestMostTokens(t *testing.T) {
	for v, taken := range map[string]bool{"0": false, "1": true, "256": true, "257": false} {
		c := Default()
		if err := c.ApplyEnv(func(k string) (string, bool) { return v, k == "ILION_NUM_TOKENS" }); (err == nil) != taken {
			t.Errorf("%s tokens: %v", v, err)
		}
	}
}
