package openapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestKey_OfDeletedEndpoint: a receiver's key opens nothing once its endpoint is gone, and nothing that belonged to the
// endpoint counts against the tenant's limits.
func TestKey_OfDeletedEndpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	const tenant = "/v1/tenants/acme"
	admin := f.key("acme", domain.RoleAdmin)
	f.patch(f.operator, tenant, `{"limits":{"endpoints":1,"subscriptions":1,"filter_bytes":10,"keys":2}}`).want(http.StatusOK)
	for range 3 {
		id := f.post(admin, tenant+"/endpoints", `{"name":"a","url":"https://receiver.example/a"}`).want(http.StatusCreated).text("id")
		f.post(admin, tenant+"/subscriptions", fmt.Sprintf(`{"endpoint_id":%q,"event_types":["a.*"],"filter":"data.a > 1"}`, id)).want(http.StatusCreated)
		key := f.key("acme", domain.RoleReceiver, fmt.Sprintf(`,"endpoint_id":%q`, id))
		f.get(key, "/v1/whoami").want(http.StatusOK)
		f.post(admin, tenant+"/keys", `{"role":"producer","name":"one more"}`).problem(http.StatusConflict, "limit_reached")
		f.do(admin, http.MethodDelete, tenant+"/endpoints/"+id, "").want(http.StatusNoContent)
		for _, path := range []string{"/v1/whoami", tenant + "/deliveries", tenant + "/events", tenant + "/endpoints/" + id} {
			f.get(key, path).problem(http.StatusUnauthorized, "unauthorized")
		}
	}
}

// TestKey_WaitsEnd: what waits or tails under a key ends soon after the key opens nothing any more, for whatever reason.
func TestKey_WaitsEnd(t *testing.T) {
	t.Parallel()
	const tenant = "/v1/tenants/acme"
	for name, end := range map[string]func(f *fixture, id string){
		"revoked": func(f *fixture, id string) {
			f.do(f.operator, http.MethodDelete, tenant+"/keys/"+id, "").want(http.StatusNoContent)
		},
		"expired": func(*fixture, string) { time.Sleep(time.Minute) },
		"tenant deleted": func(f *fixture, _ string) {
			f.do(f.operator, http.MethodDelete, tenant, "").want(http.StatusNoContent)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.server.Clock = time.Now
				f.useServer()
				expiry := time.Now().Add(10 * time.Second)
				if name != "expired" {
					expiry = expiry.Add(time.Hour)
				}
				key := f.post(f.operator, tenant+"/keys", fmt.Sprintf(`{"role":"auditor","name":"a","expires_at":%q}`, domain.FormatTime(expiry))).want(http.StatusCreated)
				paths := []string{
					tenant + "/log/tail", tenant + "/log/tail?kind=none.x", tenant + "/log?min_sequence=999", tenant + "/log/1?min_sequence=999",
					tenant + "/events?min_sequence=999", tenant + "/endpoints?min_sequence=999", tenant + "/deliveries?min_sequence=999",
					tenant + "?min_sequence=999",
				}
				answers := make(chan answer)
				for _, path := range paths {
					go func() {
						r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
						r.Header.Set("Authorization", "Bearer "+key.text("key"))
						r.Header.Set("Prefer", "wait=30")
						w := httptest.NewRecorder()
						f.handler.ServeHTTP(w, r)
						answers <- answer{t: t, Code: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
					}()
				}
				time.Sleep(8 * time.Second)
				select {
				case a := <-answers:
					t.Fatalf("%d %s", a.Code, a.Body)
				default:
				}
				begin := time.Now()
				ended := make(chan struct{})
				go func() { end(f, key.text("id")); close(ended) }()
				tails := 0
				for range paths {
					a := <-answers
					if a.Code == http.StatusOK {
						tails++
						continue
					}
					a.problem(http.StatusUnauthorized, "unauthorized")
				}
				if took := time.Since(begin); tails != 2 || took > 5*time.Second {
					t.Errorf("%d tails; all ended after %s", tails, took)
				}
				<-ended
			})
		})
	}
}
