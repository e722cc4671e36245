package openapi

import (
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
)

// patch is a member of a merge patch (RFC 7396): absent, null, or a value. A value that is an object of patches merges
// in turn.
type patch[T any] struct {
	Value T
	Set   bool // the member is there
	Null  bool // it is null
}

// Schema implements huma.SchemaProvider: T's schema, or null.
func (patch[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}

// UnmarshalJSON implements json.Unmarshaler; encoding/json calls it for null too.
func (p *patch[T]) UnmarshalJSON(b []byte) error {
	p.Set = true
	if string(b) == "null" {
		p.Null = true
		return nil
	}
	return json.Unmarshal(b, &p.Value)
}

// IsZero implements what omitzero asks.
func (p patch[T]) IsZero() bool { return !p.Set }

// apply changes a value if the patch speaks of it; null brings the default back.
func (p patch[T]) apply(to *T, byDefault T) {
	switch {
	case p.Null:
		*to = byDefault
	case p.Set:
		*to = p.Value
	}
}

// mergeText applies a patch of a map of texts: members that are null go.
func mergeText(to map[string]string, p patch[map[string]*string]) map[string]string {
	if p.Null {
		return nil
	}
	merged := make(map[string]string, len(to)+len(p.Value))
	for name, value := range to {
		merged[name] = value
	}
	for name, value := range p.Value {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = *value
		}
	}
	return merged
}

// stamp is a time as the API writes it: RFC 3339 in UTC, at most microseconds.
type stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s stamp) MarshalText() ([]byte, error) { return []byte(domain.FormatTime(time.Time(s))), nil }

// IsZero implements what omitzero asks.
func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

// Schema implements huma.SchemaProvider.
func (stamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

func isConflict(err error) bool { return errors.Is(err, domain.ErrConflict) }
