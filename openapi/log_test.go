package openapi_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestLog_BoundedSteps: a query that matches next to nothing in a long log is answered in steps, each with a cursor, although
// nothing was found yet.
func TestLog_BoundedSteps(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const group = 100
	for range domain.MaxExamined/group + 1 {
		drafts := make([]domain.Draft, group)
		for i := range drafts {
			drafts[i] = domain.Draft{
				Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
				Fact: &domain.EventAppended{Data: []byte(`1`), Routing: domain.Routing{Complete: true}},
			}
		}
		f.append(drafts...)
	}
	for order, want := range map[string][]int{"asc": {1, 0}, "desc": {0, 1}} { // tenant.created is the first entry
		path := "/v1/tenants/acme/log?kind=tenant.*&order=" + order
		for step, items := range want {
			var page struct {
				Items []struct{ Sequence int64 }
				Next  *string
			}
			f.get(f.operator, path).want(http.StatusOK).into(&page)
			if len(page.Items) != items || (page.Next == nil) != (step == len(want)-1) {
				t.Fatalf("%s, step %d: %d items, next %v", order, step, len(page.Items), page.Next)
			}
			if page.Next != nil {
				path = "/v1/tenants/acme/log?kind=tenant.*&order=" + order + "&cursor=" + url.QueryEscape(*page.Next)
			}
		}
	}
}
