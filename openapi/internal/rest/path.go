package rest

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// isClean reports whether a path, as it was sent, is one that a mux serves as it is. It would redirect others, and a
// client that follows would lose its body and, with an event called "..", ask for something else.
func isClean(r *http.Request) bool {
	sent := r.URL.EscapedPath()
	p := path.Clean(sent)
	return strings.HasPrefix(sent, "/") && (sent == p || sent == p+"/" && p != "/")
}

// NoPath is the answer to a path that isn't served.
func NoPath() *Problem {
	return Refuse(http.StatusNotFound, "not_found", "There is no such path; /docs lists those there are.")
}

// checkURL refuses a path or query with bytes that no text of this API can have, before the database has to.
func checkURL(u *url.URL) *Problem {
	const message = "is UTF-8 without control characters"
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		const message = "is name=value pairs joined by &, percent-encoded"
		return Refuse(http.StatusBadRequest, "malformed_query", "The query "+message+".", Fault{"query", message})
	}
	if !isText(u.Path) {
		return Invalid("path", message)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !isText(name) {
			return Invalid("query", message)
		}
		if len(query[name]) > 1 {
			const message = "is given more than once: send it once"
			location := Clip("query." + name)
			return Refuse(http.StatusBadRequest, "repeated_parameter", location+" "+message+".", Fault{location, message})
		}
		if slices.ContainsFunc(query[name], func(value string) bool { return !isText(value) }) {
			return Invalid(Clip("query."+name), message)
		}
	}
	return nil
}

func isText(s string) bool { return domain.ValidateText("", s, 0, math.MaxInt) == nil }
