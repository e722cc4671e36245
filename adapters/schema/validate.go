package schema

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxViolations is how many places of one value are named.
const MaxViolations = 20

const maxPointerBytes = 512

const numberTooLarge = "has more than 100 digits or an exponent beyond 400, which is more than can be checked"

// Violation is one place of an event's data that doesn't conform to the schema.
type Violation struct {
	Pointer string // RFC 6901, "" for the whole; it contains names of members, never values
	Text    string // what the schema expects there, or which member is missing
}

const (
	tooMuch         = "is more than can be checked against this schema"
	tooMuchTogether = "is more than can be checked in one request, with what is before it: send less at once"
)

// Validate returns where data violates the schema, in the order of the places, at most MaxViolations of them; none if
// it conforms. The data must have passed domain.CheckJSON. Its steps are taken from a budget that other validations may
// share. Data that would take too many steps violates the schema as a whole, and so does all data once the budget is
// spent. The error is ctx's, which is looked at before, after and while the steps are counted. The library can't be
// interrupted, but what was counted takes it well below a second.
func (s *Schema) Validate(ctx context.Context, data []byte, budget *Budget) ([]Violation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if budget.left < 0 {
		return []Violation{{"", tooMuchTogether}}, nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return []Violation{{"", "must be JSON"}}, nil
	}
	if !allComputable(v) {
		return numberViolations(v), nil
	}
	count := counter{left: min(maxSteps, budget.left), done: ctx.Done()}
	before := count.left
	fits := count.eval(s.root, v)
	budget.left -= before - count.left
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !fits && before < maxSteps {
		return []Violation{{"", tooMuchTogether}}, nil
	}
	if !fits {
		return []Violation{{"", tooMuch}}, nil
	}
	found := violations(s.root.checks.Validate(v))
	return found, ctx.Err()
}

func numberViolations(v any) []Violation {
	var found []Violation
	incomputable("", v, func(pointer string) {
		if len(found) < MaxViolations {
			found = append(found, Violation{clip(pointer, maxPointerBytes), numberTooLarge})
		}
	})
	return found
}

// violations are the first places of the library's error.
func violations(err error) []Violation {
	failed, ok := err.(*jsonschema.ValidationError) //nolint:errorlint // the library returns nothing else, and unwrapped
	if !ok {
		return nil
	}
	var f firsts
	f.add(failed)
	list := make([]Violation, len(f.found))
	for i, found := range f.found {
		list[i] = Violation{clip(pointerTo(found.path...), maxPointerBytes), found.text}
	}
	return list
}

// firsts keeps the first findings by place and text; a hostile value has hundreds of thousands.
type firsts struct{ found []finding }

type finding struct {
	path []string
	text string
}

func (f *firsts) keep(path []string, text func() string) {
	full := len(f.found) == MaxViolations
	if full && comparePaths(path, f.found[MaxViolations-1].path) > 0 {
		return
	}
	new := finding{path, text()}
	i, have := slices.BinarySearchFunc(f.found, new, func(a, b finding) int {
		if c := comparePaths(a.path, b.path); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	if have {
		return
	}
	f.found = slices.Insert(f.found, i, new)
	f.found = f.found[:min(len(f.found), MaxViolations)]
}

// comparePaths orders element 9 before element 10.
func comparePaths(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		if index(x) && index(y) && len(x) != len(y) {
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	})
}

func index(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r < '0' || r > '9' })
}
