package domain

import (
	"errors"
	"time"
)

// FormatTime writes a time as the product does everywhere, on the wire and in leaves: RFC 3339 in UTC with Z, at most
// microseconds, trailing zeros trimmed.
func FormatTime(t time.Time) string { return t.UTC().Format(leafTime) }

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
