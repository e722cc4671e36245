package openapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// problem is an RFC 9457 document. It never holds a value that the client sent.
type problem struct {
	Title  string  `json:"title" doc:"The status in words." example:"Unprocessable Entity"`
	Status int     `json:"status" doc:"The HTTP status." example:"422"`
	Code   string  `json:"code" doc:"What went wrong, for programs. Stable." example:"validation_failed"`
	Detail string  `json:"detail,omitempty" doc:"What went wrong and what to do, for people." example:"url: must begin with https:// or http://"`
	Errors []fault `json:"errors,omitempty" doc:"The members that are wrong."`

	header http.Header
}

// fault says which part of a request is wrong.
type fault struct {
	Location string `json:"location" doc:"The part of the request." example:"body.url"`
	Message  string `json:"message" doc:"What is allowed there." example:"must begin with https:// or http://"`
}

// Error implements error.
func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// refuse makes a problem.
func refuse(status int, code, detail string, faults ...fault) *problem {
	p := &problem{Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults}
	if status == http.StatusServiceUnavailable {
		p.header = http.Header{"Retry-After": {"1"}}
	}
	return p
}

func notFound() *problem {
	return refuse(http.StatusNotFound, "not_found", "There is no such thing here, or the key doesn't open it.")
}

func invalid(location, message string) *problem {
	return refuse(http.StatusUnprocessableEntity, "validation_failed", location+": "+message, fault{location, message})
}

func malformed(location, message string) *problem {
	return refuse(http.StatusBadRequest, "malformed_body", location+": "+message, fault{location, message})
}

// problemOf turns an operation's error into what the client is told. The texts of unexpected errors aren't for the
// client: they come back as 500, and the caller logs the error.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var wrong *domain.InvalidError
	if errors.As(err, &wrong) {
		return invalid("body."+wrong.Field, wrong.Text)
	}
	for _, known := range knownErrors() {
		if errors.Is(err, known.err) {
			return refuse(known.status, known.code, known.detail)
		}
	}
	return refuse(http.StatusInternalServerError, "internal_error", "The server failed; its log says why. Nothing is known to be changed.")
}

type knownError struct {
	err          error
	status       int
	code, detail string
}

func knownErrors() []knownError {
	return []knownError{
		{domain.ErrNotFound, http.StatusNotFound, "not_found", "There is no such thing here, or the key doesn't open it."},
		{domain.ErrUnknownTenant, http.StatusNotFound, "not_found", "There is no such thing here, or the key doesn't open it."},
		{ErrNothingSent, http.StatusNotFound, "nothing_sent", "The attempt sent nothing: its endpoint's format can't carry the event, as the attempt's detail says."},
		{domain.ErrConflict, http.StatusConflict, "conflict", "The thing has changed meanwhile, or isn't in a state that allows this. Read it again."},
		{domain.ErrFilterBudget, http.StatusUnprocessableEntity, "filters_too_costly", "The filters of the subscriptions that match these events cost more than one request may. Nothing was appended: append fewer events at once."},
		{domain.ErrStale, http.StatusServiceUnavailable, "busy", "The tenant's configuration changes too fast to route by it. Nothing was appended: try again later."},
		{domain.ErrBusy, http.StatusServiceUnavailable, "busy", "Too many appends are waiting. Nothing was appended: try again later."},
		{domain.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "The log can't be reached at the moment. Try again later, with the same Idempotency-Key."},
		// The server stops; a client that went away reads no answer.
		{context.Canceled, http.StatusServiceUnavailable, "unavailable", "The server is stopping. Try again later, with the same Idempotency-Key."},
		{domain.ErrRefused, http.StatusUnprocessableEntity, "refused", "The database can't keep these values. Nothing was appended."},
		{projections.ErrBehind, http.StatusServiceUnavailable, "view_behind", "The view hasn't reached the sequence that was asked for. Try again, or wait longer with Prefer: wait=<seconds>."},
	}
}

// humaProblem is what Huma's own refusals become: the same shape, without the values that Huma would echo.
func humaProblem(status int, msg string, errs ...error) huma.StatusError {
	p := refuse(status, humaCode(status), msg)
	for _, err := range errs {
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			p.Errors = append(p.Errors, fault{clip(detail.Location), detail.Message})
		} else if err != nil && status < http.StatusInternalServerError {
			p.Errors = append(p.Errors, fault{"body", err.Error()})
		}
	}
	if len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Location + ": " + p.Errors[0].Message
	}
	return p
}

func humaCode(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "malformed_body"
	case http.StatusUnprocessableEntity:
		return "validation_failed"
	case http.StatusInternalServerError:
		return "internal_error"
	}
	return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}

// clip bounds a location: it holds names that the client chose.
func clip(location string) string {
	if len(location) > 120 {
		location = location[:120] + "…"
	}
	return strings.ToValidUTF8(location, "?")
}
