package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

const registrations = "/v1/tenants/acme/registrations"

// registered makes a registration and returns its token; more is what the body has beside name and types.
func (f *fixture) registered(more string) string {
	f.t.Helper()
	return f.post(f.operator, registrations, `{"name":"warehouse","event_types":["offer.*","order.paid"]`+more+`}`).want(http.StatusCreated).text("token")
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	made := f.post(admin, registrations, `{"name":"warehouse","event_types":["offer.*"],"reason":"pilot"}`, "Idempotency-Key", "k").want(http.StatusCreated)
	token, path := made.text("token"), registrations+"/"+made.text("id")
	if made.Header.Get("Location") != path || made.text("link") != "/v1/tenants/acme/endpoints" || made.number("quota") != 1 || made.text("principal") != "warehouse" {
		t.Errorf("made %s", made.Body)
	}
	profiles := fmt.Sprint(made.value("profiles"))
	if strings.Contains(profiles, "coherent-spark") || !strings.Contains(profiles, "sparkfly") || !strings.Contains(profiles, "standard-webhooks") {
		t.Errorf("by default: %s", profiles)
	}
	again := f.post(admin, registrations, `{"name":"warehouse","event_types":["offer.*"],"reason":"pilot"}`, "Idempotency-Key", "k").want(http.StatusCreated)
	if again.text("id") != made.text("id") || strings.Contains(string(again.Body), token) {
		t.Errorf("repeated: %s", again.Body)
	}
	who := f.get(token, "/v1/whoami").want(http.StatusOK)
	if who.text("role") != "registrant" || who.text("key_id") != made.text("id") || fmt.Sprint(who.value("registration.event_types")) != "[offer.*]" || who.number("registration.quota") != 1 {
		t.Errorf("whoami %s", who.Body)
	}
	for _, shown := range []string{path, registrations, "/v1/tenants/acme/log", "/v1/tenants/acme/keys"} {
		if got := f.get(admin, shown).want(http.StatusOK); strings.Contains(string(got.Body), token) || strings.Contains(string(got.Body), `"hash"`) {
			t.Errorf("%s shows a token or its hash", shown)
		}
	}
	endpoint := f.post(token, made.text("link"), `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated)
	if who := f.get(endpoint.text("receiver_key"), "/v1/whoami").want(http.StatusOK); fmt.Sprint(who.value("event_types")) != "[offer.*]" || strings.Contains(string(who.Body), `"registration"`) {
		t.Errorf("the receiver is %s", who.Body)
	}
	f.get(admin, registrations+"/"+f.get(endpoint.text("receiver_key"), "/v1/whoami").text("key_id")).problem(http.StatusNotFound, "not_found")
	if got := f.get(admin, path).want(http.StatusOK); got.number("used") != 1 || got.Header.Get("ETag") != `"2"` {
		t.Errorf("after its use: %s", got.Body)
	}
	if got := f.get(admin, path+"?as_of_sequence="+made.Header.Get("Hooktrail-Sequence")).want(http.StatusOK); got.number("used") != 0 {
		t.Errorf("before its use: %s", got.Body)
	}
	f.do(admin, http.MethodDelete, path, "", "If-Match", `"1"`).problem(http.StatusPreconditionFailed, "precondition_failed")
	f.do(admin, http.MethodDelete, path+"?reason=over", "").want(http.StatusNoContent)
	f.get(token, "/v1/whoami").problem(http.StatusUnauthorized, "unauthorized")
	f.get(admin, path).problem(http.StatusNotFound, "not_found")
	f.get(endpoint.text("receiver_key"), "/v1/tenants/acme/endpoints/"+endpoint.text("id")).want(http.StatusOK) // what was made stays

	for body, field := range map[string]string{
		`"profiles":["sparkfly","nonesuch"]`: "body.profiles[1]", `"event_types":["a..b"]`: "body.event_types[0]", `"expires_at":"2001-01-01T00:00:00Z"`: "body.expires_at",
		`"quota":10001`: "body.quota", `"handshake":"hello"`: "body.handshake",
	} {
		if !strings.Contains(body, "event_types") {
			body += `,"event_types":["*"]`
		}
		f.post(admin, registrations, `{"name":"r",`+body+`}`).problem(http.StatusUnprocessableEntity, "validation_failed").names(field)
	}
}

// TestRegistration_List pages through registrations among many other keys.
func TestRegistration_List(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for n := range 5 {
		want = append(want, f.post(f.operator, registrations, fmt.Sprintf(`{"name":"r%d","event_types":["*"]}`, n)).want(http.StatusCreated).text("id"))
		f.key("acme", domain.RoleAuditor)
	}
	for _, order := range []string{"asc", "desc"} {
		var got []string
		target := registrations + "?limit=2&order=" + order
		for target != "" {
			var page struct {
				Items []struct{ ID string }
				Next  string
			}
			f.get(f.operator, target).want(http.StatusOK).into(&page)
			for _, item := range page.Items {
				got = append(got, item.ID)
			}
			if target = ""; page.Next != "" {
				target = registrations + "?limit=2&order=" + order + "&cursor=" + page.Next
			}
		}
		if order == "desc" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", order, got, want)
		}
	}
}

// TestRegistrant makes an endpoint with nothing but the token, and is held to the registration's bounds.
func TestRegistrant(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const endpoints = "/v1/tenants/acme/endpoints"
	token := f.registered(`,"quota":3,"https_only":true,"handshake":"ownership","profiles":["sparkfly","firespring"]`)
	before := f.head()
	for body, field := range map[string]string{
		`"url":"https://r.example/","profile":"coherent-spark","auth":{"type":"api_key","value":"v"}`: "body.profile",
		`"url":"https://r.example/","profile":"standard-webhooks"`:                                    "body.profile",
		`"url":"https://r.example/","profile":"nonesuch"`:                                             "body.profile",
		`"url":"http://r.example/"`:                                                                   "body.url",
		`"url":"https://r.example/","concurrency":33`:                                                 "body.concurrency",
		`"url":"https://r.example/","disable_after":"0s"`:                                             "body.disable_after",
		`"url":"https://r.example/","handshake":"cloudevents"`:                                        "body.handshake",
		`"url":"https://r.example/","event_types":["offer.issued","order.*"]`:                         "body.event_types[1]",
		`"url":"https://r.example/","event_types":["*"]`:                                              "body.event_types[0]",
		`"url":"https://r.example/","event_types":["hooktrail.delivery.dead"]`:                        "body.event_types[0]",
	} {
		f.post(token, endpoints, `{"name":"e",`+body+`}`).problem(http.StatusUnprocessableEntity, "validation_failed").names(field)
	}
	if f.head() != before || f.secrets.count() != 0 {
		t.Error("what was refused was appended or kept")
	}
	const body = `{"name":"e","url":"https://receiver.example/","event_types":["offer.issued"],"reason":"go"}`
	made := f.post(token, endpoints, body, "Idempotency-Key", "k").want(http.StatusCreated)
	if made.text("profile") != "firespring" && made.text("profile") != "sparkfly" || made.text("handshake") != "ownership" || made.value("verified") != false {
		t.Errorf("made %s", made.Body)
	}
	again := f.post(token, endpoints, body, "Idempotency-Key", "k").want(http.StatusCreated)
	if again.text("id") != made.text("id") || again.text("subscription_id") != made.text("subscription_id") || strings.Contains(string(again.Body), `"receiver_key"`) || strings.Contains(string(again.Body), `"signing_key"`) {
		t.Errorf("repeated: %s", again.Body)
	}
	if id := f.get(token, "/v1/whoami").text("key_id"); made.text("registration_id") != id {
		t.Errorf("made with %s, not %s", made.text("registration_id"), id)
	}
	second := f.post(token, endpoints, `{"name":"f","url":"https://receiver.example/","profile":"sparkfly"}`).want(http.StatusCreated)
	if second.text("signing_key") == "" || second.text("receiver_key") == made.text("receiver_key") {
		t.Errorf("the second: %s", second.Body)
	}
	admins := f.post(f.operator, endpoints, `{"name":"g","url":"https://receiver.example/","event_types":["*"]}`).want(http.StatusCreated)
	if strings.Contains(string(admins.Body), `"receiver_key"`) || admins.text("subscription_id") == "" {
		t.Errorf("an administrator's: %s", admins.Body)
	}
	if got, want := ids(f.get(token, endpoints).want(http.StatusOK)), fmt.Sprintf("%q,%q", made.text("id"), second.text("id")); got != want {
		t.Errorf("lists %s, want %s", got, want)
	}
	first := f.get(token, endpoints+"?limit=1&order=desc").want(http.StatusOK)
	if got, want := ids(first)+" "+ids(f.get(token, endpoints+"?limit=1&order=desc&cursor="+first.text("next")).want(http.StatusOK)), fmt.Sprintf("%q %q", second.text("id"), made.text("id")); got != want {
		t.Errorf("walks %s, want %s", got, want)
	}
	f.do(f.operator, http.MethodDelete, endpoints+"/"+second.text("id"), "").want(http.StatusNoContent)
	if got, want := ids(f.get(token, endpoints).want(http.StatusOK)), fmt.Sprintf("%q", made.text("id")); got != want {
		t.Errorf("after a deletion: %s, want %s", got, want)
	}
	f.post(token, endpoints, `{"name":"h","url":"https://receiver.example/"}`).want(http.StatusCreated)
	f.post(token, endpoints, `{"name":"i","url":"https://receiver.example/"}`).problem(http.StatusConflict, "quota_exhausted") // deleted ones count
	f.get(token, endpoints+"/"+made.text("id")).problem(http.StatusForbidden, "forbidden")
	f.post(token, "/v1/tenants/acme/subscriptions", `{}`).problem(http.StatusForbidden, "forbidden")
}

// TestRegistrant_Quota: of fifty at once as many make an endpoint as the quota lets, and no more.
func TestRegistrant_Quota(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.registered(`,"quota":10`)
	codes := make([]string, 50)
	var all sync.WaitGroup
	for n := range codes {
		all.Go(func() {
			got := f.post(token, "/v1/tenants/acme/endpoints", fmt.Sprintf(`{"name":"e%d","url":"https://receiver.example/","event_types":["offer.*"]}`, n))
			codes[n] = fmt.Sprint(got.Code)
			if got.Code != http.StatusCreated {
				codes[n] += " " + got.text("code")
			}
		})
	}
	all.Wait()
	count := make(map[string]int)
	for _, code := range codes {
		count[code]++
	}
	if count["201"] != 10 || count["409 quota_exhausted"] != 40 {
		t.Errorf("answered %v", count)
	}
	for kind, want := range map[string]int{"endpoint.created": 10, "key.created": 11, "registration.used": 10, "subscription.created": 10} {
		if items, _ := f.get(f.operator, "/v1/tenants/acme/log?limit=100&kind="+kind).want(http.StatusOK).value("items").([]any); len(items) != want {
			t.Errorf("%d entries of %s, want %d", len(items), kind, want)
		}
	}
	if n := f.secrets.count(); n != 10 {
		t.Errorf("%d secrets are kept", n)
	}
}

// TestRegistrant_OtherProcess: another process uses the registration between a decision and its append. It is decided again,
// and the secrets of the first decision are gone.
func TestRegistrant_OtherProcess(t *testing.T) {
	t.Parallel()
	for quota, code := range map[int]int{1: http.StatusConflict, 2: http.StatusCreated} {
		f := newFixture(t)
		other := f.handler
		token := f.registered(fmt.Sprintf(`,"quota":%d`, quota))
		const body = `{"name":"e","url":"https://receiver.example/","profile":"sparkfly"}`
		used := false
		f.server.Vault = interruptedVault{f.secrets, func() {
			if !used {
				used = true
				here := f.handler
				f.handler = other
				f.post(token, "/v1/tenants/acme/endpoints", body).want(http.StatusCreated)
				f.handler = here
			}
		}}
		f.useServer()
		if got := f.post(token, "/v1/tenants/acme/endpoints", body); got.Code != code || code == http.StatusConflict && got.text("code") != "quota_exhausted" {
			t.Errorf("quota %d: status %d %s", quota, got.Code, got.Body)
		}
		if got := f.get(token, "/v1/whoami").want(http.StatusOK); got.number("registration.used") != quota || f.secrets.count() != quota {
			t.Errorf("quota %d: %s, %d secrets", quota, got.Body, f.secrets.count())
		}
	}
}

// TestRegistrant_Expired: an expired token opens nothing.
func TestRegistrant_Expired(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := time.Now()
	f.server.Clock = func() time.Time { return at }
	f.useServer()
	token := f.registered(`,"expires_at":"` + at.Add(time.Hour).UTC().Format(time.RFC3339) + `"`)
	f.get(token, "/v1/whoami").want(http.StatusOK)
	at = at.Add(2 * time.Hour)
	f.post(token, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).problem(http.StatusUnauthorized, "unauthorized")
}

// TestRegistrant_TenantRules: a tenant's own rules hold for receivers that set up themselves.
func TestRegistrant_TenantRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.registered(`,"quota":5,"profiles":["stashfin","coherent-spark","standard-webhooks"]`)
	made := f.post(token, "/v1/tenants/acme/endpoints", `{"name":"e","url":"http://receiver.example/"}`).want(http.StatusCreated)
	f.post(token, "/v1/tenants/acme/endpoints", `{"name":"e","url":"http://receiver.example/","profile":"stashfin"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	f.post(token, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/","profile":"coherent-spark","auth":{"type":"api_key","value":"v"}}`).want(http.StatusCreated) // named by an admin
	f.patch(f.operator, "/v1/tenants/acme", `{"https_only":true}`).want(http.StatusOK)
	f.post(made.text("receiver_key"), "/v1/tenants/acme/endpoints/"+made.text("id")+"/test", "").problem(http.StatusConflict, "https_only")
	f.patch(f.operator, "/v1/tenants/acme", `{"webhooks_enabled":false}`).want(http.StatusOK)
	f.post(token, "/v1/tenants/acme/endpoints", `{"name":"e","url":"http://receiver.example/"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	receiver, path := made.text("receiver_key"), "/v1/tenants/acme/endpoints/"+made.text("id")
	f.patch(receiver, path, `{"url":"http://other.example/"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	f.patch(receiver, path, `{"url":"https://other.example/"}`).want(http.StatusOK)
	f.post(receiver, path+"/test", "").problem(http.StatusConflict, "webhooks_off")
	f.patch(receiver, "/v1/tenants/acme", `{"https_only":false}`).problem(http.StatusForbidden, "forbidden")
}

// interruptedVault does something before it stores a secret.
type interruptedVault struct {
	*secrets
	before func()
}

// PutSecret implements openapi.Vault.
func (v interruptedVault) PutSecret(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string, value []byte) error {
	v.before()
	return v.secrets.PutSecret(ctx, tenant, id, purpose, value)
}
