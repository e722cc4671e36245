package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// storyEvent is an event of the vendors' story.
type storyEvent struct {
	id, kind, data string
	sequence       int64
}

// The data holds what a decoder would change: number spelling, order, spacing, escapes, other scripts.
const folder = `{"EntityId":12345678901234567890,"FolderName":"Prêts \u00e9 日本","Rate":19.90,"ServiceName":"a \"b\" \/","AuditType":"Product","FileName":null,"ServiceVersionId":1.50}`

func vendorEvents() []storyEvent {
	return []storyEvent{
		{kind: "offer.issued", data: `{"price":19.90,"big":12345678901234567890,"z":1,"a" : [ 1.0,2E+5 ],"note":"Café \u00e9 日本"}`},
		{kind: "model.submitted", id: "submission-7", data: `{"uuid":"5c8f","taken":true,"status":"new","sku_id":"Ä-1","division_desc":"","department_desc":null,"sku_desc":"x","current_price":19.90,"opt_price":17.00,"units_to_md":12345678901234567890,"start_date":"2026-07-02","end_date":"2026-07-09","wave_type":"A"}`},
		{kind: "model.approved", data: `[{"uuid":"a","current_price":5.0}, {"uuid":"b"}]`},
		{kind: "points.accrued", data: `{"member":"42","points":100.00}`},
		{kind: "tier.changed", data: `"gold"`},
		{kind: "profile.updated", data: `-0.0`},
		{kind: "AddProduct", data: folder},
		{kind: "EventsDataRetentionSucccess", data: `{"ServiceName":"only this"}`},
	}
}

const vendorTime = "2026-07-02T08:30:00.12Z"

// TestStory_Vendors: receivers of all formats at once, each written from its vendor's page, accept everything exactly once
// and to the byte, and refuse what their page says to refuse.
func TestStory_Vendors(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	trusted, authority := newAuthority(t)
	ca := filepath.Join(p.dir, "receivers-ca.pem")
	if err := os.WriteFile(ca, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "HOOKTRAIL_EGRESS_CA_FILE="+ca)
	p.start()
	vendors := newVendors(t, trusted)
	for _, v := range vendors {
		p.register(v)
	}
	events := p.appendVendorEvents()
	for _, v := range vendors {
		eventually(t, 30*time.Second, v.name+" accepted everything", func() bool { return len(v.accepted()) >= len(v.wanted(events)) })
	}
	eventually(t, 10*time.Second, "every delivery succeeded", func() bool {
		return !slices.ContainsFunc(p.deliveries(), func(d deliveryRow) bool { return d.Status != "succeeded" })
	})
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) { v.check(t, events) })
	}
	p.checkSparkboxAttempts(vendors["sparkbox"], events)
	p.checkCoherent(vendors, events)
	p.checkFirespring(vendors["firespring"], vendors["coherent-spark"], events)
	p.checkTransport(vendors["stashfin"])
}

// register makes the endpoint with its subscription, and tells the receiver what it needs to know.
func (p *program) register(v *vendor) {
	p.t.Helper()
	target := v.server.URL
	if path, ok := v.body["url"].(string); ok {
		target += path
	}
	body := map[string]any{"retry": map[string]any{"schedule": []string{"100ms", "100ms"}}}
	for member, value := range v.body {
		body[member] = value
	}
	body["name"], body["url"] = v.name, target
	var made struct {
		ID         string
		SigningKey string `json:"signing_key"`
		Keys       []struct {
			PublicKey string `json:"public_key"`
		}
	}
	p.do("POST", "/v1/tenants/default/endpoints", body, &made)
	key := made.SigningKey
	if len(made.Keys) == 1 && made.Keys[0].PublicKey != "" {
		key = made.Keys[0].PublicKey
	}
	v.endpoint = made.ID
	v.knows(v.reading(made.ID, key), v.answer)
	types := []string{"*"}
	if v.catalog != nil {
		types = v.catalog
	}
	p.do("POST", "/v1/tenants/default/subscriptions", map[string]any{"endpoint_id": made.ID, "event_types": types}, nil)
}

// appendVendorEvents appends all at once.
func (p *program) appendVendorEvents() []storyEvent {
	events := vendorEvents()
	group, ctx := errgroup.WithContext(p.t.Context())
	for i := range events {
		group.Go(func() error {
			e := &events[i]
			id := ""
			if e.id != "" {
				id = fmt.Sprintf(`"id":%q,`, e.id)
			}
			body := fmt.Sprintf(`{%s"type":%q,"occurred_at":"2026-07-02T10:30:00.120+02:00","data":%s}`, id, e.kind, e.data)
			var made struct {
				ID       string
				Sequence int64
			}
			resp, err := p.client().send(ctx, "POST", "/v1/tenants/default/events", strings.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusCreated {
				return problemOf(resp)
			}
			err = json.NewDecoder(resp.Body).Decode(&made)
			e.id, e.sequence = made.ID, made.Sequence
			return err
		})
	}
	if err := group.Wait(); err != nil {
		p.t.Fatal(err)
	}
	return events
}

// wanted are the events of a vendor's catalogue.
func (v *vendor) wanted(events []storyEvent) []storyEvent {
	return slices.DeleteFunc(slices.Clone(events), func(e storyEvent) bool {
		return v.catalog != nil && !slices.Contains(v.catalog, e.kind)
	})
}

// accepted are the arrivals that the vendor's rule takes for delivered.
func (v *vendor) accepted() []arrival {
	all, _ := v.got()
	return slices.DeleteFunc(all, func(a arrival) bool {
		if v.name == "firespring" {
			return a.status != http.StatusOK
		}
		return a.status/100 != 2
	})
}

// check compares what a receiver took with what was appended, and then spoils a request in every way.
func (v *vendor) check(t *testing.T, events []storyEvent) {
	if _, refused := v.got(); len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}
	got := map[wireEventSeen]int{}
	for _, a := range v.accepted() {
		got[a.event]++
	}
	for _, e := range v.wanted(events) {
		want := wireEventSeen{e.id, e.kind, vendorTime, e.data}
		if v.id != nil {
			want.id = v.id(e)
		}
		if v.data != nil {
			want.data = v.data(e.data)
		}
		if got[want] != 1 {
			t.Errorf("accepted %+v %d times; it has %+v", want, got[want], got)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("accepted as well: %+v", got)
	}
	one := v.accepted()[0]
	for name, spoil := range v.spoils {
		a := arrival{header: one.header.Clone(), url: one.url, body: bytes.Clone(one.body)}
		spoil(&a)
		if _, err := v.read(&a); err == nil {
			t.Errorf("a request is let in with %s", name)
		}
	}
}

// checkSparkboxAttempts: each event's attempts are numbered from 1 without a gap, and one event took two.
func (p *program) checkSparkboxAttempts(v *vendor, events []storyEvent) {
	t := p.t
	arrivals, _ := v.got()
	numbers := map[string][]string{}
	for _, a := range arrivals {
		numbers[a.event.kind] = append(numbers[a.event.kind], a.header.Get("X-Attempt-Number")+":"+strconv.Itoa(a.status))
	}
	for _, e := range events {
		want := []string{"1:200"}
		switch e.kind {
		case "model.approved":
			want = []string{"1:500", "2:200"}
		case "points.accrued":
			want = []string{"1:204"}
		}
		if !slices.Equal(numbers[e.kind], want) {
			t.Errorf("sparkbox got %s in the attempts %v, want %v", e.kind, numbers[e.kind], want)
		}
	}
}

// checkCoherent: the body to the byte, and no API key in what is recorded.
func (p *program) checkCoherent(vendors map[string]*vendor, events []storyEvent) {
	t := p.t
	want := map[string]string{
		"AddProduct":                  `{"FolderName":"Prêts \u00e9 日本","ServiceName":"a \"b\" \/","EntityId":"12345678901234567890","UserAction":"AddProduct","AuditType":"Product","Data":{"ProductName":"Prêts \u00e9 日本","EngineName":"a \"b\" \/","FileName":"","ProductId":"12345678901234567890","ServiceVersionId":"1.50"},"Tenant":"default","RequestTimeStamp":"` + vendorTime + `","RevisionId":null}`,
		"EventsDataRetentionSucccess": `{"FolderName":"","ServiceName":"only this","EntityId":"","UserAction":"EventsDataRetentionSucccess","AuditType":"","Data":{"ProductName":"","EngineName":"only this","FileName":"","ProductId":"","ServiceVersionId":""},"Tenant":"default","RequestTimeStamp":"` + vendorTime + `","RevisionId":null}`,
	}
	for _, name := range []string{"coherent-spark", "coherent-spark query"} {
		for _, a := range vendors[name].accepted() {
			if string(a.body) != want[a.event.kind] {
				t.Errorf("%s: the body is\n%s, want\n%s", name, a.body, want[a.event.kind])
			}
		}
	}
	v := vendors["coherent-spark query"]
	for _, a := range v.accepted() {
		if a.url.Path != "/spark" || a.url.Query().Get("region") != "eu" {
			t.Errorf("%s: the request went to %s", v.name, a.url.Path)
		}
	}
	var rows struct{ Items []deliveryRow }
	p.do("GET", "/v1/tenants/default/deliveries?endpoint_id="+v.endpoint, nil, &rows)
	if len(rows.Items) != len(v.wanted(events)) {
		t.Errorf("%d deliveries to %s", len(rows.Items), v.name)
	}
	for _, d := range rows.Items {
		var page struct {
			Items []struct{ Request struct{ URL string } }
		}
		p.do("GET", "/v1/tenants/default/deliveries/"+d.ID+"/attempts", nil, &page)
		if want := v.server.URL + "/spark?region=[redacted]&api_key=[redacted]"; len(page.Items) != 1 || page.Items[0].Request.URL != want {
			t.Errorf("the attempts are recorded as %+v, want %s", page.Items, want)
		}
	}
}

// checkFirespring: an answer of 204 was a failure; the numeric id fetches the event with a key of the receiver's, and the key
// of a receiver that wasn't sent the event fetches nothing.
func (p *program) checkFirespring(v, other *vendor, events []storyEvent) {
	t := p.t
	arrivals, _ := v.got()
	statuses := map[string][]int{}
	keys := map[string]string{}
	for _, of := range []*vendor{v, other} {
		var made struct{ Key string }
		p.do("POST", "/v1/tenants/default/keys", map[string]any{"role": "receiver", "name": of.name, "endpoint_id": of.endpoint}, &made)
		keys[of.name] = made.Key
	}
	fetch := func(key, id string, out any) error {
		return newClient("http://"+p.address, key).call(t.Context(), "GET", "/v1/tenants/default/events/by-sequence/"+id, nil, out)
	}
	for _, a := range arrivals {
		statuses[a.event.kind] = append(statuses[a.event.kind], a.status)
		var event struct {
			ID, Type string
			Data     json.RawMessage
		}
		if err := fetch(keys[v.name], a.event.id, &event); err != nil || event.Type != a.event.kind || string(event.Data) != a.event.data {
			t.Errorf("event %s is fetched as %+v, %v", a.event.id, event, err)
		}
	}
	for kind, got := range statuses {
		want := []int{200}
		if kind == "points.accrued" {
			want = []int{204, 200}
		}
		if !slices.Equal(got, want) {
			t.Errorf("firespring answered %s with %v, want %v", kind, got, want)
		}
	}
	if err := fetch(keys[other.name], strconv.FormatInt(events[0].sequence, 10), nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a receiver fetches what wasn't sent to it: %v", err)
	}
}

// checkTransport: stashfin's format has no plain http, and an authority that nobody vouches for is refused.
func (p *program) checkTransport(stashfin *vendor) {
	t := p.t
	plain := map[string]any{"name": "plain", "profile": "stashfin", "url": "http://127.0.0.1:1/"}
	if err := p.client().call(t.Context(), "POST", "/v1/tenants/default/endpoints", plain, nil); err == nil || !strings.Contains(err.Error(), "422") {
		t.Errorf("stashfin over http: %v", err)
	}
	stranger := newVendorReceiver(t, "stranger", (*httptest.Server).StartTLS) // its certificate is httptest's own
	stranger.knows(func(*arrival) (wireEventSeen, error) { return wireEventSeen{}, nil }, func(string, int) int { return 200 })
	id, _ := p.endpointTo(stranger.server.URL, map[string]any{"retry": map[string]any{"schedule": []string{"1h"}}})
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "tier.changed", "data": 1}, nil)
	var rows struct{ Items []deliveryRow }
	eventually(t, 10*time.Second, "the attempt is recorded", func() bool {
		p.do("GET", "/v1/tenants/default/deliveries?status=retrying&endpoint_id="+id, nil, &rows)
		return len(rows.Items) == 1
	})
	var page struct {
		Items []struct{ Outcome, Error string }
	}
	p.do("GET", "/v1/tenants/default/deliveries/"+rows.Items[0].ID+"/attempts", nil, &page)
	if arrivals, _ := stranger.got(); len(arrivals) > 0 || page.Items[0].Error != "tls_failed" {
		t.Errorf("%d requests reached a stranger; the attempt is %+v", len(arrivals), page.Items)
	}
	for _, a := range stashfin.accepted() {
		if a.header.Get("webhook-id") != a.event.id {
			t.Errorf("stashfin got %v", a.header)
		}
	}
}
