package openapi_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// hopsOf is what the log has of how many webhooks led to an event.
func (f *fixture) hopsOf(tenant domain.TenantID, n int64) int {
	f.t.Helper()
	from, to := domain.Sequence(n), domain.Sequence(n+1)
	entries, err := domain.Select(f.t.Context(), f.log, domain.Query{Tenant: tenant, From: &from, To: &to, Limit: 1})
	if err != nil || len(entries) != 1 {
		f.t.Fatal(entries, err)
	}
	return entries[0].Fact.(*domain.EventAppended).Event.Hops
}

// TestHops: what a request with the header appends inherits it, in every operation and form that appends events; a
// header that is none is refused before anything is appended.
func TestHops(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := strings.TrimPrefix(f.endpoint(""), "/v1/tenants/acme/")
	const event = `{"type":"a.b","data":1}`
	const cloud = `{"specversion":"1.0","id":"a","source":"/s","type":"a.b","data":1}`
	for _, c := range []struct{ path, contentType, body string }{
		{"events", "application/json", event},
		{"events", "application/cloudevents+json", cloud},
		{"events/batch", "application/json", `{"events":[` + event + `]}`},
		{"events/batch", "application/x-ndjson", event},
		{"events/batch", "application/cloudevents-batch+json", `[` + cloud + `]`},
		{endpoint + "/test", "application/json", `{}`},
	} {
		path := "/v1/tenants/acme/" + c.path
		for _, hops := range []string{"-1", "1.5", "one", "1, 2", " ", "0x1"} {
			f.post(f.operator, path, c.body, "Content-Type", c.contentType, domain.HeaderHops, hops).
				problem(http.StatusBadRequest, "invalid_hops").names("header.Hooktrail-Hops")
		}
		got := f.post(f.operator, path, c.body, "Content-Type", c.contentType, domain.HeaderHops, "2")
		n, err := strconv.ParseInt(got.Header.Get("Hooktrail-Sequence"), 10, 64)
		if err != nil {
			t.Fatalf("%s: %d %s", c.path, got.Code, got.Body)
		}
		if got.Code == http.StatusOK {
			continue // the CloudEvent again
		}
		if hops := f.hopsOf("acme", n); hops != 2 {
			t.Errorf("%s as %s: %d webhooks, want 2", c.path, c.contentType, hops)
		}
	}
}

// TestHops_instances: two instances that send each other what they get come to an end.
func TestHops_instances(t *testing.T) {
	t.Parallel()
	instances := [2]*fixture{newFixture(t), newFixture(t)}
	event := domain.EventAttributes{}
	webhooks := 0
	for ; !event.Loops(); webhooks++ {
		if webhooks > 10 {
			t.Fatal("the chain doesn't end")
		}
		f := instances[webhooks%2]
		got := f.post(f.operator, "/v1/tenants/acme/events", `{"type":"a.b","data":1}`, domain.HeaderHops, domain.FormatHops(event.Hops)).
			want(http.StatusCreated)
		event.Hops = f.hopsOf("acme", int64(got.value("sequence").(float64)))
	}
	if webhooks != domain.MaxHops+1 {
		t.Errorf("the chain has %d webhooks, want %d", webhooks, domain.MaxHops+1)
	}
}
