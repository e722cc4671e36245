package openapi

import (
	"github.com/hooktrail/hooktrail/domain"
)

// oneOut is the answer with one thing.
type oneOut[T any] struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the answer reflects." example:"41"`
	ETag     string `header:"ETag" doc:"The thing's version, for If-Match." example:"\"3\""`
	Body     T
}

// madeOut is the answer to a POST.
type madeOut[T any] struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the entry that was appended." example:"41"`
	ETag     string `header:"ETag" doc:"The thing's version, for If-Match." example:"\"1\""`
	Location string `header:"Location" doc:"Where the thing is." example:"/v1/tenants/acme/endpoints/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Replayed string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body     T
}

// goneOut is the answer to a DELETE.
type goneOut struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the entry that was appended." example:"41"`
}

// pageOut is one page of a list.
type pageOut[T any] struct {
	Items []T     `json:"items" doc:"The page's items."`
	Next  *string `json:"next" doc:"The cursor of the next page; null on the last one." example:"AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk"`
}

// listOut is the answer with a page.
type listOut[T any] struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the list reflects, on all its pages." example:"41"`
	Link     string `header:"Link" doc:"The next page (RFC 8288)." example:"</v1/tenants/acme/endpoints?cursor=AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk>; rel=\"next\""`
	Body     pageOut[T]
}

// made fills in what every answer to a POST has.
func made[T any](e domain.Entry, replayed bool, location string, body T) *madeOut[T] {
	out := &madeOut[T]{Sequence: sequenceText(e.Sequence), ETag: etag(e.StreamVersion), Location: location, Body: body}
	if replayed {
		out.Replayed = "true"
	}
	return out
}
