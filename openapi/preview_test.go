package openapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// previewed is a preview in one line, with names for ids.
func previewed(a answer, names map[string]string) string {
	a.t.Helper()
	var out struct {
		Deliveries []struct {
			EndpointID      string `json:"endpoint_id"`
			EndpointVersion int    `json:"endpoint_version"`
			Subscriptions   []struct {
				ID      string
				Version int
			}
		}
		Skipped []struct {
			SubscriptionID string `json:"subscription_id"`
			EndpointID     string `json:"endpoint_id"`
			Version        int
			Reason         string
		}
	}
	a.want(http.StatusOK).into(&out)
	var parts []string
	for _, d := range out.Deliveries {
		part := fmt.Sprintf("+%s.%d", names[d.EndpointID], d.EndpointVersion)
		for _, s := range d.Subscriptions {
			part += fmt.Sprintf(" %s.%d", names[s.ID], s.Version)
		}
		parts = append(parts, part)
	}
	for _, s := range out.Skipped {
		parts = append(parts, fmt.Sprintf("-%s.%d of %s %s", names[s.SubscriptionID], s.Version, names[s.EndpointID], s.Reason))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// TestPreview changes the configuration step by step, previews the routing of one event after each, and at the end finds
// every one of the previews again as of its sequence and its time.
func TestPreview(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	const acme = "/v1/tenants/acme"
	names := make(map[string]string)
	add := func(name, kind, body string) string {
		id := f.post(f.operator, acme+"/"+kind, body).want(http.StatusCreated).text("id")
		names[id] = name
		return acme + "/" + kind + "/" + id
	}
	id := func(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
	one := add("E", "endpoints", `{"name":"e","url":"https://receiver.example/"}`)
	two := add("F", "endpoints", `{"name":"f","url":"https://receiver.example/"}`)
	var s, filtered string
	auditor := f.key("acme", domain.RoleAuditor)
	const event = `{"event":{"id":"x","type":"a.b","data":{"n":1,"note":"` + secretValue + `"}}`
	type step struct{ sequence, preview string }
	var steps []step
	for _, c := range []struct {
		change func()
		want   string
	}{
		{func() {}, ""},
		{func() { s = add("s", "subscriptions", `{"endpoint_id":"`+id(one)+`","event_types":["a.*"]}`) }, "+E.1 s.1"},
		{func() {
			filtered = add("t", "subscriptions", `{"endpoint_id":"`+id(one)+`","event_types":["a.b"],"filter":"data.n == 1"}`)
		}, "+E.1 s.1 t.1"},
		{func() { add("u", "subscriptions", `{"endpoint_id":"`+id(two)+`","event_types":["c"]}`) }, "+E.1 s.1 t.1"},
		{func() {
			add("v", "subscriptions", `{"endpoint_id":"`+id(two)+`","event_types":["*"],"filter":"data.missing == 1"}`)
		}, "+E.1 s.1 t.1, -v.1 of F filter_failed"},
		{func() { f.patch(f.operator, filtered, `{"filter":"data.n == 2"}`).want(200) }, "+E.1 s.1, -t.2 of E filter_did_not_match, -v.1 of F filter_failed"},
		{func() { f.post(f.operator, s+"/pause", "").want(200) }, "-s.2 of E subscription_paused, -t.2 of E filter_did_not_match, -v.1 of F filter_failed"},
		{func() { f.patch(f.operator, filtered, `{"filter":null}`).want(200) }, "+E.1 t.3, -s.2 of E subscription_paused, -v.1 of F filter_failed"},
		{func() { f.post(f.operator, one+"/pause", "").want(200) }, "+E.2 t.3, -s.2 of E subscription_paused, -v.1 of F filter_failed"},
		{func() { f.disable(id(one)) }, "-s.2 of E subscription_paused, -t.3 of E endpoint_disabled, -v.1 of F filter_failed"},
		{func() { f.do(f.operator, "DELETE", two, "").want(204) }, "-s.2 of E subscription_paused, -t.3 of E endpoint_disabled"},
		{func() { f.patch(f.operator, acme, `{"webhooks_enabled":false}`).want(200) }, "-s.2 of E tenant_webhooks_disabled, -t.3 of E tenant_webhooks_disabled"},
	} {
		c.change()
		before := f.head()
		got := f.post(auditor, acme+"/route-previews", event+`}`)
		if line := previewed(got, names); line != c.want {
			t.Errorf("step %d: %s\nwant %s", len(steps), line, c.want)
		}
		if f.head() != before || strings.Contains(string(got.Body), secretValue) {
			t.Errorf("step %d appended something or shows the event: %s", len(steps), got.Body)
		}
		steps = append(steps, step{got.Header.Get("Hooktrail-Sequence"), c.want})
	}
	for n, then := range steps {
		at := domain.FormatTime(f.recordedAt("acme", then.sequence))
		for _, moment := range []string{`,"as_of_sequence":` + then.sequence, `,"as_of":"` + at + `"`} {
			got := f.post(auditor, acme+"/route-previews", event+moment+`}`)
			if line := previewed(got, names); line != then.preview || got.Header.Get("Hooktrail-Sequence") != then.sequence {
				t.Errorf("step %d with %s: %s\nwant %s", n, moment, line, then.preview)
			}
		}
	}
}

// disable has the product stop delivering to an endpoint, which no operation does.
func (f *fixture) disable(endpoint string) {
	f.t.Helper()
	id, err := domain.ParseUUID(endpoint)
	if err != nil {
		f.t.Fatal(err)
	}
	f.settle()
	var row projections.Endpoint
	err = f.views.Read(f.t.Context(), "acme", -1, func(r projections.Reader) (err error) {
		row, err = r.Endpoint(f.t.Context(), id, projections.AsOf{})
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	fact, err := row.Disable("it failed for long")
	if err != nil {
		f.t.Fatal(err)
	}
	f.append(domain.Draft{Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: id}, Expected: row.Version, Fact: fact})
}

// TestPreview_Many: configuration of more than a page is seen whole, and so are deliveries of more than an entry.
func TestPreview_Many(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var drafts []domain.Draft
	for n := range 1100 {
		endpoint, subscription := domain.NewUUID(), domain.NewUUID()
		drafts = append(drafts,
			domain.Draft{
				Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: endpoint},
				Fact: &domain.EndpointCreated{Endpoint: domain.EndpointConfig{Name: fmt.Sprint(n), URL: "https://receiver.example/", Profile: "sparkfly", Concurrency: 1}},
			},
			domain.Draft{
				Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamSubscription, ID: subscription},
				Fact: &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{Endpoint: endpoint, EventTypes: []domain.Pattern{"*"}}},
			})
	}
	f.append(drafts...)
	got := f.post(f.operator, "/v1/tenants/acme/route-previews", `{"event":{"type":"a.b","data":1}}`).want(http.StatusOK)
	if to, _ := got.value("deliveries").([]any); len(to) != 1100 {
		t.Errorf("%d deliveries", len(to))
	}
}

func TestPreview_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const event = `"event":{"type":"a.b","data":1}`
	for _, c := range []struct{ body, code, location string }{
		{`{}`, "validation_failed", "body"},
		{`{"event":null}`, "validation_failed", "body.event"},
		{`{"event":{"type":"a..b","data":1}}`, "validation_failed", "body.event.type"},
		{`{` + event + `,"as_of":"2999-01-01T00:00:00Z"}`, "as_of_in_future", "body.as_of"},
		{`{` + event + `,"as_of_sequence":99999}`, "as_of_in_future", "body.as_of_sequence"},
		{`{` + event + `,"as_of_sequence":-1}`, "validation_failed", "body.as_of_sequence"},
		{`{` + event + `,"as_of":"2026-01-01T00:00:00Z","as_of_sequence":1}`, "validation_failed", "body.as_of"},
		{`{` + event + `,"as_of":"yesterday"}`, "validation_failed", "body.as_of"},
	} {
		f.post(f.operator, "/v1/tenants/acme/route-previews", c.body).problem(http.StatusUnprocessableEntity, c.code).names(c.location)
	}
	for _, before := range []string{"2001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		f.post(f.operator, "/v1/tenants/acme/route-previews", `{`+event+`,"as_of":"`+before+`"}`).problem(http.StatusNotFound, "not_found")
	}
}
