package openapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestCursor_Authenticated: a cursor is one that the instance made, and never of a later state than the log has.
func TestCursor_Authenticated(t *testing.T) {
	t.Parallel()
	const tenant = "/v1/tenants/acme"
	long, short := newFixture(t), newFixture(t) // short is an older copy of the same instance
	for _, f := range []*fixture{long, short} {
		f.server.CursorKey = []byte("the instance's")
		f.useServer()
	}
	for n := range 3 {
		long.event("acme", fmt.Sprint(n))
		long.post(long.operator, tenant+"/endpoints", fmt.Sprintf(`{"name":"n%d","url":"https://receiver.example/"}`, n)).want(http.StatusCreated)
		long.key("acme", domain.RoleAuditor)
	}
	stranger := newFixture(t)
	for _, list := range []string{"log", "events", "endpoints", "keys"} {
		path := tenant + "/" + list + "?limit=1"
		next := path + "&cursor=" + long.get(long.operator, path).want(http.StatusOK).text("next")
		long.get(long.operator, next).want(http.StatusOK)
		stranger.get(stranger.operator, next).problem(http.StatusBadRequest, "invalid_cursor").names("query.cursor")
		for i := len(path + "&cursor="); i < len(next); i++ {
			tampered := []byte(next)
			tampered[i] ^= 'A' ^ 'B'
			if got := long.get(long.operator, string(tampered)); got.Code != http.StatusBadRequest {
				t.Fatalf("%s with its character %d changed: %d %s", next, i, got.Code, got.Body)
			}
		}
		short.get(short.operator, next).problem(http.StatusBadRequest, "invalid_cursor").names("query.cursor")
	}
}
