package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Problem is an RFC 9457 document. It never holds a value that the client sent.
type Problem struct {
	Title  string  `json:"title" doc:"The status in words." example:"Unprocessable Entity"`
	Status int     `json:"status" doc:"The HTTP status." example:"422"`
	Code   string  `json:"code" doc:"What went wrong, for programs. Stable." example:"validation_failed"`
	Detail string  `json:"detail,omitempty" doc:"What went wrong and what to do, for people." example:"url: must begin with https:// or http://"`
	Errors []Fault `json:"errors,omitempty" doc:"The members that are wrong."`

	Header http.Header `json:"-"` // what the answer has beside the document; nil for nothing
}

// Fault names a part of a request that is wrong.
type Fault struct {
	Location string `json:"location" doc:"The part of the request." example:"body.url"`
	Message  string `json:"message" doc:"What is allowed there." example:"must begin with https:// or http://"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.Header }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// MaxFaults bounds how many places of a request a problem names.
const MaxFaults = 100

// Refuse returns a problem with at most MaxFaults of the faults.
func Refuse(status int, code, detail string, faults ...Fault) *Problem {
	faults = faults[:min(len(faults), MaxFaults)]
	p := &Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults}
	if status == http.StatusServiceUnavailable {
		p.Header = http.Header{"Retry-After": {"1"}}
	}
	return p
}

// notFoundText doesn't tell what is absent from what the key may not see.
const notFoundText = "There is no such thing here, or the key doesn't open it."

// NotFound refuses what isn't there and what the key may not see alike.
func NotFound() *Problem { return Refuse(http.StatusNotFound, "not_found", notFoundText) }

// Invalid refuses a value at a location of the request. message says what is allowed.
func Invalid(location, message string) *Problem {
	return Refuse(http.StatusUnprocessableEntity, "validation_failed", location+": "+message, Fault{location, message})
}

// Ambiguous refuses what isn't JSON, and JSON that parsers read in different ways. Other errors come back as they are.
func Ambiguous(location string, err error) error {
	var wrong *domain.JSONError
	if !errors.As(err, &wrong) {
		return err
	}
	invalid := &domain.InvalidError{}
	errors.As(err, &invalid)
	fault := Fault{location, invalid.Text}
	if wrong.Malformed {
		return Refuse(http.StatusBadRequest, "malformed_body", location+": "+invalid.Text, fault)
	}
	return Refuse(http.StatusUnprocessableEntity, "ambiguous_json", location+": "+invalid.Text, fault)
}

// Within puts a prefix before the locations that an error names: the error is about a part of the request.
func Within(prefix string, err error) error {
	var wrong *domain.InvalidError
	if errors.As(err, &wrong) {
		return Invalid(prefix+"."+wrong.Field, wrong.Text)
	}
	var p *Problem
	if errors.As(err, &p) {
		for i := range p.Errors {
			p.Errors[i].Location = prefix + "." + p.Errors[i].Location
		}
		return p
	}
	return err
}

// FaultsAt turns a document's faults into those of the request, in which the document is at a location.
func FaultsAt(location string, faults []domain.Fault) []Fault {
	list := make([]Fault, len(faults))
	for i, f := range faults {
		list[i] = Fault{location + f.Pointer, f.Text}
	}
	return list
}

// Erased refuses what was asked for because its content was destroyed.
func Erased() *Problem {
	return Refuse(http.StatusGone, "erased", "What was asked for has been erased.")
}

// Unreadable is the error of an entry that should have a content of its kind and has none.
func Unreadable(e domain.Entry) error {
	if e.Erased {
		return Erased()
	}
	return fmt.Errorf("the content of %s at position %d can't be read", e.Kind, e.Position)
}

// ProblemOf returns what the client is told of an operation's error. The texts of unexpected errors aren't for clients:
// they come back as 500, and the caller logs the error.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var wrong *domain.InvalidError
	if errors.As(err, &wrong) {
		return Invalid("body."+wrong.Field, wrong.Text)
	}
	for _, known := range knownErrors() {
		if errors.Is(err, known.err) {
			return Refuse(known.status, known.code, known.detail)
		}
	}
	return Refuse(http.StatusInternalServerError, "internal_error",
		"The server failed; its log says why. Nothing is known to be changed.")
}

type knownError struct {
	err          error
	status       int
	code, detail string
}

func knownErrors() []knownError {
	const (
		missing     = http.StatusNotFound
		unavailable = http.StatusServiceUnavailable
		invalid     = http.StatusUnprocessableEntity
	)
	return []knownError{
		{domain.ErrNotFound, missing, "not_found", notFoundText},
		{domain.ErrUnknownTenant, missing, "not_found", notFoundText},
		{
			domain.ErrNothingSent, missing, "nothing_sent",
			"The attempt sent nothing: its endpoint's format can't carry the event, as the attempt's detail says.",
		},
		{
			domain.ErrConflict, http.StatusConflict, "conflict",
			"The thing was changed concurrently, or isn't in a state that allows this. Read it again.",
		},
		{
			domain.ErrFilterBudget, invalid, "filters_too_costly",
			"The filters of the subscriptions that match these events cost more than one request may. Nothing was " +
				"appended: " +
				"append fewer events at once.",
		},
		{
			domain.ErrStale, unavailable, "busy",
			"The tenant's configuration changes too fast to route by it. Nothing was appended: try again later.",
		},
		{
			domain.ErrFormat, http.StatusConflict, "format_not_raised",
			"The log doesn't take such entries yet, since an older program may read it: an operator runs hooktrail migrate " +
				"--raise-format once every process is of this version. Nothing was appended.",
		},
		{domain.ErrBusy, unavailable, "busy", "Too many appends are waiting. Nothing was appended: try again later."},
		{
			domain.ErrUnavailable, unavailable, "unavailable",
			"The log can't be reached at the moment. Try again later, with the same Idempotency-Key.",
		},
		// The server stops. A client that went away reads no answer.
		{
			context.Canceled, unavailable, "unavailable",
			"The server is stopping. Try again later, with the same Idempotency-Key.",
		},
		{
			domain.ErrFormat, http.StatusConflict, "format_not_raised",
			"The log doesn't take entries of this kind yet: the operator allows them with hooktrail migrate --raise-format, once " +
				"every server is of this version.",
		},
		{domain.ErrRefused, invalid, "refused", "The database can't keep these values. Nothing was appended."},
		{
			projections.ErrBehind, unavailable, "view_behind",
			"The view hasn't reached the sequence that was asked for. Try again, or wait longer with Prefer: " +
				"wait=<seconds>.",
		},
	}
}

// humaProblem gives Huma's own refusals the same shape, without the values that Huma would echo.
func humaProblem(status int, msg string, errs ...error) huma.StatusError {
	code := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	switch status {
	case http.StatusBadRequest:
		code = "malformed_body"
	case http.StatusUnprocessableEntity:
		code = "validation_failed"
	case http.StatusInternalServerError:
		code = "internal_error"
	}
	p := Refuse(status, code, msg)
	for _, err := range errs {
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			p.Errors = append(p.Errors, Fault{Clip(detail.Location), detail.Message})
		} else if err != nil && status < http.StatusInternalServerError {
			p.Errors = append(p.Errors, Fault{"body", err.Error()})
		}
	}
	if len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Location + ": " + p.Errors[0].Message
	}
	return p
}

// Clip bounds a location: it can hold names that the client chose.
func Clip(location string) string {
	if len(location) > 120 {
		location = location[:120] + "…"
	}
	return strings.ToValidUTF8(location, "?")
}

// write answers with a problem where Huma hasn't begun to.
func write(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"status":500,"code":"internal_error"}`)
	}
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // if this fails the client is gone, and nothing is left to do
}

// NewFault returns the fault of a location. message says what is allowed there.
func NewFault(location, message string) Fault { return Fault{location, message} }
