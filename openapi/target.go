package openapi

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

// clean says whether a path, as it was sent, is one that a mux serves as it is. Others it would redirect, and a client that
// follows would lose its body and, with an event called "..", ask for something else.
func clean(r *http.Request) bool {
	sent := r.URL.EscapedPath()
	p := path.Clean(sent)
	return strings.HasPrefix(sent, "/") && (sent == p || sent == p+"/" && p != "/")
}

// unclean is the answer to a path that isn't clean.
func unclean() *problem {
	return refuse(http.StatusNotFound, "not_found",
		"The path has an empty, . or .. segment. An event id that can't stand in a path goes through ?id= of the list of events.")
}

// checkTarget refuses a path or query with bytes that stand in no text of this API, before the database has to.
func checkTarget(u *url.URL) *problem {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		message := "is name=value pairs joined by &, percent-encoded"
		return refuse(http.StatusBadRequest, "malformed_query", "The query "+message+".", fault{"query", message})
	}
	if !isText(u.Path) {
		return invalid("path", notText)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !isText(name) {
			return invalid("query", notText)
		}
		if slices.ContainsFunc(query[name], func(value string) bool { return !isText(value) }) {
			return invalid(clip("query."+name), notText)
		}
	}
	return nil
}

// notText is what is said of a text that isText refuses.
const notText = "is UTF-8 without control characters"

func isText(s string) bool { return domain.ValidateText("", s, 0, math.MaxInt) == nil }
