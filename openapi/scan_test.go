package openapi_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// heldLog holds searches of one tenant until it is let go on.
type heldLog struct {
	domain.Log
	began chan struct{}
	goOn  chan struct{}
}

func (l heldLog) Scan(ctx context.Context, q domain.Query) ([]domain.Entry, *domain.Sequence, error) {
	if q.Tenant == "acme" && q.Kind != "" {
		l.began <- struct{}{}
		<-l.goOn
	}
	return l.Log.Scan(ctx, q)
}

// TestScans: a tenant has a share of the searches under way, so that others' searches, and its own other reads, go on.
func TestScans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const share, callers = 2, 10
	log := heldLog{f.log, make(chan struct{}, callers), make(chan struct{})}
	f.server.Log = log
	f.useServer()
	admins := []string{f.key("acme", domain.RoleAdmin), f.key("acme", domain.RoleAuditor)}
	var group sync.WaitGroup
	for i := range share {
		group.Go(func() {
			f.get(admins[i], "/v1/tenants/acme/log?kind=none.x").want(http.StatusOK)
		})
	}
	for range share {
		<-log.began
	}
	for _, path := range []string{"/log?kind=none.x", "/log?actor=01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f", "/skips"} {
		refused := f.get(f.operator, "/v1/tenants/acme"+path).problem(http.StatusTooManyRequests, "rate_limited")
		if refused.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	f.post(f.operator, "/v1/tenants/acme/route-previews", `{"event":{"type":"a","data":1}}`).
		problem(http.StatusTooManyRequests, "rate_limited")
	f.post(f.operator, "/v1/tenants/acme/filters/test", `{"event":{"type":"a","data":1}}`).
		problem(http.StatusTooManyRequests, "rate_limited")
	f.get(f.operator, "/v1/tenants/acme/event-types/a.b/guide").problem(http.StatusTooManyRequests, "rate_limited")
	f.get(f.operator, "/v1/tenants/acme/log").want(http.StatusOK)
	f.post(f.operator, "/v1/tenants/acme/events", `{"type":"a","data":1}`).want(http.StatusCreated)
	f.get(f.operator, "/v1/tenants/other/log?kind=none.x").want(http.StatusOK)
	close(log.goOn)
	group.Wait()
	f.get(f.operator, "/v1/tenants/acme/log?kind=none.x").want(http.StatusOK)
}
