package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStory_GoneReceiver: a receiver answers 410. Its endpoint is disabled in the commit that ends the attempt, another
// endpoint is told of both as signed webhooks, what comes meanwhile is skipped, and all goes on when it is resumed.
func TestStory_GoneReceiver(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	gone := newReceiver(t, func(n int) int {
		if n == 1 {
			return http.StatusGone
		}
		return http.StatusOK
	})
	watcher := newReceiver(t, nil)
	endpoint, _ := p.endpointTo(gone.server.URL, nil)
	var watching struct{ ID string }
	p.do("POST", "/v1/tenants/default/endpoints", map[string]any{"name": "watcher", "url": watcher.server.URL}, &watching)
	for _, id := range []string{watching.ID, endpoint} { // the endpoint itself asks in vain
		p.do(
			"POST",
			"/v1/tenants/default/subscriptions",
			map[string]any{"endpoint_id": id, "event_types": []string{"hooktrail.*"}},
			nil,
		)
	}
	event := func(id string) {
		t.Helper()
		p.do(
			"POST",
			"/v1/tenants/default/events",
			map[string]any{"id": id, "type": "order.placed", "subject": "ann", "data": map[string]int{"n": 1}},
			nil,
		)
	}
	event("order-1")
	eventually(
		t,
		20*time.Second,
		"the watcher is told of the delivery and of the endpoint",
		func() bool { return len(watcher.all()) == 2 },
	)

	var state struct {
		Status         string
		DisabledReason string `json:"disabled_reason"`
	}
	p.do("GET", "/v1/tenants/default/endpoints/"+endpoint, nil, &state)
	if state.Status != "disabled" || state.DisabledReason != "gone" {
		t.Errorf("the endpoint is %+v", state)
	}
	p.checkTold(endpoint, watcher.all())
	var kinds []string
	entries := p.logEntries("")
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	first := slices.Index(kinds, "delivery.attempt_finished")
	want := []string{"delivery.attempt_finished", "event.appended", "endpoint.disabled", "event.appended"}
	if got := kinds[first:min(first+len(want), len(kinds))]; !slices.Equal(got, want) {
		t.Errorf("the attempt ends with %q, want %q", got, want)
	}

	event("order-2")
	eventually(t, 10*time.Second, "the second event is skipped", func() bool {
		return slices.ContainsFunc(p.logEntries("&kind=event.appended"), func(e logEntry) bool {
			return strings.Contains(fmt.Sprintf("%s", e.Data), "endpoint_disabled")
		})
	})
	p.do("POST", "/v1/tenants/default/endpoints/"+endpoint+"/resume", nil, nil)
	event("order-3")
	eventually(t, 10*time.Second, "the third event arrives", func() bool { return len(gone.all()) == 2 })
	if got := gone.all()[1].ID; got != "order-3" {
		t.Errorf("after the endpoint is resumed %s arrives", got)
	}
	p.stop()
	p.verify()
}

// checkTold looks at the two operational events about a receiver that is gone.
func (p *program) checkTold(endpoint string, requests []receivedRequest) {
	p.t.Helper()
	told := make(map[string]map[string]any)
	for _, r := range requests {
		var event struct {
			Type string
			Data map[string]any
		}
		if err := json.Unmarshal([]byte(r.Body), &event); err != nil {
			p.t.Fatal(err)
		}
		told[event.Type] = event.Data
		if strings.Contains(r.Body, "ann") {
			p.t.Errorf("an operational event names the subject: %s", r.Body)
		}
	}
	of := slices.IndexFunc(p.deliveries(), func(d deliveryRow) bool { return d.EventID == "order-1" })
	dead, disabled := told["hooktrail.delivery.dead"], told["hooktrail.endpoint.disabled"]
	if dead["endpoint_id"] != endpoint || dead["event_id"] != "order-1" || dead["event_type"] != "order.placed" || dead["reason"] != "gone" ||
		dead["attempts"] != 1.0 || dead["status_code"] != 410.0 ||
		dead["delivery_id"] != p.deliveries()[of].ID {
		p.t.Errorf("of the delivery it is told %v", dead)
	}
	if disabled["endpoint_id"] != endpoint || disabled["reason"] != "gone" || disabled["status_code"] != 410.0 {
		p.t.Errorf("of the endpoint it is told %v", disabled)
	}
}
