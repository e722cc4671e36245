package rest

import (
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// One is the answer with one thing.
type One[T any] struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the answer reflects." example:"41"`
	ETag     string `header:"ETag" doc:"The thing's version, for If-Match." example:"\"3\""`
	Body     T
}

// NewOne returns the answer with one thing in a version, which reflects a sequence.
func NewOne[T any](reflected domain.Sequence, version int, body T) *One[T] {
	return &One[T]{Sequence: SequenceText(reflected), ETag: ETag(version), Body: body}
}

// Made is the answer to a POST.
type Made[T any] struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the entry that was appended." example:"41"`
	ETag     string `header:"ETag" doc:"The thing's version, for If-Match." example:"\"1\""`
	Location string `header:"Location" doc:"Where the thing is." example:"/v1/tenants/acme/endpoints/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Replayed string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body     T
}

// NewMade returns what every answer to a POST has, from the entry that the POST appended.
func NewMade[T any](e domain.Entry, replayed bool, location string, body T) *Made[T] {
	return &Made[T]{
		Sequence: SequenceText(e.Sequence), ETag: ETag(e.StreamVersion), Location: location,
		Replayed: Replayed(replayed),
		Body:     body,
	}
}

// Replayed is the value of Idempotency-Replayed; "" leaves the header out.
func Replayed(replayed bool) string {
	if replayed {
		return "true"
	}
	return ""
}

// Gone is the answer to a DELETE.
type Gone struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the entry that was appended." example:"41"`
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T     `json:"items" doc:"The page's items."`
	Next  *string `json:"next" doc:"The cursor of the next page; null on the last one." example:"AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk"`
}

// Listed is the answer with a page.
type Listed[T any] struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the list reflects, on all its pages." example:"41"`
	Link     string `header:"Link" doc:"The next page (RFC 8288)." example:"</v1/tenants/acme/endpoints?cursor=AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk>; rel=\"next\""`
	Body     Page[T]
}

// Exact is an answer that is written by hand, so that values go out byte for byte.
type Exact struct {
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the answer reflects." example:"41"`
	Link        string `header:"Link" doc:"The next page (RFC 8288)." example:"</v1/tenants/acme/events?cursor=AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk>; rel=\"next\""`
	Body        []byte
}

// Plain is an answer without headers.
type Plain[T any] struct{ Body T }

// SequenceText is a sequence as headers have it.
func SequenceText(n domain.Sequence) string { return strconv.FormatInt(int64(n), 10) }

// Stamp is a time as the API writes it: RFC 3339 in UTC, at most microseconds.
type Stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s Stamp) MarshalText() ([]byte, error) { return []byte(domain.FormatTime(time.Time(s))), nil }

// IsZero implements what omitzero asks for.
func (s Stamp) IsZero() bool { return time.Time(s).IsZero() }

// Schema implements huma.SchemaProvider.
func (Stamp) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// Versions tells when a thing was made and when it got its present state. Answers embed it.
type Versions struct {
	Version         int   `json:"version" doc:"Counts the thing's changes, from 1; its ETag." example:"1"`
	CreatedAt       Stamp `json:"created_at" doc:"When the thing was made." example:"2026-07-01T12:00:00.123456Z"`
	CreatedSequence int64 `json:"created_sequence" doc:"The entry that made it." example:"12"`
	UpdatedAt       Stamp `json:"updated_at" doc:"When it was changed last." example:"2026-07-01T12:00:00.123456Z"`
	UpdatedSequence int64 `json:"updated_sequence" doc:"The entry that changed it last." example:"12"`
}

// VersionsOf is Versions of a thing in its n-th version.
func VersionsOf(n int, created, updated projections.Origin) Versions {
	return Versions{
		Version: n, CreatedAt: Stamp(created.RecordedAt), CreatedSequence: int64(created.Sequence),
		UpdatedAt: Stamp(updated.RecordedAt), UpdatedSequence: int64(updated.Sequence),
	}
}
