package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bulk is a redrive or a replay as the API shows it.
type bulk struct {
	ID, Status string
	DryRun     bool `json:"dry_run"`
	Counts     struct{ Examined, Sent int }
	Results    struct{ Pending, Succeeded, Dead, Cancelled int }
	Progress   struct{ Done, Total int64 }
	Sample     []struct {
		EventID string `json:"event_id"`
	}
}

// keyOf makes a key of the default tenant for a principal, and returns a client with it.
func (p *program) keyOf(role, principal string) *apiClient {
	p.t.Helper()
	var made struct{ Key string }
	p.do("POST", "/v1/tenants/default/keys", map[string]any{"role": role, "name": principal, "principal": principal}, &made)
	return newClient("http://"+p.address, made.Key)
}

// awaitBulk looks at a bulk until it is as wanted. At every look its counts must add up, and none may go back.
func (p *program) awaitBulk(path string, what string, as func(bulk) bool) (now bulk) {
	p.t.Helper()
	var before bulk
	eventually(p.t, time.Minute, what, func() bool {
		p.do("GET", path, nil, &now)
		r := now.Results
		if r.Pending+r.Succeeded+r.Dead+r.Cancelled != now.Counts.Sent || r.Pending < 0 || now.Counts.Sent < before.Counts.Sent ||
			now.Progress.Done < before.Progress.Done || now.Progress.Done > now.Progress.Total || r.Succeeded < before.Results.Succeeded {
			p.t.Fatalf("after %+v it is %+v", before, now)
		}
		before = now
		return as(now)
	})
	return now
}

// TestStory_Replay: a receiver that was down all day is repaired, and one redrive, tried before and approved by somebody
// else, brings everything that had died, once each; a new consumer gets what happened before it came, while new events go
// on. The server is killed in the middle of both, and the log has each delivery set off once.
func TestStory_Replay(t *testing.T) {
	t.Parallel()
	const events = 60
	p := newProgram(t)
	p.start()
	var repaired atomic.Bool
	receiver := newReceiver(t, func(int) int {
		if repaired.Load() {
			return http.StatusOK
		}
		return http.StatusInternalServerError
	})
	endpoint, _ := p.endpointTo(receiver.server.URL, map[string]any{
		"retry": map[string]any{"schedule": []string{"100ms"}}, "profile": "standard-webhooks",
	})
	p.appendMany("old", events)
	eventually(t, time.Minute, "everything is dead", func() bool { return p.count("dead") == events })
	repaired.Store(true)

	// Who asks sees before what will happen. Who approves is somebody else, and looks first, too.
	asks, approves, looks := p.keyOf("admin", "ann"), p.keyOf("admin", "ben"), p.keyOf("auditor", "cem")
	const redrives = "/v1/tenants/default/redrives"
	filter := map[string]any{"endpoint_id": endpoint, "status": []string{"dead"}, "event_types": []string{"story.*"}}
	var dry, asked bulk
	p.as(asks, "POST", redrives, map[string]any{"reason": "they were down", "filter": filter, "dry_run": true}, &dry)
	if !dry.DryRun || dry.Counts.Sent != events || len(dry.Sample) != 10 || dry.Sample[0].EventID != "old-0" {
		t.Errorf("the dry run says %+v", dry)
	}
	p.as(asks, "POST", redrives, map[string]any{"reason": "they were down", "filter": filter, "approval": true, "rate_limit": 60}, &asked)
	path := redrives + "/" + asked.ID
	for name, client := range map[string]*apiClient{"who asked": asks, "an auditor": looks} {
		if err := client.call(t.Context(), "POST", path+"/approve", nil, nil); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("approved by %s: %v", name, err)
		}
	}
	if b := p.awaitBulk(path, "it waits", func(bulk) bool { return true }); b.Status != "awaiting_approval" || b.Counts.Sent != 0 {
		t.Errorf("before the approval it is %+v", b)
	}
	p.as(approves, "POST", path+"/approve", map[string]any{"reason": "go"}, nil)
	p.awaitBulk(path, "some are sent", func(b bulk) bool { return b.Counts.Sent > 0 })
	p.kill()
	p.start()
	p.awaitBulk(path, "all have arrived", func(b bulk) bool { return b.Results.Succeeded == events })
	if n := p.count("dead"); n != 0 {
		t.Errorf("%d are still dead", n)
	}
	p.setOffOnce("delivery.resent", events)

	// The new consumer subscribes from now on, and has what was before replayed to it.
	consumer := newReceiver(t, nil)
	fresh, _ := p.endpointTo(consumer.server.URL, nil)
	const replays = "/v1/tenants/default/replays"
	var backfill bulk
	p.do("POST", replays, map[string]any{"reason": "a new consumer", "endpoint_id": fresh, "event_types": []string{"story.*"}, "rate_limit": 60}, &backfill)
	path = replays + "/" + backfill.ID
	p.awaitBulk(path, "some are sent", func(b bulk) bool { return b.Counts.Sent > 0 })
	p.appendMany("new", 5)
	p.kill()
	p.start()
	p.appendMany("newer", 5)
	p.awaitBulk(path, "all have arrived", func(b bulk) bool { return b.Status == "succeeded" && b.Results.Succeeded == events })
	p.setOffOnce("delivery.created", events)
	eventually(t, time.Minute, "the new events have arrived", func() bool { return p.count("succeeded") == 2*events+2*10 })
	arrived := make(map[string]int)
	for _, r := range consumer.all() {
		arrived[r.ID]++
	}
	if len(arrived) != events+10 {
		t.Errorf("%d events arrived at the new consumer, want %d", len(arrived), events+10)
	}

	// A filter that matches nothing ends at once, having sent nothing.
	var none bulk
	p.do("POST", redrives, map[string]any{"reason": "nothing", "filter": map[string]any{"event_types": []string{"un.known"}}}, &none)
	none = p.awaitBulk(redrives+"/"+none.ID, "it has ended", func(b bulk) bool { return b.Status == "succeeded" })
	if none.Counts.Examined != 0 {
		t.Errorf("nothing matched: %+v", none)
	}
	p.stop()
	p.verify()
}

// as calls the API with another key.
func (p *program) as(client *apiClient, method, path string, body, out any) {
	p.t.Helper()
	if err := client.call(p.t.Context(), method, path, body, out); err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// appendMany appends events in one batch.
func (p *program) appendMany(name string, n int) {
	p.t.Helper()
	events := make([]map[string]any, n)
	for i := range events {
		events[i] = map[string]any{"id": fmt.Sprintf("%s-%d", name, i), "type": "story.event", "data": json.RawMessage(`{}`)}
	}
	p.do("POST", "/v1/tenants/default/events/batch", map[string]any{"events": events}, nil)
}

// count is how many deliveries have a status.
func (p *program) count(status string) (n int) {
	p.t.Helper()
	for _, d := range p.deliveries() {
		if d.Status == status {
			n++
		}
	}
	return n
}

// setOffOnce demands that the log has so many deliveries set off by facts of a kind, each once.
func (p *program) setOffOnce(kind string, want int) {
	p.t.Helper()
	count := make(map[string]int)
	for _, e := range p.logEntries("&kind=" + kind) {
		count[e.Stream]++
	}
	for stream, n := range count {
		if n != 1 {
			p.t.Errorf("%s has %d %s", stream, n, kind)
		}
	}
	if len(count) != want {
		p.t.Errorf("%d deliveries have %s, want %d", len(count), kind, want)
	}
}
