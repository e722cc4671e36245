package openapi

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
)

type reflectType = reflect.Type

// opt is a parameter that knows whether it was given.
type opt[T any] struct {
	Value T
	Set   bool
}

// Schema implements huma.SchemaProvider.
func (opt[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver implements huma.ParamWrapper.
func (o *opt[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet implements huma.ParamReactor.
func (o *opt[T]) OnParamSet(isSet bool, _ any) { o.Set = isSet }

// TenantPath is a path within a tenant.
type TenantPath struct {
	Tenant string `path:"tenant" maxLength:"63" doc:"The tenant." example:"acme"`
}

// ThingPath is the path of one thing within a tenant.
type ThingPath struct {
	TenantPath
	ID string `path:"id" format:"uuid" doc:"The thing's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
}

// id reads the path's id, which Huma has found to be a UUID.
func (in ThingPath) id() (domain.UUID, error) { return parseID("path.id", in.ID) }

func parseID(location, text string) (domain.UUID, error) {
	id, err := domain.ParseUUID(text)
	if err != nil {
		return id, invalid(location, "is a UUID")
	}
	return id, nil
}

// PostHeader documents what every POST takes; gate reads it.
type PostHeader struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"256" doc:"Makes a repetition harmless: the same request under the same key gets the first answer again, for as long as the log lives." example:"8f14e45f-ceea-467f-a8d3-3f5b9a6e2c11"`
}

// MatchHeader is the precondition of a change.
type MatchHeader struct {
	IfMatch string `header:"If-Match" doc:"The ETag that the thing must still have; else 412." example:"\"3\""`
}

// check refuses a change of another version than the client has seen.
func (in MatchHeader) check(version int) error {
	if in.IfMatch == "" || strings.TrimSpace(in.IfMatch) == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(in.IfMatch, ",") {
		if strings.TrimSpace(tag) == etag(version) {
			return nil
		}
	}
	return refuse(http.StatusPreconditionFailed, "precondition_failed", "The thing has another version by now. Read it again.",
		fault{"header.If-Match", "names no current version"})
}

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// ReasonQuery is the reason of a change without a body.
type ReasonQuery struct {
	Reason string `query:"reason" maxLength:"1024" doc:"Why it is done; goes into the log." example:"left the pilot"`
}

// ReasonBody is the optional body of a change that needs no other member.
type ReasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"1024" doc:"Why it is done; goes into the log." example:"receiver's maintenance window"`
}

// reason checks a reason; it becomes a part of the entry.
func checkReason(location, text string) error {
	if err := domain.ValidateText(location, text, 0, 1024); err != nil {
		return invalid(location, "has at most 1024 bytes of UTF-8 without control characters")
	}
	return nil
}

func sequenceText(n domain.Sequence) string { return strconv.FormatInt(int64(n), 10) }

// instant brings a client's time into the form of the log's times.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
