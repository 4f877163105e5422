package plan

import (
	"github.com/ilion-db/ilion/cql"
)

func (c *compiler) castExpr(e *cql.Cast, scope exprScope) (*Expr, error) {
	return nil, unsupported("CAST")
}
func (c *compiler) binaryExpr(e *cql.BinaryOp, scope exprScope) (*Expr, error) {
	return nil, unsupported("Arithmetic")
}
func (c *compiler) negationExpr(e *cql.Negation, scope exprScope) (*Expr, error) {
	return nil, unsupported("Arithmetic")
}
