package openapi

import (
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// HopsHeader documents what a webhook says of those that led to it; who appends an event because of one passes it on.
type HopsHeader struct {
	Hops string `header:"Hooktrail-Hops" doc:"How many webhooks, one because of the other, led to this request, in decimal digits: a receiver that appends an event because of a webhook passes its header on. An event to which more than 3 led is appended and not routed: its subscriptions are skipped with the reason loop." example:"1"`
}

// hopsOf reads how many webhooks led to a request, as what it appends inherits it.
func hopsOf(header http.Header) (int, error) {
	values := header.Values(domain.HeaderHops)
	if len(values) == 0 {
		return 0, nil
	}
	hops, err := domain.ParseHops(values[0])
	if err != nil || len(values) > 1 || values[0] == "" {
		message := "is a number of webhooks in decimal digits"
		if len(values) > 1 {
			message = "is given more than once: send it once"
		}
		return 0, rest.Refuse(http.StatusBadRequest, "invalid_hops", domain.HeaderHops+" "+message+".",
			rest.NewFault("header."+domain.HeaderHops, message))
	}
	return hops, nil
}
