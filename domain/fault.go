package domain

import "context"

// Fault is one place of a document (a schema, a wire format, an event's data) and what is wrong there. It names places
// and rules and no value of the document, so that it may be shown and kept.
type Fault struct {
	Pointer string // RFC 6901; empty for the whole document
	Text    string // what is allowed there: "must be a number"
}

// Validator returns where data violates a schema, which is the text of its document. The error is the context's, or
// that of a text that isn't a schema. It isn't safe for concurrent use.
type Validator func(ctx context.Context, schema string, data []byte) ([]Fault, error)
