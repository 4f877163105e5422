package query

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/ilion-db/ilion/cql/native"
	"github.com/ilion-db/ilion/cql/plan"
	"github.com/ilion-db/ilion/internal/session"
	"github.com/ilion-db/ilion/schema"
)

// The paging state of a DESCRIBE is the version of the schema, the number of
// rows that have been sent (u32, little-endian) and 16 bytes of HMAC-SHA256.
const (
	describeMAC   = 16
	describeState = 16 + 4 + describeMAC
)

// describeKey makes the states of DESCRIBE differ from all others.
var describeKey = []byte("describe")

func (p *Processor) describeMAC(body []byte) []byte {
	h := hmac.New(sha256.New, p.cfg.PagingKey)
	h.Write(describeKey)
	h.Write(body)
	return h.Sum(nil)[:describeMAC]
}

func (p *Processor) appendDescribeState(version schema.UUID, sent int) []byte {
	state := append(make([]byte, 0, describeState), version[:]...)
	state = binary.LittleEndian.AppendUint32(state, uint32(sent))
	return append(state, p.describeMAC(state)...)
}

// parseDescribeState returns how many rows have been sent.
func (p *Processor) parseDescribeState(state []byte, version schema.UUID) (int, error) {
	if len(state) == 0 {
		return 0, nil
	}
	if len(state) != describeState || !hmac.Equal(p.describeMAC(state[:20]), state[20:]) {
		return 0, native.Protocol("Invalid value for the paging state")
	}
	if schema.UUID(state[:16]) != version {
		return 0, native.Invalid("The schema has changed since the previous page of the DESCRIBE statement result. Please retry the DESCRIBE statement.")
	}
	return int(binary.LittleEndian.Uint32(state[16:])), nil
}

// describe returns a page of a DESCRIBE's rows.
func (p *Processor) describe(d *plan.Describe, pageSize int32, state, dst []byte) (body []byte, rows int, next []byte, err error) {
	version := p.Schema().Version
	from, err := p.parseDescribeState(state, version)
	if err != nil {
		return dst, 0, nil, err
	}
	all := d.Rows(p.describeInfo())
	all = all[min(from, len(all)):]
	if pageSize > 0 && len(all) > int(pageSize) {
		all = all[:pageSize]
		next = p.appendDescribeState(version, from+len(all))
	}
	for _, row := range all {
		for _, v := range row {
			dst = native.AppendValue(dst, v)
		}
	}
	return dst, len(all), next, nil
}

func (p *Processor) answerDescribe(r *session.Request, pl *plan.Plan) error {
	params := r.Params()
	body, rows, next, err := p.describe(pl.Describe, params.PageSize, params.PagingState, r.RowBuffer())
	if err != nil {
		return err
	}
	r.ReplyRows(native.RowsHead{Metadata: pl.Result, SkipMetadata: params.SkipMetadata, PagingState: next}, body, rows)
	return nil
}

func (p *Processor) describeInfo() *plan.DescribeInfo {
	info := &plan.DescribeInfo{Cluster: p.cfg.ClusterName, Partitioner: p.cfg.Partitioner, Snitch: p.cfg.Snitch, Owners: map[string][]string{}}
	for _, n := range p.cluster.Topology().Nodes {
		for _, t := range n.Tokens {
			end := strconv.FormatInt(int64(t), 10)
			info.Owners[end] = append(info.Owners[end], n.Address)
		}
	}
	return info
}
