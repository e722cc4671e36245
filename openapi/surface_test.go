package openapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.get("", "/livez").want(http.StatusOK)
	f.get("", "/readyz").want(http.StatusOK)
	f.ready = errors.New("no connection to " + secretValue)
	if got := f.get("", "/readyz").problem(http.StatusServiceUnavailable, "not_ready"); strings.Contains(string(got.Body), secretValue) {
		t.Errorf("tells of the inside: %s", got.Body)
	}
	f.get("", "/livez").want(http.StatusOK)
	monitor := f.key("", domain.RoleMonitor)
	if got := f.get(monitor, "/metrics").want(http.StatusOK); string(got.Body) != "up 1\n" {
		t.Errorf("metrics %q", got.Body)
	}
}

// TestDocs: the page loads nothing from elsewhere and runs nothing that stands in it.
func TestDocs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/docs.css"} {
		got := f.get("", path).want(http.StatusOK)
		policy := got.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || got.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %v", path, got.Header)
		}
		if elsewhere := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]|@import|innerHTML| on[a-z]+=| style=`).Find(got.Body); elsewhere != nil && path == "/docs" {
			t.Errorf("%s holds %q", path, elsewhere)
		}
	}
}

// TestDocument_Old: what is left of the document for OpenAPI 3.0 holds nothing that only 3.1 knows.
func TestDocument_Old(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.get("", "/openapi-3.0.json").want(http.StatusOK)
	if got.text("openapi") != "3.0.3" {
		t.Errorf("openapi %s", got.text("openapi"))
	}
	for _, newer := range []string{`"webhooks"`, `"const"`, `"contentMediaType"`, `"identifier"`, `"null"`} {
		if strings.Contains(string(got.Body), newer) {
			t.Errorf("holds %s", newer)
		}
	}
	f.get("", "/openapi.yaml").want(http.StatusOK)
}

// TestTail follows the log over a real connection, is cut off, and goes on behind the last id.
func TestTail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	auditor := f.key("acme", domain.RoleAuditor)
	follow := func(query string, last string) (*bufio.Scanner, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/tenants/acme/log/tail"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+auditor)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("status %d %v", resp.StatusCode, resp.Header)
		}
		t.Cleanup(func() { cancel(); resp.Body.Close() })
		if got := resp.Header.Get("Hooktrail-Sequence"); last != "" && got != last {
			t.Errorf("behind %s the stream says that it begins behind %q", last, got)
		}
		return bufio.NewScanner(resp.Body), cancel
	}
	next := func(s *bufio.Scanner) (id, kind, data string) {
		for s.Scan() {
			name, value, _ := strings.Cut(s.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				return id, kind, value
			}
		}
		t.Fatalf("the stream ended: %v", s.Err())
		return "", "", ""
	}
	stream, cut := follow("", "")
	if !stream.Scan() || !strings.HasPrefix(stream.Text(), ":") {
		t.Fatalf("begins with %q", stream.Text())
	}
	first := f.post(f.operator, "/v1/tenants/acme/events", "{\"id\":\"a\",\"type\":\"a.b\",\"data\":{\"a\":\n1}}").want(http.StatusCreated)
	id, kind, data := next(stream)
	if id != fmt.Sprint(first.number("sequence")) || kind != "event.appended" || !strings.Contains(data, `"data":{"a": 1}`) {
		t.Fatalf("id %s, event %s, data %s", id, kind, data)
	}
	cut()
	f.event("acme", "b")
	f.event("acme", "c")
	stream, _ = follow("", id)
	for _, want := range []string{`"id":"b"`, `"id":"c"`} {
		if _, _, data := next(stream); !strings.Contains(data, want) {
			t.Errorf("data %s, want %s", data, want)
		}
	}
	stream, _ = follow("?from_sequence=0&kind=tenant.*", "")
	if id, kind, _ := next(stream); id != "0" || kind != "tenant.created" {
		t.Errorf("id %s, event %s", id, kind)
	}
	// A stream doesn't outlive its key.
	who := f.get(auditor, "/v1/whoami").text("key_id")
	f.do(f.operator, http.MethodDelete, "/v1/tenants/acme/keys/"+who, "").want(http.StatusNoContent)
	for stream.Scan() {
		if strings.HasPrefix(stream.Text(), "data") {
			t.Errorf("after the revocation came %s", stream.Text())
		}
	}
}

// TestLog_Filters asks the log in every way.
func TestLog_Filters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	endpoint := f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/?k=`+secretValue+`","reason":"pilot"}`).want(http.StatusCreated)
	f.event("acme", "a")
	at := f.recordedAt("acme", endpoint.Header.Get("Hooktrail-Sequence"))
	actor := f.get(admin, "/v1/whoami").text("principal_id")
	for query, want := range map[string]string{
		"": "tenant.created key.created endpoint.created event.appended", "kind=endpoint.created": "endpoint.created", "kind=event.*": "event.appended",
		"stream=endpoint/" + endpoint.text("id"): "endpoint.created", "actor=" + actor: "endpoint.created",
		"from_sequence=1&to_sequence=3": "key.created endpoint.created", "from=" + domain.FormatTime(at): "endpoint.created event.appended",
		"to=" + domain.FormatTime(at): "tenant.created key.created", "order=desc&limit=2": "event.appended endpoint.created", "kind=none.*": "",
	} {
		var page struct{ Items []struct{ Kind string } }
		f.get(admin, "/v1/tenants/acme/log?"+query).want(http.StatusOK).into(&page)
		var kinds []string
		for _, item := range page.Items {
			kinds = append(kinds, item.Kind)
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	entry := "/v1/tenants/acme/log/" + endpoint.Header.Get("Hooktrail-Sequence")
	if got := f.get(admin, entry).want(http.StatusOK); got.text("reason") != "pilot" || strings.Contains(string(got.Body), secretValue) {
		t.Errorf("entry %s", got.Body)
	}
}
