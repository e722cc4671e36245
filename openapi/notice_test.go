package openapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestNotice: who subscribed to operational events is told, in the commit of the change itself, and nobody else is.
func TestNotice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	endpoint := func(name string) string {
		body := fmt.Sprintf(`{"name":%q,"url":"https://receiver.example/"}`, name)
		return f.post(admin, "/v1/tenants/acme/endpoints", body).want(http.StatusCreated).text("id")
	}
	notices := func() []string {
		var page struct {
			Items []struct {
				Data struct {
					Class    struct{ Type, About string }
					Identity struct{ Source string }
					Data     json.RawMessage
				}
			}
		}
		f.get(admin, "/v1/tenants/acme/log?kind=event.appended").want(http.StatusOK).into(&page)
		var texts []string
		for _, item := range page.Items {
			class := item.Data.Class
			texts = append(texts, fmt.Sprint(item.Data.Identity.Source, " ", class.Type, " of ", class.About, ": ", string(item.Data.Data)))
		}
		return texts
	}
	path := "/v1/tenants/acme/endpoints/"
	watched, watcher := endpoint("watched"), endpoint("watcher")
	f.post(admin, path+watched+"/pause", "").want(http.StatusOK)
	if got := notices(); len(got) > 0 {
		t.Fatalf("nobody asked, and there are %v", got)
	}
	subscription := fmt.Sprintf(`{"endpoint_id":%q,"event_types":["hooktrail.endpoint.*"]}`, watcher)
	f.post(admin, "/v1/tenants/acme/subscriptions", subscription).want(http.StatusCreated)
	f.post(admin, path+watched+"/resume", "", "Idempotency-Key", "once").want(http.StatusOK)
	f.post(admin, path+watched+"/resume", "", "Idempotency-Key", "once").want(http.StatusOK)
	f.post(admin, path+watched+"/pause", "").want(http.StatusOK)
	f.do(admin, http.MethodDelete, path+watched, "").want(http.StatusNoContent)
	var want []string
	for _, what := range []string{"resumed", "paused", "deleted"} {
		want = append(want, fmt.Sprintf(`/hooktrail hooktrail.endpoint.%s of %s: {"endpoint_id":%q}`, what, watched, watched))
	}
	if got := notices(); !slices.Equal(got, want) {
		t.Errorf("notices %q, want %q", got, want)
	}
}
