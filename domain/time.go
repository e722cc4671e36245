package domain

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// FormatTime writes a time as the product does everywhere, on the wire and in leaves: RFC 3339 in UTC with Z, at most
// microseconds, trailing zeros trimmed.
func FormatTime(t time.Time) string { return t.UTC().Format(leafTime) }

// dateTime is RFC 3339's form, in capitals.
var dateTime = regexp.MustCompile(
	`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// ParseTime reads a time that a client sent into the form of the log's times: UTC, at most microseconds. What isn't RFC
// 3339 is refused, with an error on the field.
func ParseTime(field, s string) (time.Time, error) {
	// RFC 3339 lets letters be small. Go's parser reads more than it: commas, one digit for the hour, any offset.
	plain := strings.ToUpper(s)
	fine := dateTime.MatchString(plain)
	leap := fine && plain[17:19] == "60"
	if leap {
		plain = plain[:17] + "59" + plain[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, plain)
	if leap { // only at the end of June or December in UTC; as everywhere in Unix time, it is the second after it
		t = t.Add(time.Second)
		utc := t.UTC()
		fine = utc.Day() == 1 && (utc.Month() == time.January || utc.Month() == time.July) && utc.Truncate(time.Second).Equal(
			time.Date(utc.Year(), utc.Month(), 1, 0, 0, 0, 0, time.UTC))
	}
	if err != nil || !fine {
		return time.Time{}, Invalid(field, "must be a time such as 2026-07-01T12:00:00Z (RFC 3339)")
	}
	if t.IsZero() {
		return time.Time{}, nil
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// Duration is a length of time that JSON holds as a text such as "1m30s" (Go's syntax; no days).
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(`not a duration: write it like "30s", "5m" or "72h"`)
	}
	*d = Duration(parsed)
	return nil
}
