package domain

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers tell apart. Adapters wrap them; the HTTP surface turns each into one problem.
var (
	// ErrNotFound: there is no such thing in this tenant.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the stream isn't at the version that the caller expected. Load again and decide again.
	ErrConflict = errors.New("the stream has moved on")
	// ErrStale: the tenant's configuration has changed since the group was decided (Group.Basis). Decide again by the newest.
	ErrStale = errors.New("the tenant's configuration has changed")
	// ErrFenced: the caller's lease was taken over (stale epoch). Stop working under it.
	ErrFenced = errors.New("the lease is no longer held")
	// ErrBusy: the bounded append queue is full. Nothing was appended; try again later.
	ErrBusy = errors.New("the append queue is full")
	// ErrUnavailable: the database can't be reached or doesn't commit. Nothing was appended, or what was appended will
	// be found again by its idempotency key; try again later.
	ErrUnavailable = errors.New("the log is unavailable")
	// ErrUnknownTenant: the tenant doesn't exist, or is deleted.
	ErrUnknownTenant = errors.New("unknown tenant")
	// ErrKeyDestroyed: content was to be sealed under a data key that was destroyed meanwhile. Seal again.
	ErrKeyDestroyed = errors.New("the data key was destroyed")
	// ErrRefused: the database refused the values of this one append (SQLSTATE class 22 or 23).
	ErrRefused = errors.New("the database refused this append")
	// ErrFormat: the log isn't raised to the format that introduced the kind or version: an older program may still read it.
	// Nothing was appended; an operator raises the log.
	ErrFormat = errors.New("the log isn't raised to the format of this fact" +
		" (hint: hooktrail migrate --raise-format, once every process is of this version)")
)

// InvalidError says which field of a command is wrong and what to do about it. It never holds the value.
type InvalidError struct {
	Field string // dotted path as the client wrote it, such as "retry.schedule[2]"
	Text  string // what is allowed
}

// Invalid makes an *InvalidError.
func Invalid(field, format string, args ...any) *InvalidError {
	return &InvalidError{Field: field, Text: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Text }

// ClaimedError says that a claim of a group was made by an earlier append: the group wasn't appended.
type ClaimedError struct {
	Claim    int       // index into Group.Claims, of the first that was made earlier
	Same     bool      // whether the earlier request had the same digest
	Sequence Sequence  // the first entry (in the claim's tenant) of what the earlier append made
	Count    int       // how many entries that append made for the claim
	At       time.Time // when that first entry was recorded
	// Erased says that one of those whom the earlier entries are about was erased: whether the requests were the same can't
	// be told any more, and Same is false.
	Erased bool
}

// Error implements error.
func (e *ClaimedError) Error() string {
	switch {
	case e.Same:
		return "already appended by an earlier request"
	case e.Erased:
		return "already appended by an earlier request, what it was about was erased"
	}
	return "the key was used by an earlier, different request"
}
