package ingest

import (
	"errors"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Code says why something that was sent is refused.
type Code int

// The codes. The zero value is none of them.
const (
	_         Code = iota
	Invalid        // a value isn't allowed
	Malformed      // it isn't JSON
	Ambiguous      // it is JSON that parsers read in different ways
	NotJSON        // an event's data isn't JSON
	TooLarge       // an event's data is larger than the limit
	TooMany        // a batch has more events than the limit
	Reused         // another event of the batch has the same name and other members
)

// Error refuses a part of what was sent.
type Error struct {
	Code     Code
	Location string // in the request: "body.events[3].type"; relative to the event where a function says so
	Text     string // what is allowed there
}

// Error implements error.
func (e *Error) Error() string { return e.Location + ": " + e.Text }

// within puts a prefix before an error's location. Errors of the domain become those of this package.
func within(prefix string, err error) error {
	if err == nil {
		return nil
	}
	var wrong *Error
	if errors.As(err, &wrong) {
		return &Error{wrong.Code, prefix + "." + wrong.Location, wrong.Text}
	}
	var invalid *domain.InvalidError
	if errors.As(err, &invalid) {
		return &Error{Invalid, prefix + "." + invalid.Field, invalid.Text}
	}
	return err
}

// unreadable is the error of JSON at a location that the domain refused.
func unreadable(location string, err error) error {
	var wrong *domain.JSONError
	if !errors.As(err, &wrong) {
		return err
	}
	invalid := &domain.InvalidError{}
	errors.As(err, &invalid)
	if wrong.Malformed {
		return &Error{Malformed, location, invalid.Text}
	}
	return &Error{Ambiguous, location, invalid.Text}
}

// clip bounds a member's name in a location: producers choose it.
func clip(name string) string {
	if len(name) > 120 {
		name = name[:120] + "…"
	}
	return strings.ToValidUTF8(name, "?")
}
