package domain

import "encoding/json"

// Operational events are those that the product itself appends about what became of a tenant's endpoints and deliveries.
// An endpoint subscribes to them like to any event, but by name ("hooktrail.*", "hooktrail.delivery.dead"): a "*" in the
// first place never matches them. Each is appended in one group with the fact that it is about, and only while a
// subscription of the tenant matches its type, since the log contains the fact in any case. The endpoint that it is
// about (EventAttributes.About) doesn't receive it, and nothing is appended about deliveries of operational events, so that none
// leads to another.
//
// The data of all of them is a [Notice]. Beside endpoint_id it has the members that the comments name.
const (
	// EventDeliveryDead: a delivery is dead: no further attempt follows unless somebody redrives it. All members; reason is one of the
	// Dead… constants, error and status_code are those of the last attempt.
	EventDeliveryDead EventType = "hooktrail.delivery.dead"
	// EventEndpointDisabled: the product stopped delivering. reason is one of the Disabled… constants; status_code is 410
	// where the receiver said so.
	EventEndpointDisabled EventType = "hooktrail.endpoint.disabled"
	// EventEndpointPaused, EventEndpointResumed and EventEndpointDeleted: somebody did so. No further members.
	EventEndpointPaused  EventType = "hooktrail.endpoint.paused"
	EventEndpointResumed EventType = "hooktrail.endpoint.resumed"
	EventEndpointDeleted EventType = "hooktrail.endpoint.deleted"
)

// OperationalSource and OperationalSchema are the source and the schema version of every operational event.
const (
	OperationalSource = "/hooktrail"
	OperationalSchema = "v1"
)

// Why a delivery is dead, in a Notice.
const (
	DeadExhausted = "schedule_ended" // the last attempt of its schedule failed, or its outcome is unknown
	DeadRefused   = "refused"        // no request can be made of the event for this endpoint
	DeadGone      = "gone"           // the receiver answered 410
)

// Notice is the data of an operational event. It holds nothing of another event's data and no subject.
type Notice struct {
	Endpoint   UUID      `json:"endpoint_id"`
	Delivery   UUID      `json:"delivery_id,omitzero"`
	EventID    string    `json:"event_id,omitempty"` // as its producer chose it: unique with its source
	Source     string    `json:"event_source,omitempty"`
	EventType  EventType `json:"event_type,omitempty"`
	Attempts   int       `json:"attempts,omitzero"`
	Reason     string    `json:"reason,omitempty"`
	Error      string    `json:"error,omitempty"` // as AttemptResult has it
	StatusCode int       `json:"status_code,omitzero"`
}

// OperationalEvent makes an operational event of one of the types above, with a new id. The caller adds the cause and,
// where the notice names an event, that event's subject: erasing the subject erases the notice.
func OperationalEvent(tenant TenantID, typ EventType, n Notice) Draft {
	id := NewUUID()
	data, _ := json.Marshal(n) // texts and numbers: it never fails
	return Draft{
		Tenant: tenant, Stream: Stream{Kind: StreamEvent, ID: id},
		Fact: &EventAppended{
			Event: EventAttributes{
				EventClass:    EventClass{Type: typ, SchemaVersion: OperationalSchema, About: n.Endpoint},
				EventIdentity: EventIdentity{ID: id.String(), Source: OperationalSource},
			},
			Data: data,
		},
	}
}
