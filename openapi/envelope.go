package openapi

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// submission is an event as a producer sent it, its defaults filled in.
type submission struct {
	attrs    domain.EventAttributes
	data     []byte
	named    bool // the producer gave the id
	versions bool // the producer gave the schema version
	bare     bool // the data is the whole body
}

// parseEvent reads the members of an event in the product's own form. Errors are relative to the event.
func parseEvent(members []domain.Member) (submission, error) {
	var s submission
	var err error
	for _, m := range members {
		if m.Name != "data" && string(m.Raw) == "null" {
			continue // as if it were absent
		}
		switch m.Name {
		case "id":
			s.attrs.ID, err = text(m)
			s.named = true
		case "source":
			s.attrs.Source, err = text(m)
		case "type":
			var name string
			name, err = text(m)
			s.attrs.Type = domain.EventType(name)
		case "subject":
			s.attrs.Subject, err = text(m)
		case "occurred_at":
			s.attrs.OccurredAt, err = moment3339(m)
		case "schema_version":
			s.attrs.SchemaVersion, err = text(m)
			s.versions = true
		case "dataschema":
			s.attrs.DataSchema, err = text(m)
		case "extensions":
			s.attrs.Extensions, err = extensions(m)
		case "data":
			s.data = m.Raw
		default:
			err = domain.Invalid(clip(m.Name), "is no member of an event")
		}
		if err != nil {
			return s, err
		}
	}
	if s.data == nil {
		return s, domain.Invalid("data", "is missing")
	}
	if s.attrs.Type == "" {
		return s, domain.Invalid("type", "is missing")
	}
	return s, nil
}

// complete fills in the defaults, checks the whole, and returns what holds for events of the type. id is the event's
// internal one.
func (s *submission) complete(c *call, id domain.UUID) (projections.Rules, error) {
	rules := c.Directory.Rules(c.tenant, s.attrs.Type, s.attrs.SchemaVersion)
	if !s.named {
		s.attrs.ID = id.String()
	}
	if s.attrs.Source == "" {
		s.attrs.Source = defaultSource(c.tenant)
	}
	if s.attrs.SchemaVersion == "" {
		s.attrs.SchemaVersion = cmp.Or(rules.Version, firstSchemaVersion)
	}
	if len(s.data) > c.Limits.DataBytes {
		return rules, refuse(http.StatusRequestEntityTooLarge, "event_data_too_large", "An event's data is larger than the server takes.",
			fault{"data", fmt.Sprintf("has at most %d bytes", c.Limits.DataBytes)})
	}
	return rules, s.attrs.Validate()
}

// firstSchemaVersion is the schema version of an event whose type and producer name none.
const firstSchemaVersion = "v1"

// defaultSource is the source of an event whose producer names none.
func defaultSource(tenant domain.TenantID) string { return "/tenants/" + string(tenant) }

// claim reserves the producer's id, so that a repetition is recognised for ever.
func (s *submission) claim(tenant domain.TenantID, draft int) domain.Claim {
	return domain.Claim{
		Tenant: tenant, Scope: domain.ScopeEvent(s.attrs.Source), Key: s.attrs.ID, Digest: s.digest(), First: draft, Count: 1,
	}
}

// digest is the same for the same members. A schema version that the producer left open doesn't count: its default may
// change.
func (s *submission) digest() (sum [32]byte) {
	h := sha256.New()
	version := ""
	if s.versions {
		version = s.attrs.SchemaVersion
	}
	occurred := ""
	if !s.attrs.OccurredAt.IsZero() {
		occurred = domain.FormatTime(s.attrs.OccurredAt)
	}
	for _, field := range []string{
		s.attrs.ID, s.attrs.Source, string(s.attrs.Type), s.attrs.Subject, occurred, version, s.attrs.DataSchema,
	} {
		hashField(h, []byte(field))
	}
	for _, name := range slices.Sorted(maps.Keys(s.attrs.Extensions)) {
		hashField(h, []byte(name))
		hashField(h, []byte(s.attrs.Extensions[name]))
	}
	hashField(h, s.data)
	h.Sum(sum[:0])
	return sum
}

// hashField writes a field after its length: no two lists of fields hash alike.
func hashField(h hash.Hash, b []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(b)))
	h.Write(size[:])
	h.Write(b)
}

// draft is the submission on its way into the log.
func (s *submission) draft(c *call, id domain.UUID) domain.Draft {
	return domain.Draft{
		Tenant: c.tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id}, By: c.by(), Subject: s.attrs.Subject,
		Fact: s.fact(),
	}
}

func (s *submission) fact() *domain.EventAppended {
	return &domain.EventAppended{Event: s.attrs, Data: s.data}
}

// text reads a JSON text that was checked before.
func text(m domain.Member) (string, error) {
	if m.Raw[0] != '"' {
		return "", domain.Invalid(m.Name, "must be a text")
	}
	if bytes.IndexByte(m.Raw, '\\') < 0 {
		return string(m.Raw[1 : len(m.Raw)-1]), nil
	}
	var s string
	err := json.Unmarshal(m.Raw, &s)
	return s, err
}

func moment3339(m domain.Member) (time.Time, error) {
	s, err := text(m)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, domain.Invalid(m.Name, "must be a time such as 2026-07-01T12:00:00Z")
	}
	return instant(t), nil
}

// extensions reads CloudEvents extension attributes: texts by name.
func extensions(m domain.Member) (map[string]string, error) {
	if m.Raw[0] != '{' {
		return nil, domain.Invalid(m.Name, "must be an object of texts")
	}
	found := make(map[string]string)
	for _, member := range splitChecked(m.Raw, nil) {
		value, err := text(member)
		if err != nil {
			return nil, domain.Invalid(m.Name, "must be an object of texts")
		}
		found[member.Name] = value
	}
	return found, nil
}
