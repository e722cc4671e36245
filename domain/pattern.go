package domain

import "strings"

// EventType is the dotted name that a producer gives an event: 1 to 255 of [A-Za-z0-9_.-], no empty segment.
type EventType string // "offer.issued"

// operationalPrefix begins the types of events that the product itself appends; a "*" never matches them.
const operationalPrefix = "hooktrail."

// Validate refuses what is no event type that a producer may use; those of the product itself are such, for whoever
// could append them could forge what the product says of itself.
func (t EventType) Validate(field string) error {
	if t.Operational() {
		return Invalid(field, "an event type that begins with %s is the server's own", operationalPrefix)
	}
	return t.validateForm(field)
}

func (t EventType) validateForm(field string) error {
	if len(t) < 1 || len(t) > 255 {
		return Invalid(field, "an event type has 1 to 255 characters")
	}
	for segment := range strings.SplitSeq(string(t), ".") {
		if segment == "" {
			return Invalid(field, "an event type has no empty segment between its dots")
		}
		if strings.ContainsFunc(segment, func(r rune) bool { return !isTypeRune(r) }) {
			return Invalid(field, "an event type holds only letters, digits, _ and -, in segments with dots between")
		}
	}
	return nil
}

// Operational says whether the product itself appends events of this type.
func (t EventType) Operational() bool { return strings.HasPrefix(string(t), operationalPrefix) }

func isTypeRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// Pattern chooses event types: a type, in which "*" stands for one whole segment or, as the last segment, for all the
// rest (at least one).
type Pattern string // "offer.*"

// Validate refuses what is no pattern.
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
		return Invalid(field, `an event type pattern is a type such as offer.issued, in which * stands for one segment or, last, for all the rest`)
	}
	return nil
}

// Matches says whether the pattern chooses the type. A "*" in the first place never matches operational types.
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

// Covers says whether every type that other chooses is chosen by p too.
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
		// A last "*" of other stands for one segment or more, which only a last "*" of p takes in.
		if more != left || have == "*" && (want != "*" || !left) || want != "*" && want != have {
			return false
		}
		if !more {
			return true
		}
		wide, narrow = restOfWide, restOfNarrow
	}
}
