package plan

import (
	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

func parseConstant(t *schema.Type, e *cql.Literal) ([]byte, error) {
	panic("todo")
}
