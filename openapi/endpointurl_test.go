package openapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestEndpoint_URLQuery: a URL's query and what in its path looks like a credential are kept as a secret and shown to nobody;
// the URL as it is shown can be sent back, and a placeholder never takes a value's place.
func TestEndpoint_URLQuery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	const query, hidden = "/hooks?flag&empty=&k=" + secretValue + "&k=b%20c", "https://receiver.example/hooks?[redacted]"
	made := f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example`+query+`"}`).want(http.StatusCreated)
	path := "/v1/tenants/acme/endpoints/" + made.text("id")
	shown := func(want string, kept ...string) {
		t.Helper()
		for _, key := range []string{admin, f.operator} {
			if got := f.get(key, path).want(http.StatusOK).text("url"); got != want {
				t.Errorf("shown as %s, want %s", got, want)
			}
		}
		var queries []string
		for _, secret := range f.secrets.kept {
			if strings.HasPrefix(secret, "/") {
				queries = append(queries, secret)
			}
		}
		slices.Sort(queries)
		if !slices.Equal(queries, kept) {
			t.Errorf("the queries %v are kept, want %v", queries, kept)
		}
	}
	shown(hidden, query)
	f.patch(admin, path, `{"name":"renamed","url":"`+hidden+`"}`).want(http.StatusOK)
	shown(hidden, query)
	f.patch(admin, path, `{"url":"`+strings.Replace(hidden, "hooks", "other", 1)+`"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/?k=[redacted]"}`).
		problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	shown(hidden, query)
	f.patch(admin, path, `{"url":"https://receiver.example/?k=new"}`).want(http.StatusOK)
	shown("https://receiver.example/?[redacted]", "/?k=new", query) // the old one until nothing can need it
	f.patch(admin, path, `{"url":"https://receiver.example/?flag"}`).want(http.StatusOK)
	shown("https://receiver.example/?[redacted]", "/?flag", "/?k=new", query)
	f.patch(admin, path, `{"url":"https://receiver.example/plain/v2"}`).want(http.StatusOK)
	shown("https://receiver.example/plain/v2", "/?flag", "/?k=new", query)

	const segment = "aB3dE5fG7hI9jK1lM3nO5pQ7"
	f.patch(admin, path, `{"url":"https://receiver.example/services/T0AB1CD2E/`+segment+`"}`).want(http.StatusOK)
	shown("https://receiver.example/services/T0AB1CD2E/[redacted]", "/?flag", "/?k=new", query, "/services/T0AB1CD2E/"+segment)
	head := f.head()
	f.patch(admin, path, `{"url":"https://receiver.example/services/T0AB1CD2E/`+segment+`"}`).want(http.StatusOK)
	f.patch(admin, path, `{"url":"https://receiver.example/services/T0AB1CD2E/[redacted]"}`).want(http.StatusOK)
	if f.head() != head {
		t.Error("the URL as it is changes something")
	}
	f.patch(admin, path, `{"url":"https://receiver.example/services/T9/[redacted]"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
	for _, shown := range []string{path, "/v1/tenants/acme/log?limit=1000", "/v1/tenants/acme/endpoints"} {
		if got := f.get(admin, shown).want(http.StatusOK); strings.Contains(string(got.Body), segment) || strings.Contains(string(got.Body), secretValue) {
			t.Errorf("%s shows a secret of the URL", shown)
		}
	}
	f.do(admin, http.MethodDelete, path, "").want(http.StatusNoContent)
}
