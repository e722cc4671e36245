package schema_test

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/schema"
)

// Receivers read events by the old schema while producers send them by the new one: each change says what a receiver
// can no longer rely on.
func ExampleBreaks() {
	old, err := schema.Compile([]byte(`{
		"type": "object", "required": ["amount"],
		"properties": {"amount": {"type": "integer"}, "note": {"type": "string"}}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	new, err := schema.Compile([]byte(`{
		"type": "object",
		"properties": {"amount": {"type": "number"}, "tags": {"type": "array"}}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, change := range schema.Breaks(old, new) {
		fmt.Println(change.Pointer, change.Text)
	}
	// Output:
	// /properties/amount/type is widened: the new schema also allows numbers with a fraction
	// /properties/note is removed
	// /required/0 is dropped: the member "amount" may be missing
}

// Data that doesn't conform is answered with places and with what the schema wants there, never with a value.
func ExampleSchema_Validate() {
	s, err := schema.Compile(
		[]byte(`{"properties": {"amount": {"type": "number", "minimum": 0}}, "required": ["currency"]}`),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	budget := schema.NewBudget(schema.RequestSteps) // which the events of a request share
	found, err := s.Validate(context.Background(), []byte(`{"amount": -5}`), budget)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range found {
		fmt.Println(v.Pointer, v.Text)
	}
	// Output:
	// must have the member "currency"
	// /amount must be at least 0
}
