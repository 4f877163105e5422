package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The table in the README is what people read first: it names every setting
// with its default.
func TestReadmeNamesEverySetting(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	defaults := Default()
	for _, s := range Settings() {
		row := fmt.Sprintf("| `--%s` | `%s` |", s.Name, s.Get(&defaults))
		if s.Get(&defaults) == "" {
			row = fmt.Sprintf("| `--%s` | |", s.Name)
		}
		if !strings.Contains(string(raw), row) {
			t.Errorf("README.md has no row that begins %s", row)
		}
	}
}
