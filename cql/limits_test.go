package cql

import (
	"strings"
	"testing"
)

// TestOperatorLimit goes to the limit of operators in an expression and one over.
func TestOperatorLimit(t *testing.T) {
	sum := func(n int) error {
		_, err := Parse("SELECT a" + strings.Repeat(" + b", n) + " FROM t")
		return err
	}
	if err := sum(maxOperators); err != nil {
		t.Errorf("%d operators: %v", maxOperators, err)
	}
	if err := sum(maxOperators + 1); err == nil || !strings.Contains(err.Error(), "more than 1024 operators in one expression") {
		t.Errorf("%d operators: %v", maxOperators+1, err)
	}
}
