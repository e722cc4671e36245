package openapi

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Schemas knows JSON Schema. A schema is the text of its document. What the functions return names places and
// rules, and no value of the data.
type Schemas struct {
	// Check returns where a text isn't a schema that this program takes; nothing: it is one.
	Check func(ctx context.Context, tenant domain.TenantID, schema string) ([]Fault, error)
	// Validator begins the validations of one request. They share a budget: when it is used up, further data counts as
	// invalid, with a fault that says so. What it returns isn't safe for concurrent use.
	Validator func(tenant domain.TenantID) Validator
	// Breaks returns which rules of a schema a newer one doesn't keep: a receiver that reads by the first may not
	// understand what follows the second.
	Breaks func(ctx context.Context, tenant domain.TenantID, older, newer string) ([]Fault, error)
	// Catalogue reads a document of event types, in its order; where one stands in several versions, the older come first.
	// Their schemas and examples have been checked.
	Catalogue func(document []byte) ([]domain.EventTypeConfig, []Fault, error)
}

// Validator returns where data violates a schema. The error is the context's, or that of a schema which Check refuses.
type Validator func(ctx context.Context, schema string, data []byte) ([]Fault, error)

// Fault is one place of a document and what is wrong there.
type Fault struct {
	Pointer string // RFC 6901; empty for the whole
	Text    string
}

// at says where in the request faults of a part of it are.
func at(location string, faults []Fault) []fault {
	list := make([]fault, len(faults))
	for i, f := range faults {
		list[i] = fault{location + f.Pointer, f.Text}
	}
	return list
}

// brokenEvent is an event of a request whose data breaks the schema of its type, and how.
type brokenEvent struct {
	event  *submission
	faults []fault
}

// validate takes its steps from the request's budget.
func (c *call) validate(schema string, data []byte) ([]Fault, error) {
	if c.validator == nil {
		c.validator = c.Schemas.Validator(c.tenant)
	}
	return c.validator(c.request.Context(), schema, data)
}

// conform holds an event to the schema of its type, as the tenant wants it. What it returns refuses the event; what is to
// be appended all the same is marked. path is where the event stands in the request.
func (c *call) conform(s *submission, rules *projections.Rules, path string) ([]fault, error) {
	if rules.Mode == domain.SchemasOff || !rules.Registered {
		return nil, nil
	}
	member := "data"
	var found []Fault
	switch {
	case !rules.Known:
		member, found = "schema_version", []Fault{{"", "names no registered version of the type"}}
	case rules.Schema == "":
		return nil, nil
	default:
		var err error
		if found, err = c.validate(rules.Schema, s.data); err != nil {
			return nil, err
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil
	case rules.Mode == domain.SchemasWarn:
		s.attrs.SchemaProblem = problemText(at(member, found))
		return nil, nil
	case s.bare && member == "data":
		return at("body", found), nil // CloudEvents' binary mode: the body is the data
	}
	return at(path+"."+member, found), nil
}

// maxProblemText bounds what an event's entry says of its schema.
const maxProblemText = 1024

// problemText writes faults a line each, as many as fit.
func problemText(faults []fault) string {
	var b strings.Builder
	for _, f := range faults {
		line := strings.Map(printable, f.Location+": "+f.Message)
		if most := maxProblemText - b.Len() - 1; len(line) > most {
			if b.Len() > 0 {
				break
			}
			line = strings.ToValidUTF8(line[:most], "")
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line)
	}
	return b.String()
}

// printable keeps a member name from beginning a line of its own.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return utf8.RuneError
	}
	return r
}

// maxFaults bounds how many places of a request a problem names.
const maxFaults = 100

// refuseBroken refuses a request for events whose data breaks their types' schemas. Those that were appended before count
// as they were: a schema that came later mustn't keep a producer from hearing so.
func (c *call) refuseBroken(ctx context.Context, broken []brokenEvent) error {
	if len(broken) == 0 {
		return nil
	}
	var claims []domain.Claim
	if c.idempotency != "" {
		claims = append(claims, c.claim(c.tenant, 0, 1))
	}
	for _, b := range broken {
		if b.event.named {
			claims = append(claims, b.event.claim(c.tenant, 0))
		}
	}
	taken := make([]*domain.ClaimedError, len(claims))
	if len(claims) > 0 {
		var err error
		if taken, err = c.Claimed(ctx, claims); err != nil {
			return err
		}
	}
	if c.idempotency != "" {
		if taken[0] != nil {
			return nil
		}
		taken = taken[1:]
	}
	var faults []fault
	for _, b := range broken {
		if b.event.named {
			before := taken[0]
			if taken = taken[1:]; before != nil {
				continue
			}
		}
		faults = append(faults, b.faults...)
	}
	if len(faults) == 0 {
		return nil
	}
	return refuse(http.StatusUnprocessableEntity, "schema_violation",
		"The event isn't as the schema of its type says. Nothing was appended.", faults[:min(len(faults), maxFaults)]...)
}
