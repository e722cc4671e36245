package openapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestTenant_Limits: each limit refuses what would exceed it, names itself, and is an operator's to raise; what is deleted
// makes room.
func TestTenant_Limits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	admin := f.key("acme", domain.RoleAdmin)
	const tenant = "/v1/tenants/acme"
	endpoint := func(name string) answer {
		return f.post(admin, tenant+"/endpoints", fmt.Sprintf(`{"name":%q,"url":"https://receiver.example/%s"}`, name, name))
	}
	first := endpoint("a").want(http.StatusCreated).text("id")
	subscription := func(filter string) answer {
		return f.post(admin, tenant+"/subscriptions", fmt.Sprintf(`{"endpoint_id":%q,"event_types":["a.*"],"filter":%q}`, first, filter))
	}
	limited := func(a answer, name string) {
		t.Helper()
		var problem struct{ Code, Detail string }
		if err := json.Unmarshal(a.want(http.StatusConflict).Body, &problem); err != nil {
			t.Fatal(err)
		}
		if want := "The tenant's limit of " + name + ","; problem.Code != "limit_reached" || len(problem.Detail) < len(want) || problem.Detail[:len(want)] != want {
			t.Errorf("refused with %+v, want limit_reached that names %s", problem, name)
		}
	}
	limit := func(limits string) answer { return f.patch(f.operator, tenant, `{"limits":`+limits+`}`) }

	f.patch(admin, tenant, `{"limits":{"endpoints":9}}`).want(http.StatusForbidden)
	limit(`{"endpoints":0}`).want(http.StatusUnprocessableEntity)
	var shown struct{ Limits domain.TenantLimits }
	if err := json.Unmarshal(f.get(admin, tenant).want(http.StatusOK).Body, &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Limits != domain.DefaultLimits() {
		t.Errorf("the tenant shows %+v, want the defaults", shown.Limits)
	}

	limit(`{"endpoints":1,"subscriptions":2,"filter_bytes":20,"event_types":1,"keys":2}`).want(http.StatusOK)
	limited(endpoint("b"), "endpoints")
	f.do(admin, http.MethodDelete, tenant+"/endpoints/"+first, "").want(http.StatusNoContent)
	first = endpoint("c").want(http.StatusCreated).text("id")
	limited(endpoint("d"), "endpoints")

	limited(subscription("data.amount > 1000 || true"), "filter_bytes")
	short := subscription("data.a > 1").want(http.StatusCreated).text("id")
	limited(f.patch(admin, tenant+"/subscriptions/"+short, `{"filter":"data.amount > 1000 || true"}`), "filter_bytes")
	f.patch(admin, tenant+"/subscriptions/"+short, `{"filter":"data.a > 1000"}`).want(http.StatusOK)
	subscription("").want(http.StatusCreated)
	limited(subscription(""), "subscriptions")

	f.put(admin, tenant+"/event-types/a.b", `{}`).want(http.StatusCreated)
	f.put(admin, tenant+"/event-types/a.b", `{"description":"changed"}`).want(http.StatusOK)
	limited(f.put(admin, tenant+"/event-types/a.c", `{}`), "event_types")

	f.key("acme", domain.RoleProducer)
	limited(f.post(admin, tenant+"/keys", `{"role":"producer","name":"one more"}`), "keys")
	limited(f.post(admin, tenant+"/registrations", `{"name":"r","event_types":["a.*"],"profiles":["sparkfly"]}`), "keys")

	limit(`{"endpoints":2,"keys":null}`).want(http.StatusOK)
	endpoint("e").want(http.StatusCreated)
	f.key("acme", domain.RoleProducer)
	f.post(f.operator, "/v1/tenants/other/endpoints", `{"name":"a","url":"https://receiver.example/a"}`).want(http.StatusCreated)
}
