package openapi_test

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

func TestGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const example = `{ "amount":12.50,"note":"<b>&amp;</b>" }`
	f.put(f.operator, typePath, `{"description":"An offer went out.","schema":`+amounts+`,"examples":[`+example+`,{"amount":1}]}`).want(http.StatusCreated)
	endpoint := func(profile string) string {
		return f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/hooks?token=t0ps3cret","profile":"`+profile+`","event_types":["offer.*"]}`).want(http.StatusCreated).text("id")
	}
	mine, other := endpoint("sparkbox"), endpoint("stashfin")
	admin, receiver := f.key("acme", domain.RoleAdmin), f.key("acme", domain.RoleReceiver, `,"endpoint_id":"`+mine+`"`)
	page := func(key, query string, holds ...string) answer {
		t.Helper()
		got := f.get(key, typePath+"/guide"+query).want(http.StatusOK)
		text := html.UnescapeString(string(got.Body))
		for _, want := range append(holds, example, "offer.issued") {
			if !strings.Contains(text, want) {
				t.Errorf("%s holds no %s", query, want)
			}
		}
		if strings.Contains(text, "t0ps3cret") {
			t.Errorf("%s shows the query of the endpoint's URL", query)
		}
		return got
	}
	got := page(admin, "", "webhook-signature")
	policy := got.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
		got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Hooktrail-Sequence") == "" {
		t.Errorf("header %v", got.Header)
	}
	if strings.Contains(string(got.Body), "<script") || strings.Contains(string(got.Body), "<b>&amp;") {
		t.Error("the page holds what stood in the example as HTML")
	}
	page(admin, "?profile=firespring", "date_created")
	page(admin, "?endpoint_id="+other, other)
	page(receiver, "", mine, "X-Sparkbox-Signature")
	page(receiver, "?profile=sparkfly", "x-hmac-sha256-signature")
	f.get(receiver, typePath+"/guide?endpoint_id="+other).problem(http.StatusNotFound, "not_found")
	registrant := f.key("acme", domain.RoleRegistrant)
	page(registrant, "", "webhook-signature")
	f.get(registrant, typePath+"/guide?endpoint_id="+other).problem(http.StatusNotFound, "not_found")

	f.get(admin, "/v1/tenants/acme/event-types/never.registered/guide").problem(http.StatusNotFound, "not_found")
	f.get(admin, typePath+"/guide?as_of_sequence=0").problem(http.StatusNotFound, "not_found")
	f.get(admin, typePath+"/guide?profile=none").problem(http.StatusNotFound, "not_found").names("query.profile")
	f.get(admin, typePath+"/guide?profile=sparkfly&endpoint_id="+mine).problem(http.StatusUnprocessableEntity, "validation_failed").names("query.profile")
	f.put(f.operator, "/v1/tenants/acme/event-types/a.b", `{"examples":[{"FolderName":[]}]}`).want(http.StatusCreated)
	f.get(admin, "/v1/tenants/acme/event-types/a.b/guide?profile=coherent-spark").problem(http.StatusUnprocessableEntity, "validation_failed").names("query.profile")
}

// TestGuide_unknownProfile: an older program doesn't know a format that a newer one took.
func TestGuide_unknownProfile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(f.operator, typePath, `{"description":"An offer went out.","schema":true}`).want(http.StatusCreated)
	endpoint := f.endpoint("")
	f.server.Profiles = forgetful{f.server.Profiles}
	f.useServer()
	f.get(f.operator, typePath+"/guide?endpoint_id="+endpoint[strings.LastIndexByte(endpoint, '/')+1:]).problem(http.StatusConflict, "unknown_profile")
}

// forgetful profiles know no version of those that there are.
type forgetful struct{ openapi.Profiles }

// ByDigest implements openapi.Profiles.
func (forgetful) ByDigest(string) (domain.Profile, bool) { return domain.Profile{}, false }
