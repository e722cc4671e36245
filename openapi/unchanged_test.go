package openapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// changeables are one of each thing that a PATCH or a PUT changes, with what leaves it as it is and what doesn't.
type changeable struct{ path, same, other string }

func (f *fixture) changeables(admin string) []changeable {
	const tenant = "/v1/tenants/acme"
	endpoint := tenant + "/endpoints/" + f.post(admin, tenant+"/endpoints", `{"name":"a","url":"https://receiver.example/in?token=s3cret",
		"headers":{"X-Team":"billing"},"auth":{"type":"bearer","token":"t0ken"},"metadata":{"team":"billing"}}`).want(http.StatusCreated).text("id")
	id := endpoint[len(tenant+"/endpoints/"):]
	subscription := tenant + "/subscriptions/" + f.post(admin, tenant+"/subscriptions",
		fmt.Sprintf(`{"endpoint_id":%q,"event_types":["a.*"]}`, id)).want(http.StatusCreated).text("id")
	f.put(admin, tenant+"/event-types/a.b", `{"description":"as it is"}`).want(http.StatusCreated)
	return []changeable{
		{tenant, `{"name":"acme","https_only":false,"schema_validation":null}`, `{"name":"Acme Ltd"}`},
		{endpoint, `{"name":"a","url":"https://receiver.example/in?token=s3cret","headers":{"x-team":"billing"},
			"auth":{"token":"t0ken"},"metadata":{"team":"billing","gone":null},"concurrency":null,"reason":"none"}`, `{"name":"b"}`},
		{subscription, `{"event_types":["a.*"],"filter":null}`, `{"event_types":["b.*"]}`},
		{tenant + "/event-types/a.b", `{"description":"as it is"}`, `{"description":"changed"}`},
	}
}

// change sends a PATCH, or a PUT where there is none.
func (f *fixture) change(key string, c changeable, body string, header ...string) answer {
	f.t.Helper()
	if f.patch(key, c.path, `{}`).Code == http.StatusMethodNotAllowed {
		return f.put(key, c.path, body, header...)
	}
	return f.patch(key, c.path, body, header...)
}

// TestChange_Unchanged: a change to what is there already appends nothing and stores no secret.
func TestChange_Unchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	for _, c := range f.changeables(admin) {
		before := f.get(admin, c.path).want(http.StatusOK)
		head, secrets := f.head(), f.secrets.count()
		for _, body := range []string{`{}`, c.same} {
			if c.path == "/v1/tenants/acme/event-types/a.b" {
				body = c.same
			}
			same := f.change(admin, c, body).want(http.StatusOK)
			if tag := before.Header.Get("ETag"); same.Header.Get("ETag") != tag || tag == "" {
				t.Errorf("%s: ETag %q, was %q", c.path, same.Header.Get("ETag"), tag)
			}
		}
		if f.head() != head || f.secrets.count() != secrets {
			t.Errorf("%s: entries up to %d, were %d; %d secrets, were %d", c.path, f.head(), head, f.secrets.count(), secrets)
		}
		f.change(admin, c, c.same, "If-Match", `"99"`).problem(http.StatusPreconditionFailed, "precondition_failed")
		changed := f.change(admin, c, c.other).want(http.StatusOK)
		if changed.Header.Get("ETag") == before.Header.Get("ETag") || f.head() == head {
			t.Errorf("%s: a change changes nothing", c.path)
		}
	}
}

// TestConditional: what a client has isn't sent again, and a PUT can be bound to there being nothing.
func TestConditional(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	for _, c := range f.changeables(admin) {
		tag := f.get(admin, c.path).want(http.StatusOK).Header.Get("ETag")
		for _, known := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
			same := f.get(admin, c.path, "If-None-Match", known).want(http.StatusNotModified)
			if len(same.Body) > 0 || same.Header.Get("ETag") != tag || same.Header.Get("Hooktrail-Sequence") == "" {
				t.Errorf("%s: 304 with %q, %v", c.path, same.Body, same.Header)
			}
		}
		f.get(admin, c.path, "If-None-Match", `"99"`).want(http.StatusOK)
		f.get("", c.path, "If-None-Match", tag).want(http.StatusUnauthorized)
	}
	const name = "/v1/tenants/acme/event-types/c.d"
	f.put(admin, name, `{}`, "If-None-Match", "*").want(http.StatusCreated)
	head := f.head()
	f.put(admin, name, `{"description":"x"}`, "If-None-Match", "*").problem(http.StatusPreconditionFailed, "precondition_failed").names("header.If-None-Match")
	f.put(admin, name, `{}`, "If-None-Match", "*").want(http.StatusPreconditionFailed)
	f.put(admin, name, `{"description":"x"}`, "If-None-Match", `"1"`).want(http.StatusPreconditionFailed)
	if f.head() != head {
		t.Error("a refused PUT appends")
	}
	f.put(admin, name, `{"description":"x"}`, "If-None-Match", `"7"`).want(http.StatusOK)
}

// TestChange_Concurrent: changes without a precondition are decided again until each has its turn.
func TestChange_Concurrent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	for _, c := range f.changeables(admin) {
		var all sync.WaitGroup
		for n := range 50 {
			member := map[bool]string{true: "description", false: "name"}[c.same == `{"description":"as it is"}`]
			body := fmt.Sprintf(`{%q:"n%d"}`, member, n)
			if member == "name" && c.other == `{"event_types":["b.*"]}` {
				body = fmt.Sprintf(`{"event_types":["n%d.*"]}`, n)
			}
			all.Go(func() {
				if a := f.change(admin, c, body); a.Code != http.StatusOK {
					t.Errorf("%s: %d %s", c.path, a.Code, a.Body)
				}
			})
		}
		all.Wait()
	}
}
