package plan

import (
	"time"

	"github.com/ilion-db/ilion/schema"
)

// floor rounds a time down to a multiple of a duration, counted from a start
// that is 1970 unless it is given.
func init() {
	ts, date, clock, dur := schema.TypeTimestamp, schema.TypeDate, schema.TypeTime, schema.TypeDuration
	add := func(ret *schema.Type, f func(a [][]byte) ([]byte, error), args ...*schema.Type) {
		register(&function{name: "floor", args: args, ret: ret, f: func(_ *binding, a [][]byte) ([]byte, error) {
			for _, v := range a {
				if len(v) == 0 {
					return nil, nil
				}
			}
			return f(a)
		}})
	}
	add(ts, floorTimestamp, ts, dur)
	add(ts, floorTimestamp, ts, dur, ts)
	add(date, floorDate, date, dur)
	add(date, floorDate, date, dur, date)
	add(clock, floorTime, clock, dur)
}

func floorTimestamp(a [][]byte) ([]byte, error) {
	d, err := schema.DecodeDuration(a[1])
	if err != nil {
		return nil, wrap(err)
	}
	if d.Nanos%1e6 != 0 {
		return nil, invalid("The floor cannot be computed for the %s duration as precision is below 1 millisecond", d)
	}
	start := int64(0)
	if len(a) > 2 {
		start = fromBE64(a[2])
	}
	ms, err := floorMilli(fromBE64(a[0]), start, d)
	return be64(ms), err
}

func floorDate(a [][]byte) ([]byte, error) {
	d, err := schema.DecodeDuration(a[1])
	if err != nil {
		return nil, wrap(err)
	}
	if d.Nanos%(milliPerDay*1e6) != 0 {
		return nil, invalid("The floor on date values cannot be computed for the %s duration as precision is below 1 day", d)
	}
	start := int64(0)
	if len(a) > 2 {
		start = milliOfDate(a[2])
	}
	ms, err := floorMilli(milliOfDate(a[0]), start, d)
	return dateOfMilli(ms), err
}

func floorTime(a [][]byte) ([]byte, error) {
	d, err := schema.DecodeDuration(a[1])
	switch {
	case err != nil:
		return nil, wrap(err)
	case d.Months < 0 || d.Days < 0 || d.Nanos < 0:
		return nil, errNegativeFloor
	case d.Months > 0 || d.Days > 0 || d.Nanos >= milliPerDay*1e6:
		return nil, invalid("For time values, the floor can only be computed for durations smaller that a day")
	case d.Nanos == 0:
		return a[0], nil
	}
	at := fromBE64(a[0])
	return be64(at - at%d.Nanos), nil
}

var errNegativeFloor = invalid("Negative durations are not supported by the floor function")

// floorMilli rounds at down; all times are in milliseconds.
func floorMilli(at, start int64, d schema.Duration) (int64, error) {
	switch {
	case start > at:
		return 0, invalid("The floor function starting time is greater than the provided time")
	case d.Months < 0 || d.Days < 0 || d.Nanos < 0:
		return 0, errNegativeFloor
	case d.Months > 0 && (d.Days > 0 || d.Nanos > 0):
		return 0, unsupported("floor by months together with days")
	case d.Months == 0:
		unit := int64(d.Days)*milliPerDay + d.Nanos/1e6
		if unit == 0 {
			return at, nil
		}
		// From one end of the timestamps to the other fits 64 bits without a sign.
		return at - int64((uint64(at)-uint64(start))%uint64(unit)), nil
	}
	from, to := time.UnixMilli(start).UTC(), time.UnixMilli(at).UTC()
	months := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	step := int(d.Months)
	out := addMonths(from, months-months%step)
	if out.After(to) {
		out = addMonths(from, months-months%step-step)
	}
	return out.UnixMilli(), nil
}
