package plan

import (
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
)

type Describe struct{ Result *native.Metadata }

func (c *compiler) describe(*cql.Describe) (*Describe, error) { return nil, unsupported("DESCRIBE") }
func (c *compiler) castExpr(e *cql.Cast, scope exprScope) (*Expr, error) {
	return nil, unsupported("CAST")
}
func (c *compiler) binaryExpr(e *cql.BinaryOp, scope exprScope) (*Expr, error) {
	return nil, unsupported("Arithmetic")
}
func (c *compiler) negationExpr(e *cql.Negation, scope exprScope) (*Expr, error) {
	return nil, unsupported("Arithmetic")
}
