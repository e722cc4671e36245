package openapi

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// brokenEvent is an event of a request whose data breaks the schema of its type, and how.
type brokenEvent struct {
	event  *ingest.Event
	faults []rest.Fault
}

// validateData takes its steps from the request's budget.
func validateData(c *call, schema string, data []byte) ([]domain.Fault, error) {
	if c.validator == nil {
		c.validator = c.Schemas.Validator(c.Tenant)
	}
	return c.validator(c.HTTP.Context(), schema, data)
}

// conform checks an event against the schema of its type, if the tenant wants that. The faults that it returns refuse
// the event; an event that is appended nevertheless is marked. path is where the event is in the request.
func conform(c *call, e *ingest.Event, rules *projections.Rules, path string) ([]rest.Fault, error) {
	if rules.Mode == domain.SchemasOff || !rules.Registered {
		return nil, nil
	}
	member := "data"
	var found []domain.Fault
	switch {
	case !rules.Known:
		member, found = "schema_version", []domain.Fault{{Text: "names no registered version of the type"}}
	case rules.Schema == "":
		return nil, nil
	case len(e.Data) == 0:
		found = []domain.Fault{{Text: "is missing"}}
	default:
		var err error
		if found, err = validateData(c, rules.Schema, e.Data); err != nil {
			return nil, err
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil
	case rules.Mode == domain.SchemasWarn:
		e.Attrs.SchemaProblem = problemText(rest.FaultsAt(member, found))
		return nil, nil
	case member == "data":
		return rest.FaultsAt(e.DataPath(path), found), nil
	}
	return rest.FaultsAt(path+"."+member, found), nil
}

// maxProblemText bounds what an event's entry says of its schema.
const maxProblemText = 1024

// problemText writes faults a line each, as many as fit.
func problemText(faults []rest.Fault) string {
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

// refuseBroken refuses a request for events whose data breaks their types' schemas. Those that were appended before
// count as they were: a schema that came later mustn't keep a producer from hearing so.
func refuseBroken(ctx context.Context, c *call, broken []brokenEvent) error {
	if len(broken) == 0 {
		return nil
	}
	var claims []domain.Claim
	if c.Repeatable() {
		claims = append(claims, c.Claim(c.Tenant, 0, 1))
	}
	for _, b := range broken {
		if b.event.Named {
			claims = append(claims, b.event.Claim(c.Tenant, 0))
		}
	}
	taken := make([]*domain.ClaimedError, len(claims))
	if len(claims) > 0 {
		var err error
		if taken, err = c.Claims.Claimed(ctx, claims); err != nil {
			return err
		}
	}
	if c.Repeatable() {
		if taken[0] != nil {
			return nil
		}
		taken = taken[1:]
	}
	var faults []rest.Fault
	for _, b := range broken {
		if b.event.Named {
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
	return rest.Refuse(http.StatusUnprocessableEntity, "schema_violation",
		"The event doesn't conform to the schema of its type. Nothing was appended.", faults...)
}
