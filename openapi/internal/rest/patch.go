package rest

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Patch is a member of a merge patch (RFC 7396): absent, null, or a value. A value that is an object of patches merges
// in turn.
type Patch[T any] struct {
	Value T
	Set   bool // the member is present
	Null  bool // it is null
}

// Schema implements huma.SchemaProvider: T's schema, or null.
func (Patch[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}

// UnmarshalJSON implements json.Unmarshaler; encoding/json calls it for null too.
func (p *Patch[T]) UnmarshalJSON(b []byte) error {
	p.Set = true
	if string(b) == "null" {
		p.Null = true
		return nil
	}
	return json.Unmarshal(b, &p.Value)
}

// IsZero implements what omitzero asks for.
func (p Patch[T]) IsZero() bool { return !p.Set }

// Apply changes a value if the patch mentions it; null restores the default.
func (p Patch[T]) Apply(to *T, byDefault T) {
	switch {
	case p.Null:
		*to = byDefault
	case p.Set:
		*to = p.Value
	}
}

// MergeText applies a patch to a map of texts: members that are null are removed.
func MergeText(to map[string]string, p Patch[map[string]*string]) map[string]string {
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
