package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/hooktrail/hooktrail/domain"
)

// variables are what an expression reads of one event: what the API shows of it.
type variables struct {
	event    *domain.EventAppended
	occurred time.Time
	data     any
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation. The names are declared in newEnv.
func (v *variables) ResolveName(name string) (any, bool) {
	a := &v.event.Event
	switch name {
	case "id":
		return a.ID, true
	case "source":
		return a.Source, true
	case "type":
		return string(a.Type), true
	case "subject":
		return a.Subject, true
	case "schema_version":
		return a.SchemaVersion, true
	case "occurred_at":
		return v.occurred, true
	case "extensions":
		return extensions(a.Extensions), true
	case "data":
		return v.data, true
	}
	return nil, false
}

// extensions are the attributes' values, each in its type.
func extensions(all map[string]domain.Extension) map[string]any {
	values := make(map[string]any, len(all))
	for name, x := range all {
		values[name] = x.Value()
	}
	return values
}

// occurred is when the run's event happened, as the API shows it: in microseconds.
func occurred(run *domain.FilterRun) time.Time {
	at := run.Event.Event.OccurredAt
	if at.IsZero() {
		at = run.Now
	}
	return at.UTC().Truncate(time.Microsecond)
}

// content is what became of an event's data: one of the two is set, or none for data that is null.
type content struct {
	value any
	err   error
}

// contentOf decodes the data of the run's event when it is first asked for.
func contentOf(run *domain.FilterRun) *content {
	c, ok := run.Decoded.(*content)
	if !ok {
		c = new(content)
		c.value, c.err = decode(run.Event.Data)
		run.Decoded = c
	}
	return c
}

// decode reads JSON into maps, slices, strings, bools, nil, and numbers as the package comment says. No data at all is
// nil.
func decode(data []byte) (any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, errors.New("the event's data isn't JSON")
	}
	return numbers(v), nil
}

// numbers replaces json.Number everywhere in v.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = numbers(member)
		}
	case []any:
		for i, element := range v {
			v[i] = numbers(element)
		}
	case json.Number:
		return number(string(v))
	}
	return v
}
