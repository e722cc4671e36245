package openapi

import (
	"net/http"
	"strings"

	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// router is a ServeMux that also accepts two patterns which net/http can't put in order: both match
// /events/by-sequence/routing. It registers them as one and looks at the segments itself.
type router struct {
	*http.ServeMux
	bySequence, routing http.HandlerFunc
}

// The ends of the two patterns, and of the one that covers both.
const (
	bySequenceEnd = "/events/by-sequence/{sequence}"
	routingEnd    = "/events/{id}/routing"
	bothEnd       = "/events/{id}/{part}"
)

// HandleFunc registers a handler, as http.ServeMux does.
func (m *router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	var end string
	switch {
	case strings.HasSuffix(pattern, bySequenceEnd):
		end, m.bySequence = bySequenceEnd, handler
	case strings.HasSuffix(pattern, routingEnd):
		end, m.routing = routingEnd, handler
	default:
		m.ServeMux.HandleFunc(pattern, handler)
		return
	}
	if m.bySequence != nil && m.routing != nil {
		m.ServeMux.HandleFunc(strings.TrimSuffix(pattern, end)+bothEnd, m.either)
	}
}

// either tells the two patterns apart by their segments.
func (m *router) either(w http.ResponseWriter, r *http.Request) {
	part := r.PathValue("part")
	switch {
	case part == "routing": // an event may be called by-sequence, but no sequence is called routing
		m.routing(w, r)
	case r.PathValue("id") == "by-sequence":
		r.SetPathValue("sequence", part)
		m.bySequence(w, r)
	default:
		rest.ServeNoPath(w, r)
	}
}
