package rest

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
)

// Opt is a parameter that knows whether it was given.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Schema implements huma.SchemaProvider.
func (Opt[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver implements huma.ParamWrapper.
func (o *Opt[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet implements huma.ParamReactor.
func (o *Opt[T]) OnParamSet(isSet bool, _ any) { o.Set = isSet }

// TenantPath is a path within a tenant.
type TenantPath struct {
	Tenant string `path:"tenant" maxLength:"63" doc:"The tenant." example:"acme"`
}

// ThingPath is the path of one thing within a tenant.
type ThingPath struct {
	TenantPath
	ID string `path:"id" format:"uuid" doc:"The thing's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
}

// UUID reads the path's id.
func (in ThingPath) UUID() (domain.UUID, error) { return ParseID("path.id", in.ID) }

// ParseID reads an id at a location of the request.
func ParseID(location, text string) (domain.UUID, error) {
	id, err := domain.ParseUUID(text)
	if err != nil {
		return id, Invalid(location, "is a UUID")
	}
	return id, nil
}

// PostHeader documents what every POST takes; the gate reads it.
type PostHeader struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"256" doc:"Makes a repetition harmless: the same request under the same key gets the first answer again, for as long as the log exists." example:"8f14e45f-ceea-467f-a8d3-3f5b9a6e2c11"`
}

// MatchHeader is the precondition of a change.
type MatchHeader struct {
	IfMatch string `header:"If-Match" doc:"The ETag that the thing must still have; else 412." example:"\"3\""`
}

// Check refuses to change another version than the client has seen.
func (in MatchHeader) Check(version int) error {
	if in.IfMatch == "" || strings.TrimSpace(in.IfMatch) == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(in.IfMatch, ",") {
		if strings.TrimSpace(tag) == ETag(version) {
			return nil
		}
	}
	return Refuse(http.StatusPreconditionFailed, "precondition_failed",
		"The thing has another version by now. Read it again.", Fault{"header.If-Match", "names no current version"})
}

// NoneMatchHeader is the precondition of a PUT that mustn't replace anything.
type NoneMatchHeader struct {
	IfNoneMatch string `header:"If-None-Match" doc:"*: only if there is none yet; an ETag: only if the thing has another version. Else 412." example:"*"`
}

// CheckNone refuses to change a version that the client wants to keep; 0: there is none.
func (in NoneMatchHeader) CheckNone(version int) error {
	if version == 0 || !noneMatch(in.IfNoneMatch, ETag(version)) {
		return nil
	}
	return Refuse(http.StatusPreconditionFailed, "precondition_failed",
		"The thing is there already. Nothing was changed.", Fault{"header.If-None-Match", "names what is there"})
}

// noneMatch reports whether an entity tag is among those of an If-None-Match, which compares weakly (RFC 9110 §13.1.2).
func noneMatch(header, tag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for given := range strings.SplitSeq(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(given), "W/") == tag {
			return true
		}
	}
	return false
}

// ETag is the entity tag of a version.
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// ReasonQuery is the reason for a change without a body.
type ReasonQuery struct {
	Reason string `query:"reason" maxLength:"1024" doc:"Why it is done; recorded in the log." example:"left the pilot"`
}

// ReasonBody is the optional body of a change that needs no other member.
type ReasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"1024" doc:"Why it is done; recorded in the log." example:"receiver's maintenance window"`
}

// CheckReason checks a reason, which becomes a part of the entry.
func CheckReason(location, text string) error {
	if err := domain.ValidateText(location, text, 0, 1024); err != nil {
		return Invalid(location, "has at most 1024 bytes of UTF-8 without control characters")
	}
	return nil
}

// ActionInput is a POST to a thing whose body holds no more than a reason.
type ActionInput struct {
	ThingPath
	PostHeader
	Body *ReasonBody
}

// Reason is the reason given; "" for none.
func (in *ActionInput) Reason() string {
	if in.Body == nil {
		return ""
	}
	return in.Body.Reason
}

// Instant brings a client's time into the form of the log's times. The zero time stays zero.
func Instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
