package plan

import (
	"hash/fnv"
	"io"

	"github.com/ilion-db/ilion/cql"
	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/schema"
)

// Select is a compiled SELECT. Immutable and safe for concurrent use; Bind
// needs a Query of its own.
type Select struct {
	// Table is the definition that the statement was compiled for.
	Table *schema.Table
	// Slots are the columns that the selection and the filters read.
	Slots []*schema.Column
	// SlotOf has for each column id its slot, SlotUnread for a column that is
	// not read, or SlotDropped for one that is no more. An id beyond the end is
	// of a column that is newer than the plan.
	SlotOf []int32
	// Columns are the expressions of the result's columns.
	Columns []*Expr
	// Plain has the slot of each result column if all are bare columns, else nil.
	Plain []int
	// Aggregated tells that the result is one row, of aggregates, or with
	// Grouped one per group.
	Aggregated bool
	// Grouped makes the result one row per group: rows with the same partition
	// key and the same first GroupBy clustering columns.
	Grouped bool
	GroupBy int
	// GroupFunction, if not nil, of the next clustering column makes the group
	// as well.
	GroupFunction *Expr
	// AggregationWarning is what a client is told of an aggregate over more than
	// one partition, in Cassandra's words; empty for nothing.
	AggregationWarning string
	// Distinct wants one row per partition.
	Distinct bool
	// Reverse runs against the clustering order.
	Reverse bool
	// MergeOrder wants the rows of several partitions ordered by clustering.
	MergeOrder bool
	// StaticRows tells that a partition which has static columns only yields a
	// row.
	StaticRows bool
	// Result describes the columns.
	Result *native.Metadata
	// Fingerprint tells apart statements whose paging states must not be mixed.
	Fingerprint uint64

	epoch      uint64
	partition  []*restriction // EQ and IN on every column of the key, or nil
	key        []*term        // single values of them, or nil
	token      *restriction
	clustering clusterings
	prefix     []*term // single values of all clustering restrictions, or nil
	span       bool    // they are single values and a range of one more column
	filters    []filter
	readStatic bool

	limit, perPartition *term
	direct              *directKey // or nil
}

func (c *compiler) selectPlan(s *cql.Select) (*Select, error) {
	if err := c.useTable(s.From); err != nil {
		return nil, err
	}
	if err := c.refuseSelect(s); err != nil {
		return nil, err
	}
	out := &Select{Table: c.table, epoch: c.snap.Epoch, Distinct: s.Distinct}
	out.clustering.cols = c.table.Clustering
	if err := c.selection(s, out); err != nil {
		return nil, err
	}
	rs, err := c.where(s.Where, s.AllowFiltering || c.table.Virtual)
	if err != nil {
		return nil, err
	}
	if !s.Star && len(rs.clustering) > 0 && c.onlyStatic() {
		return nil, invalid("Cannot restrict clustering columns when selecting only static columns")
	}
	if err := c.restrict(out, rs, s.AllowFiltering); err != nil {
		return nil, err
	}
	if err := c.orderBy(s, out, rs); err != nil {
		return nil, err
	}
	if err := c.groupBy(s, out, rs); err != nil {
		return nil, err
	}
	if out.Aggregated {
		out.AggregationWarning = rs.aggregationWarning()
	}
	if s.Distinct {
		if err := c.checkDistinct(s, out, rs); err != nil {
			return nil, err
		}
	}
	if s.JSON {
		if err := c.selectJSON(out); err != nil {
			return nil, err
		}
	}
	if err := c.limits(s, out); err != nil {
		return nil, err
	}
	out.Slots, out.SlotOf = c.slots, slotsByID(c.table, c.slots)
	out.readStatic = len(c.table.Static) > 0
	out.StaticRows = len(rs.clustering) == 0
	out.Fingerprint = fingerprint(c.table, s)
	out.findDirect()
	return out, nil
}

// Values of Select.SlotOf that are no slots.
const (
	SlotUnread  = -1
	SlotDropped = -2
)

func slotsByID(t *schema.Table, slots []*schema.Column) []int32 {
	out := make([]int32, t.NextColumnID)
	for i := range out {
		out[i] = SlotDropped
		if t.ColumnByID(schema.ColumnID(i)) != nil {
			out[i] = SlotUnread
		}
	}
	for i, col := range slots {
		if int(col.ID) < len(out) {
			out[col.ID] = int32(i)
		}
	}
	return out
}

// onlyStatic tells whether the columns selected so far are static ones, and
// besides of the partition key only.
func (c *compiler) onlyStatic() bool {
	static := false
	for _, col := range c.slots {
		switch col.Kind {
		case schema.Static:
			static = true
		case schema.PartitionKey:
		default:
			return false
		}
	}
	return static
}

func (c *compiler) refuseSelect(s *cql.Select) error {
	switch {
	case len(s.Options) > 0:
		return unsupported("SELECT ... WITH")
	}
	return nil
}

// selection compiles the SELECT list.
func (c *compiler) selection(s *cql.Select, out *Select) error {
	var cols []native.Column
	add := func(name string, x *Expr) {
		out.Columns = append(out.Columns, x)
		cols = append(cols, native.Column{Keyspace: c.table.Keyspace, Table: c.table.Name, Name: name, Type: x.Type})
	}
	if s.Star {
		for _, col := range c.table.Columns() {
			add(col.Name, &Expr{Kind: ExprColumn, Type: col.Type, Slot: c.slot(col)})
		}
	}
	for _, sel := range s.Selectors {
		if isLiteral(sel.Expr) {
			return errNoType(sel.Expr)
		}
		x, err := c.expr(sel.Expr, exprSelection)
		if err != nil {
			return err
		}
		named := sel.Expr
		if cast, ok := named.(*cql.Cast); ok && (x.Kind == ExprColumn || x.Kind == ExprField) {
			named = cast.Expr // of its own type: no cast at all
		}
		name := cql.ResultName(named, nil)
		if sel.Alias != nil {
			name = sel.Alias.Name
		}
		add(name, x)
	}
	out.Result = native.NewMetadata(cols)
	out.Aggregated = c.aggregated
	for _, x := range out.Columns {
		if x.Kind != ExprColumn {
			return nil
		}
	}
	for _, x := range out.Columns {
		out.Plain = append(out.Plain, x.Slot)
	}
	return nil
}

// restrict decides what of the WHERE clause selects keys and slices and what
// is left to filter rows by, and refuses filtering that was not allowed.
func (c *compiler) restrict(out *Select, rs *restrictions, allowed bool) error {
	if c.table.Virtual {
		return c.filterAll(out, rs)
	}
	keyed, err := c.restrictPartition(out, rs, allowed)
	if err != nil {
		return err
	}
	if err := c.restrictClustering(out, rs, allowed); err != nil {
		return err
	}
	for _, r := range rs.other {
		if !allowed {
			return invalid("%s", msgAllowFiltering)
		}
		c.filter(out, r)
	}
	if !keyed && len(rs.clustering) > 0 && !allowed {
		return invalid("%s", msgAllowFiltering)
	}
	return nil
}

func (c *compiler) filterAll(out *Select, rs *restrictions) error {
	for _, list := range [][]*restriction{rs.partition, rs.clustering, rs.other} {
		for _, r := range list {
			c.filter(out, r)
		}
	}
	if rs.token != nil {
		c.filterToken(out, rs.token)
	}
	return nil
}

func (c *compiler) filterToken(out *Select, r *restriction) {
	f := filter{restriction: r, token: true}
	for _, col := range c.table.PartitionKey {
		f.slots = append(f.slots, c.slot(col))
	}
	out.filters = append(out.filters, f)
}

// restrictPartition tells whether single partitions are named.
func (c *compiler) restrictPartition(out *Select, rs *restrictions, allowed bool) (keyed bool, err error) {
	if len(rs.partition) == 0 {
		out.token = rs.token
		return false, nil
	}
	filtering := len(rs.partition) < len(c.table.PartitionKey)
	for _, r := range rs.partition {
		filtering = filtering || r.kind > restrictIN
	}
	if !filtering {
		if rs.token != nil {
			c.filterToken(out, rs.token)
		}
		out.partition, out.key = rs.partition, singles(rs.partition)
		return true, nil
	}
	out.token = rs.token
	if !allowed {
		return false, invalid("%s", msgAllowFiltering)
	}
	for _, r := range rs.partition {
		c.filter(out, r)
	}
	return false, nil
}

func (c *compiler) restrictClustering(out *Select, rs *restrictions, allowed bool) error {
	next, stop := 0, false
	for _, r := range rs.clustering {
		if !stop && r.kind <= restrictSlice && r.first().Position == next {
			out.clustering.rs = append(out.clustering.rs, r)
			next += len(r.cols)
			stop = r.kind == restrictSlice
			continue
		}
		if !allowed {
			if r.kind > restrictSlice {
				return invalid("Clustering columns can only be restricted with CONTAINS with a secondary index or filtering")
			}
			return invalid("PRIMARY KEY column \"%s\" cannot be restricted as preceding column \"%s\" is not restricted",
				r.first().Name, c.table.Clustering[next].Name)
		}
		stop = true
		c.filter(out, r)
	}
	if len(out.clustering.rs) > 0 {
		out.prefix = singles(out.clustering.rs)
		out.span = out.clustering.isSpan()
	}
	return nil
}

func (c *compiler) filter(out *Select, r *restriction) {
	f := filter{restriction: r}
	for _, col := range r.cols {
		f.slots = append(f.slots, c.slot(col))
	}
	out.filters = append(out.filters, f)
}

// columns calls f for each slot that the expression reads.
func (e *Expr) columns(f func(slot int)) {
	switch e.Kind {
	case ExprColumn, ExprWritetime, ExprMaxWritetime, ExprTTL:
		f(e.Slot)
		return
	}
	for _, a := range e.Args {
		if a != nil {
			a.columns(f)
		}
	}
}

func (c *compiler) limits(s *cql.Select, out *Select) (err error) {
	if s.Limit != nil {
		if out.limit, err = c.limit(s.Limit, "[limit]"); err != nil {
			return err
		}
	}
	if s.PerPartitionLimit != nil {
		if out.Aggregated && !out.Grouped {
			return invalid("PER PARTITION LIMIT is not allowed with aggregate queries.")
		}
		out.perPartition, err = c.limit(s.PerPartitionLimit, "[per_partition_limit]")
	}
	return err
}

func (c *compiler) limit(e cql.Term, name string) (*term, error) {
	t, err := c.term(e, name, schema.TypeInt)
	if err == nil && t.kind == termConst {
		_, err = limitValue(Value{Bytes: t.value})
	}
	return t, err
}

func fingerprint(t *schema.Table, s *cql.Select) uint64 {
	h := fnv.New64a()
	h.Write(t.ID[:])
	flags := []byte{0, 0, 0}
	if s.Distinct {
		flags[0] = 1
	}
	if s.Star {
		flags[1] = 1
	}
	if s.JSON {
		flags[1] |= 2
	}
	for _, o := range s.OrderBy {
		if o.Desc {
			flags[2]++
		}
		io.WriteString(h, o.Column.Name)
	}
	h.Write(flags)
	for _, sel := range s.Selectors {
		io.WriteString(h, sel.Expr.String())
		h.Write([]byte{0})
	}
	for i := range s.Where {
		io.WriteString(h, relationText(&s.Where[i]))
		h.Write([]byte{0})
	}
	for _, g := range s.GroupBy {
		io.WriteString(h, g.String())
		h.Write([]byte{1})
	}
	return h.Sum64()
}
