package rest

import (
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
)

// Time is a time in a request, as domain.ParseTime reads it: Huma's own reading takes more than RFC 3339 has, and less.
// The zero value is a time that wasn't given.
type Time struct {
	at  time.Time
	bad bool
}

// Std is the time in the form of the log's times; zero: none was given.
func (t Time) Std() time.Time { return t.at }

// IsZero implements what omitzero asks for.
func (t Time) IsZero() bool { return t.at.IsZero() && !t.bad }

// String is the time as the API writes it.
func (t Time) String() string { return domain.FormatTime(t.at) }

// UnmarshalText implements encoding.TextUnmarshaler. What isn't a time is refused by Resolve, which knows the place.
func (t *Time) UnmarshalText(text []byte) error {
	at, err := domain.ParseTime("", string(text))
	*t = Time{at, err != nil}
	return nil
}

// Resolve implements huma.ResolverWithPath.
func (t *Time) Resolve(_ huma.Context, path *huma.PathBuffer) []error {
	if !t.bad {
		return nil
	}
	return []error{&huma.ErrorDetail{
		Location: strings.TrimSuffix(path.String(), ".value"), // of an Opt
		Message:  "must be a time such as 2026-07-01T12:00:00Z (RFC 3339)",
	}}
}

// Schema implements huma.SchemaProvider. The format is for readers of the document alone: Huma would check it its way.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"format": "date-time"}}
}
