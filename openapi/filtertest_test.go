package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/filter"
	"github.com/hooktrail/hooktrail/domain"
)

// withFilters has the server take filters, as the program does.
func (f *fixture) withFilters() {
	f.t.Helper()
	filters, err := filter.New()
	if err != nil {
		f.t.Fatal(err)
	}
	f.server.Filters, f.server.Previewer = filters, dispatch.Previewer{Filter: filters.Lazy}
	f.useServer()
}

// tried is what a test of a filter answered, in one line.
func tried(a answer) string {
	a.t.Helper()
	var out struct {
		Matched    int
		NotMatched int `json:"not_matched"`
		Failed     int
		Items      []struct {
			EventID  string `json:"event_id"`
			Sequence int
			Type     string
			Outcome  string
			Error    string
		}
	}
	a.want(http.StatusOK).into(&out)
	line := fmt.Sprintf("%d/%d/%d", out.Matched, out.NotMatched, out.Failed)
	for _, item := range out.Items {
		line += fmt.Sprintf(" %s:%s", item.EventID, item.Outcome)
		if item.Outcome == "failed" {
			line += "(" + item.Error + ")"
		}
	}
	return line
}

// TestFilterTest tries filters on the tenant's events and appends nothing.
func TestFilterTest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	var at []string
	for n, event := range []string{
		`{"id":"a","type":"offer.issued","data":{"amount":1}}`, `{"id":"b","type":"offer.issued","data":{"amount":20}}`,
		`{"id":"c","type":"order.placed","data":{"amount":30,"note":"` + secretValue + `"}}`,
		`{"id":"d","type":"offer.issued","subject":"gone","data":{"amount":40}}`,
		`{"id":"e","type":"offer.revoked","source":"/s","data":null}`,
	} {
		made := f.post(f.operator, "/v1/tenants/acme/events", event).want(http.StatusCreated)
		at = append(at, made.text("recorded_at"))
		if n == 4 {
			f.settle()
		}
	}
	f.post(f.operator, "/v1/tenants/other/events", `{"id":"foreign","type":"offer.issued","data":1}`).want(http.StatusCreated)
	f.append(domain.Draft{
		Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
		Fact: &domain.EventAppended{Event: domain.EventAttributes{
			EventClass:    domain.EventClass{Type: "offer.issued", SchemaVersion: "v1", Test: &domain.TestTarget{Endpoint: domain.NewUUID()}},
			EventIdentity: domain.EventIdentity{ID: "sample", Source: "/s"},
		}, Data: []byte("1")},
	})
	uuid := f.get(f.operator, "/v1/tenants/acme/events?id=e&source=/s").want(http.StatusOK).text("items.0.uuid")
	f.log.Erase("acme", "gone")
	before := f.head()
	admin := f.key("acme", domain.RoleAdmin)
	failed := ":failed(line 1, column 5: no such key)"
	for _, c := range []struct{ body, want string }{
		{`{}`, "4/0/0 " + uuid + ":matched c:matched b:matched a:matched"},
		{`{"filter":"data.amount > 10"}`, "2/1/1 " + uuid + failed + " c:matched b:matched a:did_not_match"},
		{`{"filter":"data.amount > 10","event_types":["offer.issued"]}`, "1/1/0 b:matched a:did_not_match"},
		{`{"event_types":["offer.*"],"limit":3}`, "2/0/0 " + uuid + ":matched b:matched"},
		{`{"event_types":["nothing.*"]}`, "0/0/0"},
		{`{"filter":"type.startsWith('order')","limit":1}`, "0/1/0 " + uuid + ":did_not_match"},
		{`{"from":"` + at[1] + `","to":"` + at[4] + `"}`, "2/0/0 c:matched b:matched"},
		{`{"filter":"data.note == 'x'","event_types":["order.placed"]}`, "0/1/0 c:did_not_match"},
		{`{"filter":"data.amount > 10","event":{"type":"a.b","data":{"amount":10.5}}}`, "1/0/0 :matched"},
		{`{"filter":"data.amount > 10","event":{"id":"x","type":"a.b","data":{"amount":1}}}`, "0/1/0 x:did_not_match"},
		{`{"filter":"data.amount > 10","event":{"id":"x","type":"a.b","data":{"a":"` + secretValue + `"}}}`, "0/0/1 x" + failed},
		{`{"filter":"data.amount > 10","event_types":["b.*"],"event":{"id":"x","type":"a.b","data":{}}}`, "0/1/0 x:other_type"},
		{`{"filter":"id.matches('^[0-9a-f-]{36}$') && schema_version == 'v1'","event":{"type":"a.b","data":1}}`, "1/0/0 :matched"},
		{`{"filter":"occurred_at > timestamp('2026-01-01T00:00:00Z')","event":{"type":"a.b","data":1}}`, "1/0/0 :matched"},
		{`{"filter":"occurred_at > timestamp('2026-01-01T00:00:00Z')","limit":1}`, "1/0/0 " + uuid + ":matched"},
		{`{"filter":"occurred_at == timestamp('` + at[1] + `')","event_types":["offer.issued"]}`, "1/1/0 b:matched a:did_not_match"},
		{`{"filter":"string(data.id) == '186853002'","event":{"type":"a.b","data":{"id":186853002}}}`, "1/0/0 :matched"},
		{`{"filter":"data.n + 1 == 1000000000000000001","event":{"type":"a.b","data":{"n":1000000000000000000}}}`, "1/0/0 :matched"},
		{`{"filter":"data.amount * 1.5 == 30","event_types":["offer.*"]}`, "1/1/1 " + uuid + failed + " b:matched a:did_not_match"},
		{`{"filter":"source == '/tenants/acme' && id == 'x'","event":{"id":"x","type":"a.b","data":1}}`, "1/0/0 x:matched"},
	} {
		got := f.post(admin, "/v1/tenants/acme/filters/test", c.body)
		if line := tried(got); line != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.body, line, c.want)
		}
		if strings.Contains(string(got.Body), secretValue) || got.Header.Get("Hooktrail-Sequence") == "" {
			t.Errorf("%s: %v %s", c.body, got.Header, got.Body)
		}
	}
	if after := f.head(); after != before+1 { // the admin's key
		t.Errorf("%d entries were appended", after-before-1)
	}
}

// TestFilterTest_Refused: what is wrong is named where it stands, the place in a filter too.
func TestFilterTest_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/filters/test"
	f.post(f.operator, target, `{"filter":"true"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.filter")
	f.withFilters()
	for _, c := range []struct {
		body, location, text string
		status               int
		code                 string
	}{
		{`{"filter":"data.a >"}`, "body.filter", "line 1, column ", 422, "validation_failed"},
		{`{"filter":"true &&\n nothing == 1"}`, "body.filter", "line 2, column 2", 422, "validation_failed"},
		{`{"filter":"data.a"}`, "body.filter", "must give a bool", 422, "validation_failed"},
		{`{"filter":"` + strings.Repeat(" ", 4097) + `"}`, "body.filter", "", 422, "validation_failed"},
		{`{"event_types":["a","a..b"]}`, "body.event_types[1]", "", 422, "validation_failed"},
		{`{"event_types":[]}`, "body.event_types", "", 422, "validation_failed"},
		{`{"limit":1001}`, "body.limit", "", 422, "validation_failed"},
		{`{"limit":5,"event":{"type":"a.b","data":1}}`, "body.event", "", 422, "validation_failed"},
		{`{"event":{"data":1}}`, "body.event", "", 422, "validation_failed"},
		{`{"event":{"type":"a.b"}}`, "body.event", "", 422, "validation_failed"},
		{`{"event":{"type":"a..b","data":1}}`, "body.event.type", "", 422, "validation_failed"},
		{`{"event":{"type":"hooktrail.x","data":1}}`, "body.event.type", "", 422, "validation_failed"},
		{`{"event":{"type":"a.b","data":1,"colour":1}}`, "body.event.colour", "", 422, "validation_failed"},
		{`{"event":{"id":"a b","type":"a.b","data":1}}`, "body.event.id", "", 422, "validation_failed"},
		{`{"event":null}`, "body.event", "", 422, "validation_failed"},
		{`{"event":[1]}`, "body.event", "", 422, "validation_failed"},
		{`{"event":{"type":"a.b","data":{"a":1,"a":2}}}`, "body", "", 422, "ambiguous_json"},
		{`{"event":{"type":"a.b","data":"` + strings.Repeat("x", 256<<10) + `"}}`, "body.event.data", "", 413, "event_data_too_large"},
	} {
		got := f.post(f.operator, target, c.body).problem(c.status, c.code).names(c.location)
		if !strings.Contains(string(got.Body), c.text) {
			t.Errorf("%s: %s", c.body, got.Body)
		}
	}
}

// fixedFilter is what every text compiles to.
type fixedFilter domain.Filter

// Check implements openapi.Filters.
func (fixedFilter) Check(string) error { return nil }

// Compile implements openapi.Filters.
func (f fixedFilter) Compile(string) (domain.Filter, error) { return domain.Filter(f), nil }

// TestFilterTest_Slow: a filter that takes its time is given up.
func TestFilterTest_Slow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.withFilters()
		f.server.Filters = fixedFilter(func(context.Context, *domain.FilterRun) (bool, error) {
			time.Sleep(time.Second)
			return true, nil
		})
		f.useServer()
		for n := range 20 {
			f.event("acme", fmt.Sprint(n))
		}
		f.post(f.operator, "/v1/tenants/acme/filters/test", `{"filter":"true"}`).problem(http.StatusUnprocessableEntity, "filter_too_slow").names("body.limit")
		if got := tried(f.post(f.operator, "/v1/tenants/acme/filters/test", `{"filter":"true","limit":2}`)); got != "2/0/0 19:matched 18:matched" {
			t.Error(got)
		}
	})
}

// TestFilterTest_Dear: what a filter costs is added up over the events, and ends with the request.
func TestFilterTest_Dear(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	for n := range 20 {
		f.event("acme", fmt.Sprint(n))
	}
	cost := uint64(500_000)
	f.server.Filters = fixedFilter(func(_ context.Context, run *domain.FilterRun) (bool, error) {
		run.Spent += cost
		return true, nil
	})
	f.useServer()
	const target = "/v1/tenants/acme/filters/test"
	f.post(f.operator, target, `{"filter":"true"}`).problem(http.StatusUnprocessableEntity, "filter_too_slow").names("body.limit")
	if got := tried(f.post(f.operator, target, `{"filter":"true","limit":2}`)); got != "2/0/0 19:matched 18:matched" {
		t.Error(got)
	}
	cost = 5_000
	if got := tried(f.post(f.operator, target, `{"filter":"true"}`)); !strings.HasPrefix(got, "20/0/0 ") {
		t.Error(got)
	}
}

// TestFilterTest_Far: types that come seldom are looked for as far as is said.
func TestFilterTest_Far(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.post(f.operator, "/v1/tenants/acme/events", `{"id":"far","type":"seldom.a","data":1}`).want(http.StatusCreated)
	fill := func(n int) {
		events := strings.TrimSuffix(strings.Repeat(`{"type":"often.a","data":1},`, n), ",")
		f.post(f.operator, "/v1/tenants/acme/events/batch", `{"events":[`+events+`]}`).want(http.StatusCreated)
	}
	for range 9 {
		fill(1000)
	}
	fill(900)
	const body = `{"event_types":["seldom.*"]}`
	if got := tried(f.post(f.operator, "/v1/tenants/acme/filters/test", body)); got != "1/0/0 far:matched" {
		t.Error(got)
	}
	fill(1000)
	if got := tried(f.post(f.operator, "/v1/tenants/acme/filters/test", body)); got != "0/0/0" {
		t.Error(got)
	}
	if got := tried(f.post(f.operator, "/v1/tenants/acme/filters/test", `{"event_types":["seldom.a"]}`)); got != "1/0/0 far:matched" {
		t.Error(got)
	}
}

// An event within a body is read as append-event reads it, numbers of any size included, and no answer speaks of the
// program's types.
func TestBody_numbers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	const tenant = "/v1/tenants/acme"
	for _, number := range []string{"1e400", "-1e400", "1e-400", "1e999999999", strings.Repeat("9", 400), "1.5"} {
		event := `{"type":"a.b","data":{"x":` + number + `}}`
		f.post(f.operator, tenant+"/events", event).want(http.StatusCreated)
		f.post(f.operator, tenant+"/filters/test", `{"event":`+event+`,"filter":"data.x != 3"}`).want(http.StatusOK)
		f.post(f.operator, tenant+"/route-previews", `{"event":`+event+`}`).want(http.StatusOK)
	}
	f.put(f.operator, tenant+"/event-types/a.c", `{"version":"v1","examples":[1e400]}`).want(http.StatusCreated)
	f.patch(f.operator, tenant, `{"name":1e400}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.name")
	for body, location := range map[string]string{
		`{"limit":1e400}`:         "body.limit",
		`{"limit":-1e400}`:        "body.limit",
		`{"limit":1.5}`:           "body.limit",
		`{"limit":5.0}`:           "body",
		`{"limit":5e0}`:           "body",
		`{"filter":1e400}`:        "body.filter",
		`{"event_types":[1e400]}`: "body.event_types[0]",
		`{"event":1e400}`:         "body.event",
		`{"from":1e400}`:          "body.from",
	} {
		a := f.post(f.operator, tenant+"/filters/test", body).problem(http.StatusUnprocessableEntity, "validation_failed").names(location)
		if text := string(a.Body); strings.Contains(text, "json:") || strings.Contains(text, "Go ") || strings.Contains(text, "float64") {
			t.Errorf("%s: %s", body, text)
		}
	}
}
