package plan

import (
	"slices"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/schema"
)

// orderBy accepts the clustering order and its exact reverse.
func (c *compiler) orderBy(s *cql.Select, out *Select, rs *restrictions) error {
	if len(s.OrderBy) == 0 {
		return nil
	}
	if !c.table.Virtual && out.partition == nil {
		return invalid("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
	}
	next := 0
	for i, o := range s.OrderBy {
		if o.ANN {
			return unsupported("ORDER BY ... ANN OF")
		}
		col := c.table.Column(o.Column.Name)
		if col == nil {
			return errUndefinedColumn(o.Column.Name, c.table)
		}
		if col.Kind != schema.Clustering {
			return invalid("Order by is currently only supported on the clustered columns of the PRIMARY KEY, got %s", col.Name)
		}
		for ; next != col.Position; next++ {
			if next > col.Position || !rs.fixed(c.table.Clustering[next]) {
				return invalid("Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY")
			}
		}
		next++
		reverse := o.Desc != col.Desc
		if i > 0 && reverse != out.Reverse {
			return invalid("Unsupported order by relation")
		}
		out.Reverse = reverse
	}
	if out.key == nil {
		out.MergeOrder = true
		for _, col := range c.table.Clustering {
			c.slot(col)
		}
	}
	return nil
}

// groupBy accepts a prefix of the primary key, less what = fixes.
func (c *compiler) groupBy(s *cql.Select, out *Select, rs *restrictions) error {
	if len(s.GroupBy) == 0 {
		return nil
	}
	key := slices.Concat(c.table.PartitionKey, c.table.Clustering)
	next := 0
	for i, e := range s.GroupBy {
		col, err := c.groupColumn(e, out, i == len(s.GroupBy)-1)
		if err != nil {
			return err
		}
		if col.Kind != schema.PartitionKey && col.Kind != schema.Clustering {
			return invalid("Group by is currently only supported on the columns of the PRIMARY KEY, got %s", col.Name)
		}
		for ; next < len(key) && key[next] != col; next++ {
			if !rs.fixed(key[next]) {
				return invalid("Group by currently only support groups of columns following their declared order in the PRIMARY KEY")
			}
		}
		if next == len(key) {
			return invalid("Group by currently only support groups of columns following their declared order in the PRIMARY KEY")
		}
		next++
	}
	if next < len(c.table.PartitionKey) {
		return invalid("Group by is not supported on only a part of the partition key")
	}
	if c.table.Virtual || out.MergeOrder {
		return unsupported("GROUP BY of a virtual table or over several ordered partitions")
	}
	if out.GroupFunction != nil {
		next--
	}
	out.Aggregated, out.Grouped, out.GroupBy, out.Plain = true, true, max(next-len(c.table.PartitionKey), 0), nil
	return nil
}

// groupColumn is the column that an element of GROUP BY is about; the last may
// be floor of one.
func (c *compiler) groupColumn(e cql.Expr, out *Select, last bool) (*schema.Column, error) {
	if ref, ok := e.(*cql.Column); ok {
		if col := c.table.Column(ref.Name); col != nil {
			return col, nil
		}
		return nil, errUndefinedColumn(ref.Name, c.table)
	}
	call, ok := e.(*cql.FunctionCall)
	if !ok || call.Name.Name != "floor" || len(call.Args) == 0 || !last {
		return nil, unsupported("GROUP BY with a function but floor of the last column")
	}
	x, err := c.expr(e, exprSelection)
	if err != nil {
		return nil, err
	}
	ref, ok := call.Args[0].(*cql.Column)
	if !ok {
		return nil, unsupported("GROUP BY with floor of an expression")
	}
	col := c.table.Column(ref.Name)
	if col.Kind != schema.Clustering {
		return nil, invalid("Group by functions are only supported on clustering columns, got %s", col.Name)
	}
	out.GroupFunction = x
	return col, nil
}

func (rs *restrictions) aggregationWarning() string {
	switch {
	case len(rs.partition) == 0 && rs.token == nil:
		return "Aggregation query used without partition key"
	case slices.ContainsFunc(rs.partition, func(r *restriction) bool { return r.kind == restrictIN }):
		return "Aggregation query used on multiple partition keys (IN restriction)"
	}
	return ""
}

func (rs *restrictions) fixed(col *schema.Column) bool {
	eq := func(r *restriction) bool { return r.kind == restrictEQ && slices.Contains(r.cols, col) }
	return slices.ContainsFunc(rs.clustering, eq) || slices.ContainsFunc(rs.partition, eq)
}

func (c *compiler) checkDistinct(s *cql.Select, out *Select, rs *restrictions) error {
	if len(rs.clustering) > 0 || slices.ContainsFunc(rs.other, func(r *restriction) bool { return r.first().Kind != schema.Static }) {
		return invalid("SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.")
	}
	if out.MergeOrder {
		return invalid("SELECT DISTINCT queries must only request partition key columns and/or static columns (not %s)",
			schema.QuoteName(s.OrderBy[0].Column.Name))
	}
	var selected []*schema.Column
	for _, x := range out.Columns {
		if x.Kind == ExprToken && x.Args == nil {
			selected = append(selected, c.table.PartitionKey...)
		}
		x.columns(func(slot int) { selected = append(selected, c.slots[slot]) })
	}
	for _, col := range selected {
		if col.Kind != schema.PartitionKey && col.Kind != schema.Static {
			return invalid("SELECT DISTINCT queries must only request partition key columns and/or static columns (not %s)", schema.QuoteName(col.Name))
		}
	}
	for _, col := range c.table.PartitionKey {
		if !slices.Contains(selected, col) {
			return invalid("SELECT DISTINCT queries must request all the partition key columns (missing %s)", schema.QuoteName(col.Name))
		}
	}
	if out.Grouped && out.GroupBy > 0 {
		return invalid("Grouping on clustering columns is not allowed for SELECT DISTINCT queries")
	}
	if s.PerPartitionLimit != nil {
		return invalid("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
	}
	return nil
}
