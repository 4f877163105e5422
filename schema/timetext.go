package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	nanosPerDay = 24 * nanosPerHour
	// dateEpoch is the date value of 1970-01-01.
	dateEpoch  = 1 << 31
	secsPerDay = 86400
)

// zones are the names of time zones that timestamps may end in, in minutes
// east of Greenwich.
var zones = map[string]int{
	"Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120,
	"EET": 120, "EEST": 180, "MSK": 180, "IST": 330, "JST": 540, "EST": -300, "EDT": -240,
	"CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
}

// scanner cuts digits and separators off the front of a text.
type scanner struct{ s string }

// number takes lo to hi digits.
func (c *scanner) number(lo, hi int) (int, bool) {
	i := 0
	for i < len(c.s) && i < hi && c.s[i] >= '0' && c.s[i] <= '9' {
		i++
	}
	if i < lo {
		return 0, false
	}
	n, err := strconv.Atoi(c.s[:i])
	c.s = c.s[i:]
	return n, err == nil
}

func (c *scanner) char(set string) bool {
	if c.s != "" && strings.IndexByte(set, c.s[0]) >= 0 {
		c.s = c.s[1:]
		return true
	}
	return false
}

// fraction takes ".digits" and returns nanoseconds.
func (c *scanner) fraction() (ns int, ok bool) {
	if !c.char(".") {
		return 0, true
	}
	i := 0
	for i < len(c.s) && c.s[i] >= '0' && c.s[i] <= '9' {
		i++
	}
	if i == 0 || i > 9 {
		return 0, false
	}
	ns, err := strconv.Atoi((c.s[:i] + "000000000")[:9])
	c.s = c.s[i:]
	return ns, err == nil
}

// date takes year-month-day. A day past the end of its month is the last one.
func (c *scanner) date(yearDigits, lo int) (y, m, d int, ok bool) {
	neg := c.char("-")
	if !neg {
		c.char("+")
	}
	y, ok1 := c.number(yearDigits, 9)
	ok1 = ok1 && c.char("-")
	m, ok2 := c.number(lo, 2)
	ok2 = ok2 && c.char("-")
	d, ok3 := c.number(lo, 2)
	if !ok1 || !ok2 || !ok3 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, 0, 0, false
	}
	if neg {
		y = -y
	}
	return y, m, d, true
}

func daysIn(y, m int) int { return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// ParseTimestamp reads a timestamp constant into milliseconds since 1970: a
// number, or a date with an optional time and zone, UTC by default.
func ParseTimestamp(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && text[0] != '+' {
		return n, nil
	}
	ms, ok := parseDateTime(text)
	if !ok {
		return 0, invalid("Unable to parse a date/time from '%s'", text)
	}
	return ms, nil
}

func parseDateTime(text string) (int64, bool) {
	c := scanner{strings.TrimSpace(text)}
	y, m, d, ok := c.date(1, 1)
	if !ok {
		return 0, false
	}
	var hh, mm, ss, ns int
	if len(c.s) > 1 && (c.s[0] == ' ' || c.s[0]|0x20 == 't') && c.s[1] >= '0' && c.s[1] <= '9' {
		c.s = c.s[1:]
		hh, ok = c.number(1, 2)
		if !ok || !c.char(":") {
			return 0, false
		}
		if mm, ok = c.number(1, 2); !ok {
			return 0, false
		}
		if c.char(":") {
			if ss, ok = c.number(1, 2); !ok {
				return 0, false
			}
			if ns, ok = c.fraction(); !ok {
				return 0, false
			}
		}
	}
	zone, ok := c.zone()
	if !ok || hh > 23 || mm > 59 || ss > 59 {
		return 0, false
	}
	t := time.Date(y, time.Month(m), min(d, daysIn(y, m)), hh, mm, ss, ns, time.UTC)
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Unix() != t.Unix() {
		return 0, false // so far away that 64 bits do not hold it
	}
	return ms - int64(zone)*60_000, true
}

// zone takes what is left as a time zone, in minutes.
func (c *scanner) zone() (minutes int, ok bool) {
	c.s = strings.TrimPrefix(c.s, " ")
	if c.s == "" {
		return 0, true
	}
	neg := c.s[0] == '-'
	if !c.char("+-") {
		minutes, ok = zones[strings.ToUpper(c.s)]
		return minutes, ok
	}
	h, ok := c.number(2, 2)
	if !ok || h > 18 {
		return 0, false
	}
	m := 0
	if c.s != "" {
		c.char(":")
		if m, ok = c.number(2, 2); !ok || m > 59 || c.s != "" {
			return 0, false
		}
	}
	if minutes = h*60 + m; neg {
		minutes = -minutes
	}
	return minutes, true
}

// ParseDate reads a date constant into days, 1<<31 being 1970-01-01: a number
// of days in that form or year-month-day.
func ParseDate(text string) (uint32, error) {
	if text != "" && strings.Trim(text, "0123456789") == "" || len(text) > 1 && text[0] == '-' && strings.Trim(text[1:], "0123456789") == "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, invalid("Unable to make unsigned int (for date) from: '%s'", text)
		}
		return uint32(n), nil
	}
	c := scanner{text}
	y, m, d, ok := c.date(4, 2)
	signed := strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+")
	if !ok || c.s != "" || d > daysIn(y, m) || !signed && y > 9999 {
		return 0, invalid("Unable to coerce '%s' to a formatted date (long)", text)
	}
	days := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix() / secsPerDay
	if days != int64(int32(days)) {
		return 0, invalid("Input date %s is out of range", text)
	}
	return uint32(days + dateEpoch), nil
}

// ParseTime reads a time constant into nanoseconds of the day: a number or
// hours:minutes:seconds with an optional fraction.
func ParseTime(text string) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n >= nanosPerDay {
			return 0, invalid("Unable to make long (for time) from: '%s'", text)
		}
		return n, nil
	}
	c := scanner{text}
	h, ok1 := c.number(1, 2)
	ok1 = ok1 && c.char(":")
	m, ok2 := c.number(1, 2)
	ok2 = ok2 && c.char(":")
	s, ok3 := c.number(1, 2)
	ns, ok4 := c.fraction()
	if !ok1 || !ok2 || !ok3 || !ok4 || c.s != "" || h > 23 || m > 59 || s > 59 {
		return 0, invalid("(TimeType) Unable to coerce '%s' to a formatted time (long)", text)
	}
	return int64(h*3600+m*60+s)*1_000_000_000 + int64(ns), nil
}

// DateText prints a date value's days as year-month-day.
func DateText(days uint32) string {
	t := time.Unix((int64(days)-dateEpoch)*secsPerDay, 0).UTC()
	return yearText(t.Year()) + t.Format("-01-02")
}

func yearText(y int) string {
	switch {
	case y > 9999:
		return fmt.Sprintf("+%d", y)
	case y < 0:
		return fmt.Sprintf("-%04d", -y)
	}
	return fmt.Sprintf("%04d", y)
}

// TimeText prints nanoseconds of the day with nine decimals.
func TimeText(ns int64) string {
	s := ns / 1_000_000_000
	return fmt.Sprintf("%02d:%02d:%02d.%09d", s/3600, s/60%60, s%60, ns%1_000_000_000)
}

// TimestampText prints milliseconds since 1970 in UTC with sep between date
// and time, for example "2024-02-03 04:05:06.789Z".
func TimestampText(ms int64, sep byte) string {
	t := time.UnixMilli(ms).UTC()
	return yearText(t.Year()) + t.Format("-01-02") + string(sep) + t.Format("15:04:05.000Z")
}
