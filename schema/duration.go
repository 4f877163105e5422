package schema

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/ilion-db/ilion/internal/encoding"
)

// Duration is a value of type duration: the three parts do not convert into
// each other and have the same sign.
type Duration struct {
	Months, Days int32
	Nanos        int64
}

const nanosPerHour = 3_600_000_000_000

// DecodeDuration reads a duration value: three zigzag vints.
func DecodeDuration(v []byte) (d Duration, err error) {
	if len(v) < 3 {
		return d, invalid("Expected at least 3 bytes for a duration (%d)", len(v))
	}
	var parts [3]int64
	for i := range parts {
		u, n := readVint(v)
		if n == 0 {
			return d, invalid("Not enough bytes to read a duration")
		}
		parts[i], v = encoding.Unzigzag(u), v[n:]
	}
	if parts[0] != int64(int32(parts[0])) {
		return d, invalid("The duration months must be a 32 bits integer but was: %d", parts[0])
	}
	if parts[1] != int64(int32(parts[1])) {
		return d, invalid("The duration days must be a 32 bits integer but was: %d", parts[1])
	}
	d = Duration{int32(parts[0]), int32(parts[1]), parts[2]}
	if (d.Months < 0 || d.Days < 0 || d.Nanos < 0) && (d.Months > 0 || d.Days > 0 || d.Nanos > 0) {
		return d, invalid("The duration months, days and nanoseconds must be all of the same sign (%d, %d, %d)", d.Months, d.Days, d.Nanos)
	}
	return d, nil
}

// Append appends the duration's value.
func (d Duration) Append(dst []byte) []byte {
	dst = appendVint(dst, encoding.Zigzag(int64(d.Months)))
	dst = appendVint(dst, encoding.Zigzag(int64(d.Days)))
	return appendVint(dst, encoding.Zigzag(d.Nanos))
}

// String prints the duration as CQL writes it, for example "1y2mo3d4h5m6s7ms".
func (d Duration) String() string {
	var b strings.Builder
	if d.Months < 0 || d.Days < 0 || d.Nanos < 0 {
		b.WriteByte('-')
	}
	part := func(rest, unit uint64, suffix string) uint64 {
		if rest >= unit {
			b.WriteString(strconv.FormatUint(rest/unit, 10))
			b.WriteString(suffix)
		}
		return rest % unit
	}
	months := part(abs(int64(d.Months)), 12, "y")
	part(months, 1, "mo")
	part(abs(int64(d.Days)), 1, "d")
	n := abs(d.Nanos)
	for _, u := range durationUnits[4:] {
		n = part(n, u.nanos, u.name)
	}
	return b.String()
}

func abs(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

type durationUnit struct {
	name, plural string
	months, days uint64
	nanos        uint64
}

// durationUnits are in the order in which they may appear.
var durationUnits = []durationUnit{
	{"y", "years", 12, 0, 0},
	{"mo", "months", 1, 0, 0},
	{"w", "weeks", 0, 7, 0},
	{"d", "days", 0, 1, 0},
	{"h", "hours", 0, 0, nanosPerHour},
	{"m", "minutes", 0, 0, 60_000_000_000},
	{"s", "seconds", 0, 0, 1_000_000_000},
	{"ms", "milliseconds", 0, 0, 1_000_000},
	{"us", "microseconds", 0, 0, 1_000},
	{"ns", "nanoseconds", 0, 0, 1},
}

// ParseDuration reads a duration constant in any of CQL's three forms:
// 1h30m, P1Y2M3DT4H5M6S, P2W and P0001-02-03T04:05:06, with a leading minus.
func ParseDuration(text string) (Duration, error) {
	s, neg := strings.CutPrefix(text, "-")
	b := durationBuilder{text: text, last: -1, limit: math.MaxInt64}
	var err error
	switch {
	case s == "":
		err = b.bad()
	case s[0] != 'P' && s[0] != 'p':
		err = b.units(s)
	case strings.Contains(s, "-"):
		err = b.alternative(s[1:])
	default:
		err = b.iso(strings.ToUpper(s[1:]))
	}
	if err != nil {
		return Duration{}, err
	}
	if neg {
		return Duration{-int32(b.months), -int32(b.days), -int64(b.nanos)}, nil
	}
	return Duration{int32(b.months), int32(b.days), int64(b.nanos)}, nil
}

type durationBuilder struct {
	text                string
	last                int
	limit               uint64
	months, days, nanos uint64
}

func (b *durationBuilder) bad() error { return invalid("Unable to convert '%s' to a duration", b.text) }

func (b *durationBuilder) add(digits string, unit int) error {
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return b.bad()
	}
	u := durationUnits[unit]
	switch {
	case unit == b.last:
		return invalid("Invalid duration. The %s are specified multiple times", u.plural)
	case unit < b.last:
		return invalid("Invalid duration. The %s should be after %s", durationUnits[b.last].plural, u.plural)
	}
	b.last = unit
	for _, part := range []struct {
		total      *uint64
		unit, most uint64
		what       string
	}{
		{&b.months, u.months, math.MaxInt32, "months"},
		{&b.days, u.days, math.MaxInt32, "days"},
		{&b.nanos, u.nanos, b.limit, "nanoseconds"},
	} {
		hi, lo := bits.Mul64(n, part.unit)
		if hi != 0 || lo > part.most-*part.total {
			return invalid("Invalid duration. The total number of %s must be less or equal to %d", part.what, part.most)
		}
		*part.total += lo
	}
	return nil
}

// split cuts the leading digits and the letters after them off s.
func splitUnit(s string) (digits, unit, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	j := i
	for j < len(s) && (s[j] < '0' || s[j] > '9') {
		j++
	}
	return s[:i], s[i:j], s[j:]
}

func (b *durationBuilder) units(s string) error {
	for s != "" {
		digits, unit, rest := splitUnit(s)
		unit = strings.ToLower(unit)
		if unit == "µs" || unit == "μs" {
			unit = "us"
		}
		i := 0
		for i < len(durationUnits) && durationUnits[i].name != unit {
			i++
		}
		if i == len(durationUnits) {
			return b.bad()
		}
		if err := b.add(digits, i); err != nil {
			return err
		}
		s = rest
	}
	return nil
}

// iso reads what follows P in the ISO 8601 form.
func (b *durationBuilder) iso(s string) error {
	letters := map[string]int{"Y": 0, "M": 1, "W": 2, "D": 3}
	any := false
	for s != "" {
		if s[0] == 'T' && !strings.HasSuffix(s, "T") {
			letters = map[string]int{"H": 4, "M": 5, "S": 6}
			s = s[1:]
		}
		digits, unit, rest := splitUnit(s)
		if u, ok := strings.CutSuffix(unit, "T"); ok && rest != "" {
			unit, rest = u, "T"+rest
		}
		i, ok := letters[unit]
		if !ok {
			return b.bad()
		}
		if err := b.add(digits, i); err != nil {
			return err
		}
		s, any = rest, true
	}
	if !any {
		return b.bad()
	}
	return nil
}

// alternative reads YYYY-MM-DDThh:mm:ss.
func (b *durationBuilder) alternative(s string) error {
	if len(s) != 19 || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return b.bad()
	}
	for i, digits := range []string{s[:4], s[5:7], "0", s[8:10], s[11:13], s[14:16], s[17:]} {
		if err := b.add(digits, i); err != nil {
			return err
		}
	}
	return nil
}
