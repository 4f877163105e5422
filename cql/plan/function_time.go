package plan

import (
	"encoding/binary"

	"github.com/ilion-db/ilion/schema"
)

const (
	milliPerDay = 86400 * 1000
	// dayZero is 1970-01-01 as a date.
	dayZero = 1 << 31
)

func be64(v int64) []byte  { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func fromBE64(p []byte) int64 { return int64(binary.BigEndian.Uint64(p)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func dateOfMilli(ms int64) []byte { return be32(uint32(floorDiv(ms, milliPerDay) + dayZero)) }

func milliOfDate(p []byte) int64 {
	return (int64(binary.BigEndian.Uint32(p)) - dayZero) * milliPerDay
}

func milliOfTimeUUID(p []byte) int64 { return floorDiv(timeUUIDTick(p), 10000) }

// fakeTimeUUID is the smallest or largest timeuuid of a millisecond in the
// order of the type. It is no UUID that anything else has.
func fakeTimeUUID(ms int64, largest bool) []byte {
	var u [16]byte
	tick, fill := ms*10000, byte(0x80)
	if largest {
		tick, fill = tick+9999, 0x7f
	}
	putTimeUUID(&u, tick)
	for i := 8; i < 16; i++ {
		u[i] = fill
	}
	return u[:]
}

func init() {
	uuidT, tuuid, ts, date, big := schema.TypeUUID, schema.TypeTimeUUID, schema.TypeTimestamp, schema.TypeDate, schema.TypeBigint
	noArgs := func(name string, ret *schema.Type, f func(b *binding) []byte) {
		register(&function{name: name, ret: ret, f: func(b *binding, _ [][]byte) ([]byte, error) { return f(b), nil }})
	}
	newTime := func(b *binding) []byte { u := b.env.timeUUID(b.opts.Clock); return u[:] }
	noArgs("now", tuuid, newTime)
	noArgs("current_timeuuid", tuuid, newTime)
	noArgs("uuid", uuidT, func(b *binding) []byte { u := b.env.rand.UUID(); return u[:] })
	noArgs("current_timestamp", ts, func(b *binding) []byte { return be64(floorDiv(b.opts.Clock, 1000)) })
	noArgs("current_date", date, func(b *binding) []byte { return dateOfMilli(floorDiv(b.opts.Clock, 1000)) })
	noArgs("current_time", schema.TypeTime, func(b *binding) []byte {
		ms := floorDiv(b.opts.Clock, 1000)
		return be64((ms - floorDiv(ms, milliPerDay)*milliPerDay) * 1e6)
	})

	one := func(name string, arg, ret *schema.Type, f func(p []byte) []byte) {
		register(&function{name: name, args: []*schema.Type{arg}, ret: ret, f: func(_ *binding, a [][]byte) ([]byte, error) {
			if len(a[0]) == 0 {
				return nil, nil
			}
			return f(a[0]), nil
		}})
	}
	one("to_date", tuuid, date, func(p []byte) []byte { return dateOfMilli(milliOfTimeUUID(p)) })
	one("to_date", ts, date, func(p []byte) []byte { return dateOfMilli(fromBE64(p)) })
	one("to_timestamp", tuuid, ts, func(p []byte) []byte { return be64(milliOfTimeUUID(p)) })
	one("to_timestamp", date, ts, func(p []byte) []byte { return be64(milliOfDate(p)) })
	one("to_unix_timestamp", tuuid, big, func(p []byte) []byte { return be64(milliOfTimeUUID(p)) })
	one("to_unix_timestamp", ts, big, func(p []byte) []byte { return p })
	one("to_unix_timestamp", date, big, func(p []byte) []byte { return be64(milliOfDate(p)) })
	one("dateof", tuuid, ts, func(p []byte) []byte { return be64(milliOfTimeUUID(p)) })
	one("unixtimestampof", tuuid, big, func(p []byte) []byte { return be64(milliOfTimeUUID(p)) })
	one("min_timeuuid", ts, tuuid, func(p []byte) []byte { return fakeTimeUUID(fromBE64(p), false) })
	one("max_timeuuid", ts, tuuid, func(p []byte) []byte { return fakeTimeUUID(fromBE64(p), true) })
}
