package webhook

import (
	"cmp"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Event is the event that a request is about. It is never written to.
type Event struct {
	ID              string // the producer's own; empty: InternalID
	InternalID      domain.UUID
	Sequence        int64 // in its tenant's log
	Tenant          string
	Source          string // empty: the tenant's own, /tenants/{tenant}
	Type            string
	Subject         string
	SchemaVersion   string
	DataSchema      string
	OccurredAt      time.Time                   // never zero: where the producer gave none, the time of recording
	Extensions      map[string]domain.Extension // CloudEvents extension attributes
	Data            []byte                      // the JSON exactly as it was appended; empty: there is none
	DataContentType string                      // of the data; empty: domain.DefaultDataContentType
	Hops            int                         // how many webhooks led to the event: each request says one more, in domain.HeaderHops
}

// Attempt is what differs from one request of a delivery to the next.
type Attempt struct {
	Number   int       // from 1
	At       time.Time // what the request says of its own time; with it a request can be made again exactly
	Test     bool      // marks the request with hooktrail-test: true
	ReplayID string    // marks the request with hooktrail-replay-id; "": no replay
}

// RefusedError says that an event can't be sent to an endpoint in its profile's format, whenever it is tried: the
// delivery is dead.
type RefusedError struct {
	Code string // stable: "data_not_representable", "header_not_representable"
	Text string // for a person; names members, never their values
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Text }

// The stable codes of a RefusedError.
const (
	CodeDataRefused   = "data_not_representable"
	CodeHeaderRefused = "header_not_representable"
)

// text returns a textual field. Numbers and times are made by appendText.
func (e *Event) text(f field) string {
	switch f {
	case fieldID, fieldWebhookID:
		// The producer's id where it is unique without its source, else the event's UUID. Standard Webhooks signs
		// id.timestamp.body, so there a dot in the id would make one signature valid for two texts.
		own := e.Source == "" || e.Source == "/tenants/"+e.Tenant
		if e.ID == "" || !own || f == fieldWebhookID && strings.Contains(e.ID, ".") {
			return e.InternalID.String()
		}
		return e.ID
	case fieldProducerID:
		if e.ID != "" {
			return e.ID
		}
		return e.InternalID.String()
	case fieldInternalID:
		return e.InternalID.String()
	case fieldTenant:
		return e.Tenant
	case fieldSource:
		if e.Source == "" {
			return "/tenants/" + e.Tenant
		}
		return e.Source
	case fieldType:
		return e.Type
	case fieldSubject:
		return e.Subject
	case fieldSchema:
		return e.SchemaVersion
	case fieldDataSchema:
		return e.DataSchema
	case fieldDataContentType:
		if len(e.Data) == 0 {
			return e.DataContentType
		}
		return cmp.Or(e.DataContentType, domain.DefaultDataContentType)
	}
	return ""
}
