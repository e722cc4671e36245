package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Fault is one thing wrong with a document.
type Fault = domain.Fault

// DocumentError says where a schema or a catalogue is wrong. It holds every fault that was found, at least one.
type DocumentError struct{ Faults []Fault }

// Error implements error.
func (e *DocumentError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = strings.TrimSpace(f.Pointer + " " + f.Text)
		if f.Pointer == "" {
			texts[i] = "the document " + f.Text
		}
	}
	return strings.Join(texts, "; ")
}

// maxFaults bounds what is said about one document.
const maxFaults = 100

// documentError orders faults by place; nil if there are none.
func documentError(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
	faults = slices.Compact(faults)
	return &DocumentError{faults[:min(len(faults), maxFaults)]}
}

// pointerTo writes a path as a JSON pointer.
func pointerTo(path ...string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(escaped(token))
	}
	return b.String()
}

// escaped is a member name as a JSON pointer has it (RFC 6901 §3).
func escaped(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// clip bounds a text, on a character's border.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func quoted(name string) string { return strconv.Quote(clip(name, 80)) }
