package domain

import (
	"strings"
	"time"
	"unicode/utf8"
)

// EventAttributes is everything about an event but its data. Erasing the event's subject destroys the identity; the class
// is the tenant's and stays.
type EventAttributes struct {
	EventClass
	EventIdentity
}

// EventClass is what the tenant itself says about an event. It names no person.
type EventClass struct {
	Type          EventType `json:"type"`
	SchemaVersion string    `json:"schema_version"`
	// Test marks a sample made for one endpoint, which is never routed elsewhere.
	Test *TestTarget `json:"test,omitzero"`
	// About is the endpoint that an operational event is about: it is never routed there.
	About UUID `json:"about,omitzero"`
	// Hops is how many webhooks, one because of the other, led to the event, at most MaxHops+1; see HeaderHops.
	Hops int `json:"hops,omitzero"`
}

// EventIdentity is what the producer chose about an event: any of it may point to a person.
type EventIdentity struct {
	// ID is the producer's own or, where it gave none, the event's internal UUID. With Source it is unique in the tenant.
	ID         string    `json:"id"`
	Source     string    `json:"source"`
	Subject    string    `json:"subject,omitempty"`
	OccurredAt time.Time `json:"occurred_at,omitzero"` // by default when it came in; zero: when it was recorded
	DataSchema string    `json:"dataschema,omitempty"`
	// DataContentType is the data's media type as a CloudEvents producer named it; "": DefaultDataContentType. The data
	// is JSON, whatever its name.
	DataContentType string               `json:"datacontenttype,omitempty"`
	Extensions      map[string]Extension `json:"extensions,omitempty"` // CloudEvents extension attributes
	// SchemaProblem is how the data violates the type's schema, where the tenant accepts it nevertheless. It holds
	// places and rules, no value of the data.
	SchemaProblem string `json:"schema_problem,omitempty"`
}

// DefaultDataContentType is the media type of data whose producer names none.
const DefaultDataContentType = "application/json"

// TestTarget is the one endpoint to which a test event goes.
type TestTarget struct {
	Endpoint UUID `json:"endpoint"`
}

// Bounds of an event.
const (
	MaxEventIDBytes  = 256
	MaxDataBytes     = 256 << 10 // default; the server can be configured otherwise
	MaxBatchEvents   = 1000
	maxAttributeText = 1024
	maxExtensions    = 32
)

// Validate refuses attributes that may not be appended. now bounds nothing: producers may report old events.
func (a EventAttributes) Validate() error {
	if err := ValidateEventID("id", a.ID); err != nil {
		return err
	}
	if err := a.Type.Validate("type"); err != nil {
		return err
	}
	texts := []struct{ field, value string }{
		{"source", a.Source},
		{"subject", a.Subject},
		{"schema_version", a.SchemaVersion},
		{"dataschema", a.DataSchema},
		{"datacontenttype", a.DataContentType},
	}
	for _, t := range texts {
		if err := ValidateText(t.field, t.value, 0, maxAttributeText); err != nil {
			return err
		}
	}
	if a.Source == "" {
		return Invalid("source", "must not be empty")
	}
	if err := validateURIReference("source", a.Source); err != nil {
		return err
	}
	if err := validateURIReference("dataschema", a.DataSchema); err != nil {
		return err
	}
	if y := a.OccurredAt.UTC().Year(); !a.OccurredAt.IsZero() && (y < 1970 || y > 9999) {
		return Invalid("occurred_at", "must be between the years 1970 and 9999")
	}
	if a.Hops < 0 || a.Hops > MaxHops+1 {
		return Invalid("hops", "must be from 0 to %d", MaxHops+1)
	}
	return validateExtensions(a.Extensions)
}

// reservedAttribute reports whether a name is no extension's: it is that of an attribute, or the data's.
func reservedAttribute(name string) bool {
	switch name {
	case "id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data":
		return true
	}
	return false
}

// validateExtensions checks the names by CloudEvents 1.0 §3.1 (lower-case letters and digits).
func validateExtensions(extensions map[string]Extension) error {
	if len(extensions) > maxExtensions {
		return Invalid("extensions", "must have at most %d members", maxExtensions)
	}
	for name, value := range extensions {
		plain := !strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		if reservedAttribute(name) {
			return Invalid("extensions", "must not have the name of an attribute, or data (reserved by CloudEvents)")
		}
		if len(name) < 1 || len(name) > 64 || !plain || ValidateText("", value.text, 0, maxAttributeText) != nil {
			return Invalid("extensions",
				"must have names of 1 to 64 of a-z and 0-9, and values of at most %d bytes without control characters",
				maxAttributeText)
		}
	}
	return nil
}

// ValidateEventID refuses an id that a producer may not choose. Allowed are 1 to 256 visible ASCII characters.
func ValidateEventID(field, id string) error {
	if len(id) < 1 || len(id) > MaxEventIDBytes {
		return Invalid(field, "must have 1 to %d characters", MaxEventIDBytes)
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r < '!' || r > '~' }) {
		return Invalid(field, "must contain only visible ASCII characters, no space")
	}
	return nil
}

// ValidateProse is ValidateText for text of several lines: line feeds and tabs are allowed.
func ValidateProse(field, s string, most int) error {
	line := strings.NewReplacer("\n", " ", "\t", " ").Replace(s)
	return ValidateText(field, line, 0, most)
}

// ValidateText refuses text that isn't UTF-8, contains control characters (PostgreSQL can't keep NUL), or whose length in
// bytes is outside the bounds.
func ValidateText(field, s string, least, most int) error {
	if len(s) < least || len(s) > most {
		return Invalid(field, "must have %d to %d bytes", least, most)
	}
	if !utf8.ValidString(s) {
		return Invalid(field, "must be UTF-8")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Invalid(field, "must not contain control characters")
	}
	return nil
}

// ScopeEvent is the scope in which ids that producers choose for events of a source are claimed.
func ScopeEvent(source string) string { return "event/" + source }

// DefaultSource is the source of an event whose producer names none.
func DefaultSource(tenant TenantID) string { return "/tenants/" + string(tenant) }

// EventName is what others call an event: its producer's id where that is unique without its source, else the internal
// one.
func EventName(tenant TenantID, id UUID, a EventIdentity) string {
	if a.ID == "" || a.Source != DefaultSource(tenant) {
		return id.String()
	}
	return a.ID
}
