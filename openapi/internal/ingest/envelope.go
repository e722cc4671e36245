package ingest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// The content types in which events come.
const (
	JSON        = "application/json"
	NDJSON      = "application/x-ndjson"
	NDJSONPlain = "application/ndjson" // NDJSON and JSON Lines are the same under three names
	JSONLines   = "application/jsonl"
	CloudEvent  = "application/cloudevents+json"
	CloudBatch  = "application/cloudevents-batch+json"
)

// FirstSchemaVersion is the schema version of an event whose type and producer name none.
const FirstSchemaVersion = "v1"

// DefaultSource is the source of an event whose producer names none.
func DefaultSource(tenant domain.TenantID) string { return "/tenants/" + string(tenant) }

// Event is an event as a producer sent it.
type Event struct {
	Attrs domain.EventAttributes
	Data  []byte
	Named bool // the producer gave the id

	versioned  bool // the producer gave the schema version
	dataIsBody bool // the data is the whole body (CloudEvents' binary mode)
}

// ReadObject reads an event in the product's own form from a JSON object that was checked already. Locations are
// relative to the event.
func ReadObject(object []byte) (Event, error) { return parseEvent(splitChecked(object, nil)) }

// parseEvent reads the members of an event in the product's own form. Locations are relative to the event.
func parseEvent(members []domain.Member) (Event, error) {
	var e Event
	var err error
	for _, m := range members {
		if m.Name != "data" && string(m.Raw) == "null" {
			continue // as if it were absent
		}
		switch m.Name {
		case "id":
			e.Attrs.ID, err = Text(m)
			e.Named = true
		case "source":
			e.Attrs.Source, err = Text(m)
		case "type":
			var name string
			name, err = Text(m)
			e.Attrs.Type = domain.EventType(name)
		case "subject":
			e.Attrs.Subject, err = Text(m)
		case "occurred_at":
			e.Attrs.OccurredAt, err = instant(m)
		case "schema_version":
			e.Attrs.SchemaVersion, err = Text(m)
			e.versioned = true
		case "dataschema":
			e.Attrs.DataSchema, err = Text(m)
		case "extensions":
			e.Attrs.Extensions, err = extensions(m)
		case "data":
			e.Data = m.Raw
		default:
			err = domain.Invalid(clip(m.Name), "isn't a member of an event")
		}
		if err != nil {
			return e, err
		}
	}
	if e.Data == nil {
		return e, domain.Invalid("data", "is missing")
	}
	if e.Attrs.Type == "" {
		return e, domain.Invalid("type", "is missing")
	}
	return e, nil
}

// Defaults complete an event.
type Defaults struct {
	Tenant        domain.TenantID
	ID            domain.UUID // the event's internal id, which is its name where the producer gave none
	SchemaVersion string      // of its type; "" for none
	MaxData       int         // bytes
}

// Complete fills in what the producer left out and checks the whole. Locations are relative to the event.
func (e *Event) Complete(d Defaults) error {
	if !e.Named {
		e.Attrs.ID = d.ID.String()
	}
	if e.Attrs.Source == "" {
		e.Attrs.Source = DefaultSource(d.Tenant)
	}
	if e.Attrs.SchemaVersion == "" {
		e.Attrs.SchemaVersion = cmp.Or(d.SchemaVersion, FirstSchemaVersion)
	}
	if len(e.Data) > d.MaxData {
		return &Error{TooLarge, "data", fmt.Sprintf("has at most %d bytes", d.MaxData)}
	}
	return e.Attrs.Validate()
}

// DataPath is where the data is in the request, path being where the event is.
func (e *Event) DataPath(path string) string {
	if e.dataIsBody {
		return "body"
	}
	return path + ".data"
}

// Claim reserves the producer's id, so that a repetition is always recognised.
func (e *Event) Claim(tenant domain.TenantID, draft int) domain.Claim {
	return domain.Claim{
		Tenant: tenant, Scope: domain.ScopeEvent(e.Attrs.Source), Key: e.Attrs.ID, Digest: e.digest(e.spelledOut()),
		First: draft, Count: 1,
	}
}

// Draft is the event on its way into the log, under an internal id.
func (e *Event) Draft(tenant domain.TenantID, id domain.UUID, by domain.Actor) domain.Draft {
	return domain.Draft{
		Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id}, By: by, Subject: e.Attrs.Subject,
		Fact: e.Fact(),
	}
}

// Fact is what the log will say.
func (e *Event) Fact() *domain.EventAppended {
	return &domain.EventAppended{Event: e.Attrs, Data: e.Data}
}

// Repeats returns the claims that the first of two events with the same name made if this one repeats it: each default
// may have been spelled out in one of them and left out in the other. The claim that differs in nothing isn't among them.
func (e *Event) Repeats(tenant domain.TenantID, first *domain.Entry) []domain.Claim {
	fact, ok := first.Fact.(*domain.EventAppended)
	if !ok {
		return nil
	}
	version, occurred := e.spelledOut()
	versions, times := []string{version}, []string{occurred}
	if name := e.Attrs.SchemaVersion; name == fact.Event.SchemaVersion && name != FirstSchemaVersion {
		versions = []string{"", name}
	}
	read := fact.Event.OccurredAt
	if read.IsZero() {
		read = first.RecordedAt
	}
	if e.Attrs.OccurredAt.Equal(read) {
		times = []string{"", occurred}
	}
	var claims []domain.Claim
	for _, v := range versions {
		for _, at := range times {
			if v != version || at != occurred {
				claim := e.Claim(tenant, 0)
				claim.Digest = e.digest(v, at)
				claims = append(claims, claim)
			}
		}
	}
	return claims
}

// spelledOut are the members that have a default which changes, as the digest has them: "" where they were left out. The
// first schema version spelled out counts as left out.
func (e *Event) spelledOut() (version, occurred string) {
	if e.versioned && e.Attrs.SchemaVersion != FirstSchemaVersion {
		version = e.Attrs.SchemaVersion
	}
	if !e.Attrs.OccurredAt.IsZero() {
		occurred = domain.FormatTime(e.Attrs.OccurredAt)
	}
	return version, occurred
}

// digest is the same for the same members, of which two are given as spelledOut has them.
func (e *Event) digest(version, occurred string) (sum [32]byte) {
	h := sha256.New()
	for _, field := range []string{
		e.Attrs.ID, e.Attrs.Source, string(e.Attrs.Type), e.Attrs.Subject, occurred, version, e.Attrs.DataSchema,
	} {
		hashField(h, []byte(field))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Attrs.Extensions)) {
		hashField(h, []byte(name))
		// Binary mode has no types, and what is repeated in it is the same event.
		hashField(h, []byte(e.Attrs.Extensions[name].String()))
	}
	hashField(h, e.Data)
	if name := e.Attrs.DataContentType; name != "" && name != domain.DefaultDataContentType {
		hashField(h, []byte(name))
	}
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

// Text reads a member that must be a text, of JSON that was checked already.
func Text(m domain.Member) (string, error) {
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

func instant(m domain.Member) (time.Time, error) {
	s, err := Text(m)
	if err != nil {
		return time.Time{}, err
	}
	return domain.ParseTime(m.Name, s)
}

// extensions reads CloudEvents extension attributes: texts, Booleans and integers by name.
func extensions(m domain.Member) (map[string]domain.Extension, error) {
	if m.Raw[0] != '{' {
		return nil, domain.Invalid(m.Name, "must be an object of texts, Booleans and integers")
	}
	found := make(map[string]domain.Extension)
	for _, member := range splitChecked(m.Raw, nil) {
		if string(member.Raw) == "null" {
			continue // as if it were absent
		}
		value, err := domain.ParseExtension(m.Name+"."+clip(member.Name), member.Raw)
		if err != nil {
			return nil, err
		}
		found[member.Name] = value
	}
	return found, nil
}
