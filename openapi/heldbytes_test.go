package openapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestBudget_Singles: what previews, tests of filters, guides and single entries hold counts against the budget too.
func TestBudget_Singles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	const tenant = "/v1/tenants/acme"
	f.put(f.operator, tenant+"/event-types/a.b", `{}`).want(http.StatusCreated)
	f.event("acme", "1")
	var drafts []domain.Draft
	for n := range 40 {
		drafts = append(drafts, domain.Draft{
			Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: domain.NewUUID()},
			Fact: &domain.EndpointCreated{Endpoint: domain.EndpointConfig{Name: fmt.Sprint(n), URL: "https://receiver.example/", Profile: "sparkfly", Concurrency: 1}},
		})
	}
	f.append(drafts...)
	calls := map[string]func() answer{
		"a preview": func() answer {
			return f.post(f.operator, tenant+"/route-previews", `{"event":{"type":"a.b","data":1}}`)
		},
		"a filter's test": func() answer { return f.post(f.operator, tenant+"/filters/test", `{}`) },
		"a guide":         func() answer { return f.get(f.operator, tenant+"/event-types/a.b/guide") },
		"an entry":        func() answer { return f.get(f.operator, tenant+"/log/1") },
		"an event":        func() answer { return f.get(f.operator, tenant+"/events/1") },
	}
	for _, held := range []int{128 << 10, 64 << 20} {
		f.server.Limits.HeldBytes = held
		f.useServer()
		for name, call := range calls {
			got := call()
			if held > 1<<20 {
				if got.Code != http.StatusOK {
					t.Errorf("%s: %d %s", name, got.Code, got.Body)
				}
				continue
			}
			got.problem(http.StatusServiceUnavailable, "busy")
			if got.Header.Get("Retry-After") == "" || !strings.Contains(got.text("detail"), "memory") {
				t.Errorf("%s: %v %s", name, got.Header, got.Body)
			}
		}
	}
}
