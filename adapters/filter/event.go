package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"github.com/hooktrail/hooktrail/domain"
)

// variables are what an expression reads of one event.
type variables struct {
	event *domain.EventAppended
	data  any
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
		return a.OccurredAt, !a.OccurredAt.IsZero()
	case "extensions":
		return a.Extensions, true
	case "data":
		return v.data, true
	}
	return nil, false
}

// content is an event's data, decoded once, when it is first asked for.
type content struct {
	data    []byte
	once    sync.Once
	decoded any
	err     error
}

// of says whether the content is of these very bytes; it doesn't compare them. As long as c holds them, no other data
// can lie at the same place.
func (c *content) of(data []byte) bool {
	return len(data) > 0 && len(data) == len(c.data) && &data[0] == &c.data[0]
}

func (c *content) value() (any, error) {
	c.once.Do(func() { c.decoded, c.err = decode(c.data) })
	return c.decoded, c.err
}

// decode reads JSON into maps, slices, strings, bools, nil, and numbers as the package comment says.
func decode(data []byte) (any, error) {
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

// number is a float64, or an int64 or uint64 for an integer that a float64 may not hold to the last digit. What is out of
// every range is an infinity or 0, as near as can be.
func number(text string) any {
	const exact = 1 << 53
	float, _ := strconv.ParseFloat(text, 64) // an error is ErrRange, with the nearest value
	if math.Abs(float) < exact || strings.ContainsAny(text, ".eE") {
		return float
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	return float
}
