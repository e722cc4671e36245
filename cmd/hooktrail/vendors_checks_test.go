package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkStrangers: whoever signs or authenticates with another key is refused, and the delivery ends as dead.
func (p *program) checkStrangers(vendors map[string]*vendor) {
	t := p.t
	const otherKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for name, more := range map[string]map[string]any{
		"sparkfly":          {"signing_key": otherKey},
		"sparkbox":          {"signing_key": otherKey},
		"coherent-spark":    {"auth": map[string]any{"type": "api_key", "value": otherKey}},
		"stashfin":          {"signing_key": otherKey},
		"standard-webhooks": {"signing_key": otherKey},
		"cloudevents":       {"signing_key": otherKey},
	} {
		v := vendors[name]
		before, _ := v.got()
		more["profile"], more["retry"] = name, map[string]any{"schedule": []string{"100ms"}}
		id, _ := p.endpointTo(v.server.URL, more)
		p.do("POST", "/v1/tenants/default/endpoints/"+v.endpoint+"/pause", map[string]any{}, nil)
		p.do(
			"POST",
			"/v1/tenants/default/events",
			map[string]any{"type": "AddProduct", "data": map[string]any{"stranger": name}},
			nil,
		)
		var rows struct{ Items []deliveryRow }
		eventually(t, 20*time.Second, "the stranger's delivery to "+name+" is dead", func() bool {
			p.do("GET", "/v1/tenants/default/deliveries?status=dead&endpoint_id="+id, nil, &rows)
			return len(rows.Items) == 1
		})
		var page struct{ Items []attemptRow }
		p.do("GET", "/v1/tenants/default/deliveries/"+rows.Items[0].ID+"/attempts", nil, &page)
		for _, a := range page.Items {
			if a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s answered a stranger with %d", name, a.StatusCode)
			}
		}
		if after, _ := v.got(); len(after) != len(before) {
			t.Errorf("%s let a stranger in", name)
		}
		p.do("DELETE", "/v1/tenants/default/endpoints/"+id, nil, nil)
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
		if want := v.server.URL + "/spark?[redacted]"; len(page.Items) != 1 || page.Items[0].Request.URL != want {
			t.Errorf("the attempts are recorded as %+v, want %s", page.Items, want)
		}
	}
}

// checkFirespring: an answer of 204 was a failure; the numeric id fetches the event with a key of the receiver's, and
// the key of a receiver that wasn't sent the event fetches nothing.
func (p *program) checkFirespring(v, other *vendor, events []storyEvent) {
	t := p.t
	arrivals, _ := v.got()
	statuses := map[string][]int{}
	keys := map[string]string{}
	for _, of := range []*vendor{v, other} {
		var made struct{ Key string }
		p.do(
			"POST",
			"/v1/tenants/default/keys",
			map[string]any{"role": "receiver", "name": of.name, "endpoint_id": of.endpoint},
			&made,
		)
		keys[of.name] = made.Key
	}
	fetch := func(key, id string, out any) error {
		return newClient(
			"http://"+p.address,
			key,
		).call(t.Context(), "GET", "/v1/tenants/default/events/by-sequence/"+id, nil, out)
	}
	for _, a := range arrivals {
		statuses[a.event.kind] = append(statuses[a.event.kind], a.status)
		var event struct {
			ID, Type string
			Data     json.RawMessage
		}
		if err := fetch(
			keys[v.name],
			a.event.id,
			&event,
		); err != nil || event.Type != a.event.kind ||
			string(event.Data) != a.event.data {
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
	if err := fetch(
		keys[other.name],
		strconv.FormatInt(events[0].sequence, 10),
		nil,
	); err == nil ||
		!strings.Contains(err.Error(), "404") {
		t.Errorf("a receiver fetches what wasn't sent to it: %v", err)
	}
}

// checkTransport: stashfin's format has no plain http, and an authority that nobody vouches for is refused.
func (p *program) checkTransport(stashfin *vendor) {
	t := p.t
	plain := map[string]any{"name": "plain", "profile": "stashfin", "url": "http://127.0.0.1:1/"}
	if err := p.client().
		call(t.Context(), "POST", "/v1/tenants/default/endpoints", plain, nil); err == nil ||
		!strings.Contains(err.Error(), "422") {
		t.Errorf("stashfin over http: %v", err)
	}
	stranger := newVendorReceiver(t, "stranger", (*httptest.Server).StartTLS) // its certificate is httptest's own
	stranger.knows(
		func(*arrival) (wireEventSeen, error) { return wireEventSeen{}, nil },
		func(string, int) int { return 200 },
	)
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
