package domain

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Part is one named piece of an entry's content. A leaf commits to each by itself.
type Part struct {
	Name  string
	Bytes []byte
}

// Names of parts. Leaves contain them: a name is never changed, nor whose it is.
const (
	PartConfig   = "config"   // a configuration snapshot, JSON
	PartNames    = "names"    // what a key, its principal or an operator is called, JSON; the principal's; optional
	PartClass    = "class"    // what the tenant says of an event, JSON
	PartIdentity = "identity" // what the producer chose about an event, JSON; the subject's
	PartData     = "data"     // an event's data, exactly as sent; the subject's
	PartRouting  = "routing"  // JSON
	PartVerdicts = "verdicts" // skips that filters decided, JSON; the subject's; optional
	PartIntent   = "intent"   // of an attempt, JSON
	PartOutcome  = "outcome"  // of an attempt or a handshake, JSON
	PartExchange = "exchange" // what an attempt sent and got, JSON; the subject's; optional
	PartAnswer   = "answer"   // the body of an attempt's answer, as received; the subject's; optional
	PartReply    = "reply"    // the body of a handshake's answer, as received; optional
	PartDecision = "decision" // JSON
	PartDetail   = "detail"   // JSON
	PartDocument = "document" // a wire profile, as added
	// PartReason is why a person did it, UTF-8 text; optional, with every kind. It is the tenant's.
	PartReason = "reason"
	// PartContext is from where a change of configuration was asked for, JSON; optional, with every kind.
	PartContext = "context"
	// PartSubjectKey is the id of the key that seals the subject's parts, 16 bytes; present where the entry is about a
	// subject. It is a part so that the leaf commits to it with a salt: the id itself would link all entries about one person.
	PartSubjectKey = "subject_key"
)

// Personal reports whether a part belongs to the entry's subject, whose erasure destroys it. Every other part is the
// tenant's: decisions, outcomes and configuration, which no erasure changes.
func (p Part) Personal() bool {
	switch p.Name {
	case PartNames, PartIdentity, PartData, PartVerdicts, PartExchange, PartAnswer:
		return true
	}
	return false
}

// partField binds a part's name to the place in the fact that it holds: a pointer to a []byte for raw bytes (absent
// when empty), anything else as JSON.
type partField struct {
	name  string
	value any
	// absent reports whether an optional part is empty and left out; nil: the part is mandatory.
	absent func() bool
}

// optional reports whether entries may lack the part. Personal parts are missing where they were erased; raw ones, where
// they are empty.
func (f *partField) optional() bool {
	_, raw := f.value.(*[]byte)
	return raw || f.absent != nil
}

// jsonOptions: texts from receivers may not be UTF-8. Their invalid bytes are replaced rather than fail an outcome.
var jsonOptions = json.JoinOptions(
	json.Deterministic(true), jsontext.AllowInvalidUTF8(true),
	json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true), // so that what is read back is what was written
)

// EncodeFact returns the content parts of a fact, in the order that the kind fixes. Raw parts alias the fact's bytes.
func EncodeFact(f Fact) ([]Part, error) {
	fields := f.parts()
	parts := make([]Part, 0, len(fields)+2)
	for i := range fields {
		field := &fields[i]
		if raw, ok := field.value.(*[]byte); ok {
			if len(*raw) > 0 {
				parts = append(parts, Part{field.name, *raw})
			}
			continue
		}
		if field.absent != nil && field.absent() {
			continue
		}
		b, err := json.Marshal(field.value, jsonOptions)
		if err != nil {
			return nil, fmt.Errorf("encode %s part %s: %w", f.Kind(), field.name, err)
		}
		parts = append(parts, Part{field.name, b})
	}
	return parts, nil
}

// DecodeFact returns the fact that its parts hold. Raw parts are aliased. erased means that the subject's parts were
// destroyed: the fact then has their zero values. A version that this program doesn't know is an error: a fold must stop
// rather than guess.
func DecodeFact(kind Kind, version int, parts []Part, erased bool) (Fact, error) {
	form, ok := forms[kind]
	if !ok || version < 1 || version > len(form.formats) {
		return nil, fmt.Errorf("decode %s version %d: this program knows up to version %d (a newer program wrote it)",
			kind, version, len(form.formats))
	}
	f := form.empty()
	fields := f.parts()
	for i := range fields {
		if err := fields[i].decode(parts, erased); err != nil {
			return nil, fmt.Errorf("decode %s: %w", kind, err)
		}
	}
	return f, nil
}

func (f *partField) decode(parts []Part, erased bool) error {
	for _, p := range parts {
		if p.Name != f.name {
			continue
		}
		if raw, ok := f.value.(*[]byte); ok {
			*raw = p.Bytes
			return nil
		}
		if err := json.Unmarshal(p.Bytes, f.value, jsonOptions); err != nil {
			return fmt.Errorf("part %s: %w", f.name, err)
		}
		return nil
	}
	if f.optional() || erased && (Part{Name: f.name}).Personal() {
		return nil
	}
	return fmt.Errorf("part %s is missing", f.name)
}

// MissingPart returns the name of a part that entries of the kind must commit to and that isn't among the names, "" if all
// are there. It returns "" for kinds and versions that this program doesn't know.
func MissingPart(kind Kind, version int, names []string) string {
	form, ok := forms[kind]
	if !ok || version > len(form.formats) {
		return ""
	}
	for _, field := range form.empty().parts() {
		if !field.optional() && !contains(names, field.name) {
			return field.name
		}
	}
	return ""
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// EndpointConfigOf returns the configuration of an endpoint that a fact holds, whatever its kind; nil if it holds none.
func EndpointConfigOf(f Fact) *EndpointConfig {
	for _, field := range f.parts() {
		if c, ok := field.value.(*EndpointConfig); ok {
			return c
		}
	}
	return nil
}

func config(v any) []partField   { return []partField{{name: PartConfig, value: v}} }
func detail(v any) []partField   { return []partField{{name: PartDetail, value: v}} }
func decision(v any) []partField { return []partField{{name: PartDecision, value: v}} }

func (f *TenantCreated) parts() []partField      { return config(&f.Tenant) }
func (f *TenantUpdated) parts() []partField      { return config(&f.Tenant) }
func (f *TenantDeleted) parts() []partField      { return config(&f.Tenant) }
func (f *TenantRegistered) parts() []partField   { return detail(f) }
func (f *TenantUnregistered) parts() []partField { return detail(f) }
func (f *KeyCreated) parts() []partField         { return f.Key.parts() }
func (f *KeyRevoked) parts() []partField         { return f.Key.parts() }

func (c *KeyConfig) parts() []partField {
	return []partField{{name: PartConfig, value: &c.KeyRights}, {name: PartNames, value: &c.KeyNames, absent: c.KeyNames.isZero}}
}

func (f *RegistrationUsed) parts() []partField {
	return append(f.Key.parts(), partField{name: PartDetail, value: &f.Made})
}

func (f *EndpointCreated) parts() []partField    { return config(&f.Endpoint) }
func (f *EndpointUpdated) parts() []partField    { return config(&f.Endpoint) }
func (f *EndpointKeyRotated) parts() []partField { return config(&f.Endpoint) }
func (f *EndpointPaused) parts() []partField     { return config(&f.Endpoint) }
func (f *EndpointResumed) parts() []partField    { return config(&f.Endpoint) }
func (f *EndpointDisabled) parts() []partField   { return config(&f.Endpoint) }
func (f *EndpointDeleted) parts() []partField    { return config(&f.Endpoint) }

func (f *EndpointHandshakeStarted) parts() []partField {
	return append(config(&f.Endpoint), partField{name: PartIntent, value: &f.Handshake})
}

func (f *EndpointHandshakeFinished) parts() []partField {
	return append(config(&f.Endpoint),
		partField{name: PartOutcome, value: &f.Result}, partField{name: PartReply, value: &f.Body})
}

func (f *SubscriptionCreated) parts() []partField { return config(&f.Subscription) }
func (f *SubscriptionUpdated) parts() []partField { return config(&f.Subscription) }
func (f *SubscriptionPaused) parts() []partField  { return config(&f.Subscription) }
func (f *SubscriptionResumed) parts() []partField { return config(&f.Subscription) }
func (f *SubscriptionDeleted) parts() []partField { return config(&f.Subscription) }
func (f *EventTypeRegistered) parts() []partField { return config(&f.EventType) }
func (f *EventTypeUpdated) parts() []partField    { return config(&f.EventType) }

func (f *ProfileAdded) parts() []partField {
	return append(detail(&f.Profile), partField{name: PartDocument, value: &f.Document})
}

func (f *EventAppended) parts() []partField {
	return []partField{
		{name: PartClass, value: &f.Event.EventClass},
		{name: PartRouting, value: &f.Routing},
		{name: PartIdentity, value: &f.Event.EventIdentity},
		{name: PartData, value: &f.Data},
		f.Verdicts.part(),
	}
}

func (f *EventRouted) parts() []partField {
	return []partField{{name: PartRouting, value: &f.Routing}, f.Verdicts.part()}
}

func (v *Verdicts) part() partField {
	return partField{name: PartVerdicts, value: v, absent: func() bool { return len(v.Skipped) == 0 }}
}

func (f *AttemptStarted) parts() []partField { return []partField{{name: PartIntent, value: f}} }

func (f *AttemptFinished) parts() []partField {
	r := &f.Result
	return []partField{
		{name: PartOutcome, value: &r.AttemptEnd},
		{name: PartExchange, value: &r.Exchange, absent: r.Exchange.isZero},
		{name: PartAnswer, value: &f.Body},
	}
}

func (f *DeliveryRedriven) parts() []partField  { return decision(f) }
func (f *DeliveryCancelled) parts() []partField { return decision(f) }

func (f *DeliveryCreated) parts() []partField     { return decision(f) }
func (f *DeliveryResent) parts() []partField      { return decision(f) }
func (f *DeliveryRescheduled) parts() []partField { return decision(f) }

func (f *ReplayCreated) parts() []partField   { return config(&f.Replay) }
func (f *ReplayApproved) parts() []partField  { return decision(f) }
func (f *ReplayPaused) parts() []partField    { return decision(f) }
func (f *ReplayResumed) parts() []partField   { return decision(f) }
func (f *ReplayAdvanced) parts() []partField  { return decision(f) }
func (f *ReplayFinished) parts() []partField  { return decision(f) }
func (f *ReplayCancelled) parts() []partField { return decision(f) }

func (f *ServerStarted) parts() []partField   { return detail(f) }
func (f *LeaseTaken) parts() []partField      { return detail(f) }
func (f *FollowerStopped) parts() []partField { return detail(f) }
func (f *FormatRaised) parts() []partField    { return detail(f) }
func (f *LossAccepted) parts() []partField    { return append(detail(&f.Loss), f.Person.part()) }
func (f *DamageAccepted) parts() []partField  { return append(detail(&f.Damage), f.Person.part()) }

func (f *ReconciliationCreated) parts() []partField  { return detail(&f.Request) }
func (f *ReconciliationFinished) parts() []partField { return detail(&f.Result) }

func (f *ExportCreated) parts() []partField { return decision(&f.Order) }
func (f *ExportFinished) parts() []partField {
	return []partField{{name: PartOutcome, value: &f.Result}}
}
func (f *ExportFailed) parts() []partField     { return []partField{{name: PartOutcome, value: f}} }
func (f *ExportCancelled) parts() []partField  { return decision(f) }
func (f *ExportDownloaded) parts() []partField { return detail(f) }
func (f *ExportExpired) parts() []partField    { return decision(f) }

func (p *Person) part() partField {
	return partField{name: PartNames, value: p, absent: p.isZero}
}
