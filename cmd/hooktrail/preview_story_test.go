package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// routing is what is compared of a routing and its preview.
type routing struct {
	Complete   bool
	Deliveries []struct {
		EndpointID      string `json:"endpoint_id"`
		EndpointVersion int    `json:"endpoint_version"`
		Subscriptions   json.RawMessage
	}
	Skipped []json.RawMessage
}

// parts are the routing's decisions in an order of their own.
func (r routing) parts() []string {
	var parts []string
	for _, d := range r.Deliveries {
		parts = append(parts, fmt.Sprintf("%s %d %s", d.EndpointID, d.EndpointVersion, d.Subscriptions))
	}
	for _, s := range r.Skipped {
		parts = append(parts, string(s))
	}
	slices.Sort(parts)
	return parts
}

// TestStory_PreviewIsTheRouting previews events, appends them, and finds that they were routed so; and that the test of
// a filter says of them what the routing said.
func TestStory_PreviewIsTheRouting(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	const tenant = "/v1/tenants/default"
	receiver := newReceiver(t, nil)
	subscribe := func(endpoint, filter string, types ...string) {
		p.do(
			"POST",
			tenant+"/subscriptions",
			map[string]any{"endpoint_id": endpoint, "event_types": types, "filter": filter},
			nil,
		)
	}
	one, _ := p.endpointTo(receiver.server.URL, nil)
	two, _ := p.endpointTo(receiver.server.URL, nil)
	const dear = `data.amount > 100`
	subscribe(one, dear, "offer.*")
	subscribe(two, `data.missing == 1`, "offer.issued")
	subscribe(two, `subject == "x"`, "other")
	p.do("POST", tenant+"/endpoints/"+two+"/pause", map[string]any{}, nil)
	outcomes := map[string]string{}
	for n, event := range []map[string]any{
		{"type": "offer.issued", "data": map[string]any{"amount": 101}},
		{"type": "offer.revoked", "data": map[string]any{"amount": 99.5}},
		{"type": "other", "subject": "x", "data": nil},
		{"type": "offer.issued", "data": "no object"},
	} {
		event["id"] = fmt.Sprint("event-", n)
		var preview, routed routing
		p.do("POST", tenant+"/route-previews", map[string]any{"event": event}, &preview)
		p.do("POST", tenant+"/events", event, nil)
		eventually(t, 10*time.Second, "the event is routed", func() bool {
			routed = routing{}
			p.do("GET", tenant+"/events/"+event["id"].(string)+"/routing", nil, &routed)
			return routed.Complete
		})
		if got, want := preview.parts(), routed.parts(); !slices.Equal(got, want) || len(got) < 2 {
			t.Errorf("event %d was previewed as\n%s\nand routed as\n%s", n, got, want)
		}
		outcomes[event["id"].(string)] = map[int]string{0: "matched", 1: "did_not_match", 3: "failed"}[n]
	}
	var tried struct {
		Matched    int
		NotMatched int `json:"not_matched"`
		Failed     int
		Items      []struct {
			EventID string `json:"event_id"`
			Outcome string
		}
	}
	p.do("POST", tenant+"/filters/test", map[string]any{"filter": dear, "event_types": []string{"offer.*"}}, &tried)
	if tried.Matched != 1 || tried.NotMatched != 1 || tried.Failed != 1 || len(tried.Items) != 3 {
		t.Errorf("tried %+v", tried)
	}
	for _, item := range tried.Items {
		if item.Outcome != outcomes[item.EventID] {
			t.Errorf("%s: %s, want %s", item.EventID, item.Outcome, outcomes[item.EventID])
		}
	}
}
