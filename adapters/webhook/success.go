package webhook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Statuses is a set of status codes from 200 to 299: those that count as a success. The zero value holds none. It can
// be compared with ==.
type Statuses [100]bool

// successHint says how a member of a set is written.
const successHint = `must be "2xx" or one status from "200" to "299"`

// ParseSuccess reads which statuses count as a success, written as in a profile: "2xx", or "200" to "299". What is
// wrong is refused with a *domain.InvalidError on success, or on success[i].
func ParseSuccess(written []string) (Statuses, error) {
	var s Statuses
	if len(written) == 0 {
		return s, domain.Invalid("success", `must name at least one status, such as "2xx"`)
	}
	for i, text := range written {
		field := fmt.Sprintf("success[%d]", i)
		if slices.Contains(written[:i], text) {
			return Statuses{}, domain.Invalid(field, "is a duplicate")
		}
		if !s.add(text) {
			return Statuses{}, domain.Invalid(field, successHint)
		}
	}
	return s, nil
}

// add reads one member, and reports whether it is one.
func (s *Statuses) add(text string) bool {
	if text == "2xx" {
		for i := range s {
			s[i] = true
		}
		return true
	}
	status, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || status < 200 || status > 299 {
		return false
	}
	s[status-200] = true
	return true
}

// Has reports whether a status code is in the set.
func (s Statuses) Has(status int) bool {
	return status >= 200 && status < 300 && s[status-200]
}

// List writes the set as ParseSuccess reads it, in order: "2xx" alone if it holds every status.
func (s Statuses) List() []string {
	var list []string
	for i, in := range s {
		if in {
			list = append(list, strconv.Itoa(200+i))
		}
	}
	if len(list) == len(s) {
		return []string{"2xx"}
	}
	return list
}

// String writes the set for a person: "2xx", "200", "200, 202 or 204".
func (s Statuses) String() string {
	list := s.List()
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
