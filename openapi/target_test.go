package openapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestEvent_AwkwardIDs: whatever an event may be called, the event and its routing are found, by ?id= and by sequence, and
// by path too unless the name is a mere slash, in which net/http sees the path's end.
func TestEvent_AwkwardIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := domain.NewUUID().String()
	const events = "/v1/tenants/acme/events"
	names := []string{"/", "//", ".", "..", "../../..", "a//b", "a/", "%2F", "?id=x", "#", ";", "&a=b", "+", "by-sequence", "routing", "batch", "by-sequence/1", "x/routing"}
	for _, name := range names {
		made := f.event("acme", name)
		f.deliver(made, endpoint)
		f.settle()
		query, encoded := events+"?id="+url.QueryEscape(name), strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
		sequence := fmt.Sprintf("%s/by-sequence/%d", events, made.Sequence)
		if got := ids(f.get(f.operator, query).want(http.StatusOK)); got != fmt.Sprintf("%q", name) {
			t.Errorf("%s finds %s", query, got)
		}
		routings := []string{sequence + "/routing"}
		if name != "/" {
			routings = append(routings, events+"/"+encoded+"/routing")
			if got := f.get(f.operator, events+"/"+encoded).want(http.StatusOK); got.text("id") != name {
				t.Errorf("%s/%s: %s", events, encoded, got.Body)
			}
		}
		for _, target := range routings {
			got := f.get(f.operator, target).want(http.StatusOK)
			if got.text("event_id") != name || got.text("deliveries.0.endpoint_id") != endpoint {
				t.Errorf("%s: %s", target, got.Body)
			}
		}
	}
	f.get(f.operator, events+"/by-sequence/0/routing").problem(http.StatusNotFound, "not_found")
	producer := f.key("acme", domain.RoleProducer)
	own := f.post(producer, events, `{"id":"own","type":"a.b","data":1}`).want(http.StatusCreated).number("sequence")
	f.get(producer, fmt.Sprintf("%s/by-sequence/%d/routing", events, own)).want(http.StatusOK)
	foreign := f.event("acme", "foreign").Sequence
	f.get(producer, fmt.Sprintf("%s/by-sequence/%d/routing", events, foreign)).problem(http.StatusNotFound, "not_found")
}

// TestPath_Unclean: a path that a mux would redirect is answered with a problem, whatever the method.
func TestPath_Unclean(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{
		"//", "/v1//tenants", "//v1/tenants", "/v1/tenants/", "/v1/tenants//acme", "/v1/./tenants", "/v1/tenants/acme/events/.",
		"/v1/tenants/acme/events/..", "/v1/tenants/acme/events/../endpoints", "/v1/tenants/acme/events//routing", "/docs/", "/docs//docs.js", "/livez/.",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodHead} {
			got := f.do(f.operator, method, path, "")
			if got.Code != http.StatusNotFound || got.Header.Get("Location") != "" {
				t.Errorf("%s %s: status %d, Location %q", method, path, got.Code, got.Header.Get("Location"))
			} else if method != http.MethodHead {
				got.problem(http.StatusNotFound, "not_found")
			}
		}
	}
}

// TestPath_None: a request without a path, or with * for one, is answered too.
func TestPath_None(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{"", "*", "v1/tenants"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path, r.RequestURI = path, path
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q: status %d, %v", path, w.Code, w.Header())
		}
	}
}

// TestQuery_Bytes sends every query parameter of the document what no text of the API holds.
func TestQuery_Bytes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme := oneOfEach(f, "acme")
	var tried int
	for _, op := range operations(t, f) {
		target, key := acme.target(op, "acme"), f.operator
		for _, name := range op.Query {
			for _, value := range []string{"%00", "a%00b", "%ff", "%c3%28", "%0a", "%1b", "%7f"} {
				tried++
				got := f.do(key, op.Method, target+"?"+name+"="+value, "")
				got.t = t
				got.problem(http.StatusUnprocessableEntity, "validation_failed").names("query." + name)
			}
		}
		if strings.Contains(op.Path, "/{id}") && len(op.Roles) > 0 {
			wrong := strings.Replace(strings.ReplaceAll(op.Path, "{tenant}", "acme"), "{id}", "a%00b", 1)
			f.do(key, op.Method, strings.NewReplacer("{sequence}", "1", "{number}", "1", "{name}", "a.b").Replace(wrong), "").
				problem(http.StatusUnprocessableEntity, "validation_failed").names("path")
		}
		for _, query := range []string{"%zz=1", "a=%f", "a=1;b=2"} {
			f.do(key, op.Method, target+"?"+query, "").problem(http.StatusBadRequest, "malformed_query").names("query")
		}
		f.do(key, op.Method, target+"?%00=1", "").problem(http.StatusUnprocessableEntity, "validation_failed").names("query")
	}
	if tried < 500 {
		t.Errorf("tried only %d", tried)
	}
}

// TestBody_Encoded sends every operation with a body a compressed one.
func TestBody_Encoded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme := oneOfEach(f, "acme")
	before := f.head()
	for _, op := range operations(t, f) {
		if op.Body == "" {
			continue
		}
		for _, coding := range []string{"gzip", "identity, zstd"} {
			got := f.do(f.operator, op.Method, acme.target(op, "acme"), "\x1f\x8b\x08", "Content-Type", op.Body, "Content-Encoding", coding).
				problem(http.StatusUnsupportedMediaType, "unsupported_content_encoding").names("header.Content-Encoding")
			if !slices.Contains(op.Statuses, "415") || got.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s: %v, documented %v", op.ID, got.Header, op.Statuses)
			}
		}
	}
	if after := f.head(); after != before {
		t.Errorf("%d entries were appended", after-before)
	}
	f.post(f.operator, "/v1/tenants/acme/events", `{"type":"a.b","data":1}`, "Content-Encoding", "Identity").want(http.StatusCreated)
}

// TestPrefer_Malformed: a preference that isn't understood is as none (RFC 7240 §2), and one that is counts beside it.
func TestPrefer_Malformed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, prefer := range []string{"wait=x", "wait=-1", "wait=", "wait", ",,;=", "receipt", "wait=99999999999999999999"} {
		f.get(f.operator, "/v1/tenants/acme/endpoints?min_sequence=0", "Prefer", prefer).want(http.StatusOK)
	}
	for _, prefer := range []string{"wait=x, wait=0", "respond-async, wait=0"} {
		f.get(f.operator, "/v1/tenants/acme/endpoints?min_sequence=99999", "Prefer", prefer).problem(http.StatusServiceUnavailable, "view_behind")
	}
}
