package domain

import (
	"encoding/json"
	"fmt"
)

// Part is one named piece of an entry's content. A leaf commits to each by itself.
type Part struct {
	Name  string
	Bytes []byte
}

// Names of parts. They stand in leaves: a name is never changed.
const (
	PartConfig     = "config"     // a configuration snapshot, JSON
	PartAttributes = "attributes" // an event's attributes, JSON
	PartData       = "data"       // an event's data, exactly as sent
	PartRouting    = "routing"    // JSON
	PartAttempt    = "attempt"    // JSON
	PartResult     = "result"     // JSON
	PartBody       = "body"       // of an answer, as received
	PartDecision   = "decision"   // JSON
	PartDetail     = "detail"     // JSON
	PartDocument   = "document"   // a wire profile, as added
	PartReason     = "reason"     // why a person did it, UTF-8 text; optional, with every kind
)

// partField binds a part's name to the place in the fact that it holds: a pointer to a []byte for raw bytes (absent
// when empty), anything else as JSON.
type partField struct {
	name  string
	value any
}

// EncodeFact returns the content parts of a fact, in the order that the kind fixes. Raw parts alias the fact's bytes.
func EncodeFact(f Fact) ([]Part, error) {
	fields := f.parts()
	parts := make([]Part, 0, len(fields)+1)
	for _, field := range fields {
		if raw, ok := field.value.(*[]byte); ok {
			if len(*raw) > 0 {
				parts = append(parts, Part{field.name, *raw})
			}
			continue
		}
		b, err := encodePart(field.value)
		if err != nil {
			return nil, fmt.Errorf("encode %s part %s: %w", f.Kind(), field.name, err)
		}
		parts = append(parts, Part{field.name, b})
	}
	return parts, nil
}

// Room for a usual part of JSON: an attempt's result names the headers of request and answer.
const (
	usualPart   = 448
	usualResult = 1408
)

func encodePart(value any) ([]byte, error) {
	switch hand := value.(type) {
	case *AttemptResult:
		return hand.appendJSON(make([]byte, 0, usualResult))
	case handCoded:
		return hand.appendJSON(make([]byte, 0, usualPart))
	}
	return json.Marshal(value)
}

// DecodeFact makes the fact again from its parts. Raw parts are aliased. A kind or version that this program doesn't
// know is an error: a fold must stop rather than guess.
func DecodeFact(kind Kind, version int, parts []Part) (Fact, error) {
	form, ok := forms[kind]
	if !ok || version < 1 || version > form.version {
		return nil, fmt.Errorf("decode %s version %d: this program knows up to version %d (a newer program wrote it)",
			kind, version, form.version)
	}
	f := form.empty()
	for _, field := range f.parts() {
		if err := decodePart(field, parts); err != nil {
			return nil, fmt.Errorf("decode %s: %w", kind, err)
		}
	}
	return f, nil
}

func decodePart(field partField, parts []Part) error {
	for _, p := range parts {
		if p.Name != field.name {
			continue
		}
		if raw, ok := field.value.(*[]byte); ok {
			*raw = p.Bytes
			return nil
		}
		if hand, ok := field.value.(handCoded); ok && hand.scanJSON(p.Bytes) {
			return nil
		}
		if err := json.Unmarshal(p.Bytes, field.value); err != nil {
			return fmt.Errorf("part %s: %w", field.name, err)
		}
		return nil
	}
	if _, raw := field.value.(*[]byte); raw {
		return nil
	}
	return fmt.Errorf("part %s is missing", field.name)
}

func (f *TenantCreated) parts() []partField      { return []partField{{PartConfig, &f.Tenant}} }
func (f *TenantUpdated) parts() []partField      { return []partField{{PartConfig, &f.Tenant}} }
func (f *TenantDeleted) parts() []partField      { return []partField{{PartConfig, &f.Tenant}} }
func (f *TenantRegistered) parts() []partField   { return []partField{{PartDetail, f}} }
func (f *TenantUnregistered) parts() []partField { return []partField{{PartDetail, f}} }
func (f *KeyCreated) parts() []partField         { return []partField{{PartConfig, &f.Key}} }
func (f *KeyRevoked) parts() []partField         { return []partField{{PartConfig, &f.Key}} }

func (f *RegistrationUsed) parts() []partField {
	return []partField{{PartConfig, &f.Key}, {PartDetail, &f.Made}}
}

func (f *EndpointCreated) parts() []partField    { return []partField{{PartConfig, &f.Endpoint}} }
func (f *EndpointUpdated) parts() []partField    { return []partField{{PartConfig, &f.Endpoint}} }
func (f *EndpointKeyRotated) parts() []partField { return []partField{{PartConfig, &f.Endpoint}} }
func (f *EndpointPaused) parts() []partField     { return []partField{{PartConfig, &f.Endpoint}} }
func (f *EndpointResumed) parts() []partField    { return []partField{{PartConfig, &f.Endpoint}} }
func (f *EndpointDisabled) parts() []partField   { return []partField{{PartConfig, &f.Endpoint}} }
func (f *EndpointDeleted) parts() []partField    { return []partField{{PartConfig, &f.Endpoint}} }

func (f *EndpointHandshakeStarted) parts() []partField {
	return []partField{{PartConfig, &f.Endpoint}, {PartAttempt, &f.Handshake}}
}

func (f *EndpointHandshakeFinished) parts() []partField {
	return []partField{{PartConfig, &f.Endpoint}, {PartResult, &f.Result}, {PartBody, &f.Body}}
}

func (f *SubscriptionCreated) parts() []partField { return []partField{{PartConfig, &f.Subscription}} }

func (f *SubscriptionUpdated) parts() []partField { return []partField{{PartConfig, &f.Subscription}} }

func (f *SubscriptionPaused) parts() []partField { return []partField{{PartConfig, &f.Subscription}} }

func (f *SubscriptionResumed) parts() []partField { return []partField{{PartConfig, &f.Subscription}} }

func (f *SubscriptionDeleted) parts() []partField { return []partField{{PartConfig, &f.Subscription}} }

func (f *EventTypeRegistered) parts() []partField { return []partField{{PartConfig, &f.EventType}} }

func (f *EventTypeUpdated) parts() []partField { return []partField{{PartConfig, &f.EventType}} }

func (f *ProfileAdded) parts() []partField {
	return []partField{{PartDetail, &f.Profile}, {PartDocument, &f.Document}}
}

func (f *EventAppended) parts() []partField {
	return []partField{{PartAttributes, &f.Event}, {PartData, &f.Data}}
}
func (f *EventRouted) parts() []partField    { return []partField{{PartRouting, f}} }
func (f *AttemptStarted) parts() []partField { return []partField{{PartAttempt, f}} }
func (f *AttemptFinished) parts() []partField {
	return []partField{{PartResult, &f.Result}, {PartBody, &f.Body}}
}
func (f *DeliveryRedriven) parts() []partField  { return []partField{{PartDecision, f}} }
func (f *DeliveryCancelled) parts() []partField { return []partField{{PartDecision, f}} }
func (f *ServerStarted) parts() []partField     { return []partField{{PartDetail, f}} }
func (f *LeaseTaken) parts() []partField        { return []partField{{PartDetail, f}} }
func (f *FollowerStopped) parts() []partField   { return []partField{{PartDetail, f}} }
