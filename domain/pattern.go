package domain

import "strings"

// EventType is the dotted name that a producer gives an event: 1 to 255 of [A-Za-z0-9_.-], no empty segment.
type EventType string // "offer.issued"

// operationalPrefix begins the types of events that the product itself appends; a "*" never matches them.
const operationalPrefix = "hooktrail."

// Validate refuses an event type that a producer may not use. The product's own types are among them: a producer that could
// append such events could forge what the product says about itself.
func (t EventType) Validate(field string) error {
	if t.Operational() {
		return Invalid(field, "must not begin with %s: those types are the server's own", operationalPrefix)
	}
	return t.validateForm(field)
}

func (t EventType) validateForm(field string) error {
	if len(t) < 1 || len(t) > 255 {
		return Invalid(field, "must have 1 to 255 characters")
	}
	for segment := range strings.SplitSeq(string(t), ".") {
		if segment == "" {
			return Invalid(field, "must not have an empty segment between its dots")
		}
		if strings.ContainsFunc(segment, func(r rune) bool { return !isTypeRune(r) }) {
			return Invalid(field, "must contain only letters, digits, _ and -, in segments separated by dots")
		}
	}
	return nil
}

// Operational reports whether the product itself appends events of this type.
func (t EventType) Operational() bool { return strings.HasPrefix(string(t), operationalPrefix) }

func isTypeRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// Pattern chooses event types: a type, in which "*" matches one whole segment or, as the last segment, for all the
// rest (at least one).
type Pattern string // "offer.*"

// Validate refuses an invalid pattern.
func (p Pattern) Validate(field string) error {
	if p == "*" {
		return nil
	}
	plain := make([]string, 0, 8)
	for segment := range strings.SplitSeq(string(p), ".") {
		if segment == "*" {
			segment = "x"
		}
		plain = append(plain, segment)
	}
	if err := EventType(strings.Join(plain, ".")).validateForm(field); err != nil {
		return Invalid(field,
			"must be an event type such as offer.issued, in which * matches one segment or, at the end, all the rest")
	}
	return nil
}

// Matches reports whether the pattern chooses the type. A "*" in the first place never matches operational types.
func (p Pattern) Matches(t EventType) bool {
	pattern, name := string(p), string(t)
	if t.Operational() && strings.HasPrefix(pattern, "*") {
		return false
	}
	for {
		want, restOfPattern, more := strings.Cut(pattern, ".")
		if want == "*" && !more {
			return name != ""
		}
		have, restOfName, left := strings.Cut(name, ".")
		if want != "*" && want != have || more != left {
			return false
		}
		if !more {
			return true
		}
		pattern, name = restOfPattern, restOfName
	}
}

// Covers reports whether p chooses every type that other chooses.
func (p Pattern) Covers(other Pattern) bool {
	wide, narrow := string(p), string(other)
	if strings.HasPrefix(wide, "*") && strings.HasPrefix(narrow, operationalPrefix) {
		return false
	}
	for {
		want, restOfWide, more := strings.Cut(wide, ".")
		if want == "*" && !more {
			return narrow != ""
		}
		have, restOfNarrow, left := strings.Cut(narrow, ".")
		// A last "*" of other matches one segment or more, which only a last "*" of p takes in.
		if more != left || have == "*" && (want != "*" || !left) || want != "*" && want != have {
			return false
		}
		if !more {
			return true
		}
		wide, narrow = restOfWide, restOfNarrow
	}
}
