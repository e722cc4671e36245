package openapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestEndpoint_URLQuery: values in a URL's query are kept as a secret and shown to nobody; the URL as it is shown can be sent
// back, and a placeholder never takes a value's place.
func TestEndpoint_URLQuery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	const query, hidden = "flag&empty=&k=" + secretValue + "&k=b%20c", "https://receiver.example/hooks?flag&empty=&k=%5Bredacted%5D&k=%5Bredacted%5D"
	made := f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/hooks?`+query+`"}`).want(http.StatusCreated)
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
			if strings.Contains(secret, "k=") && !strings.HasPrefix(secret, "whsec_") {
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
	shown("https://receiver.example/?k=%5Bredacted%5D", query, "k=new") // the old one until nothing can need it
	f.patch(admin, path, `{"url":"https://receiver.example/?flag"}`).want(http.StatusOK)
	shown("https://receiver.example/?flag", query, "k=new")
}
