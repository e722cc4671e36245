package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRepeated: of a parameter or header that is given twice neither value counts.
func TestRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const said = "is given more than once: send it once"
	got := f.get(f.operator, "/v1/tenants/acme/log?limit=1&limit=2")
	got.problem(http.StatusBadRequest, "repeated_parameter").names("query.limit")
	if !strings.Contains(string(got.Body), said) {
		t.Errorf("the parameter: %s", got.Body)
	}
	f.get(f.operator, "/v1/tenants/acme/log?limit=1&limit=1").problem(http.StatusBadRequest, "repeated_parameter")
	before := f.head()
	for name, value := range map[string]string{
		"Authorization": "Bearer " + f.operator, "Content-Type": "application/json", "Idempotency-Key": "once",
		"Hooktrail-Hops": "1",
	} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/tenants/acme/events",
			strings.NewReader(`{"type":"a","data":1}`))
		r.Header.Set("Authorization", "Bearer "+f.operator)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "once")
		r.Header.Set("Hooktrail-Hops", "1")
		r.Header.Add(name, value)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		answer{t: t, Code: w.Code, Header: w.Header(), Body: w.Body.Bytes()}.want(http.StatusBadRequest).names("header." + name)
		if !strings.Contains(w.Body.String(), said) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	if f.head() != before {
		t.Error("something was appended")
	}
}

// TestConditions_strict: a condition that is empty or given twice is none that could be kept.
func TestConditions_strict(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint("")
	for _, name := range []string{"If-Match", "If-None-Match"} {
		for code, values := range map[string][]string{"empty_header": {""}, "repeated_header": {`"1"`, `"1"`}} {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodPatch, endpoint, strings.NewReader(`{"name":"b"}`))
			r.Header.Set("Authorization", "Bearer "+f.operator)
			r.Header.Set("Content-Type", "application/json")
			r.Header[name] = values
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			got := answer{t: t, Code: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
			got.problem(http.StatusBadRequest, code).names("header." + name)
		}
	}
}

// TestPatch_contentType: a merge patch is taken as application/json too, with the same meaning: null removes.
func TestPatch_contentType(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := "/v1/tenants/acme/endpoints/" + f.post(f.operator, "/v1/tenants/acme/endpoints",
		`{"name":"a","url":"https://receiver.example/","rate_limit":{"per_second":5,"burst":5}}`).want(http.StatusCreated).text("id")
	subscription := "/v1/tenants/acme/subscriptions/" + f.post(f.operator, "/v1/tenants/acme/subscriptions",
		`{"endpoint_id":"`+endpoint[len("/v1/tenants/acme/endpoints/"):]+`","event_types":["a"]}`).want(http.StatusCreated).text("id")
	for i, contentType := range []string{"application/json", "application/merge-patch+json", "application/json; charset=utf-8"} {
		for target, body := range map[string]string{
			endpoint: `{"name":"b%d","rate_limit":null}`, subscription: `{"event_types":["a","b%d"]}`, "/v1/tenants/acme": `{"limits":{"endpoints":30%d}}`,
		} {
			got := f.do(f.operator, http.MethodPatch, target, fmt.Sprintf(body, i), "Content-Type", contentType).want(http.StatusOK)
			if target == endpoint && (got.text("name") != fmt.Sprint("b", i) || got.value("rate_limit") != nil) {
				t.Errorf("%s: %s", contentType, got.Body)
			}
		}
	}
	f.do(f.operator, http.MethodPatch, endpoint, `{}`, "Content-Type", "text/plain").
		problem(http.StatusUnsupportedMediaType, "unsupported_media_type")
}

// TestTimeout_Zero: a timeout of nothing is out of range, and isn't the default.
func TestTimeout_Zero(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"a","url":"https://receiver.example/hooks"}`).
		want(http.StatusCreated)
	for _, zero := range []string{"0s", "0", "0ms"} {
		f.post(f.operator, "/v1/tenants/acme/endpoints",
			`{"name":"a","url":"https://receiver.example/hooks","timeout":"`+zero+`"}`).
			problem(http.StatusUnprocessableEntity, "validation_failed").names("body.timeout")
		f.patch(f.operator, "/v1/tenants/acme/endpoints/"+made.text("id"), `{"timeout":"`+zero+`"}`).
			problem(http.StatusUnprocessableEntity, "validation_failed").names("body.timeout")
	}
}

// TestHeaders_Safe: what may show a secret isn't kept by caches, and nothing is taken for what it isn't.
func TestHeaders_Safe(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"a","url":"https://receiver.example/hooks"}`)
	for name, a := range map[string]answer{
		"endpoint": made.want(http.StatusCreated),
		"key":      f.post(f.operator, "/v1/tenants/acme/keys", `{"role":"admin","name":"a"}`).want(http.StatusCreated),
		"rotated": f.post(f.operator, "/v1/tenants/acme/endpoints/"+made.text("id")+"/rotate-key", "").
			want(http.StatusOK),
	} {
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, a.Header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/openapi.json", "/docs", "/nowhere", "/v1/tenants/acme", "/v1//x"} {
		if a := f.get(f.operator, path); a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, a.Header.Get("X-Content-Type-Options"))
		}
	}
}
