package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// looping is a wire format that is a batch of events for this very API.
const looping = `{
  "name": "looping", "version": 1, "description": "Appends the event again.", "transport": "http_or_https", "content_type": "application/json",
  "envelope": {"events": [{"type": "${type}", "data": "${data}"}]},
  "success": ["2xx"], "retry": "default", "honours_retry_after": false
}`

// TestStory_Loop: endpoints that append each event they get to the instance itself come to an end, and the log says
// why.
func TestStory_Loop(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "looping.json")
	if err := os.WriteFile(file, []byte(looping), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, "HOOKTRAIL_PROFILES="+file)
	p.env = append(p.env, "HOOKTRAIL_EGRESS_ALLOW=127.0.0.0/8,"+p.address) // the instance itself is refused by default
	p.start()
	for range 2 {
		p.endpointTo("http://"+p.address+"/v1/tenants/default/events/batch",
			map[string]any{"profile": "looping", "headers": map[string]string{"Authorization": "Bearer " + p.key}})
	}
	p.do(http.MethodPost, "/v1/tenants/default/events", map[string]any{"type": "a.b", "data": 1}, nil)

	// Each event goes to both endpoints, and each webhook appends one.
	want, last := 1, 1
	for range domain.MaxHops + 1 {
		last *= 2
		want += last
	}
	events := func() int { return len(p.logEntries("&kind=event.appended")) }
	eventually(t, time.Minute, "all events came", func() bool { return events() >= want })
	eventually(t, time.Minute, "every delivery ended", func() bool {
		for _, d := range p.deliveries() {
			if d.Status != "succeeded" {
				return false
			}
		}
		return true
	})
	if got := events(); got != want {
		t.Errorf("one event became %d, want %d", got, want)
	}
	loops := 0
	for _, e := range p.logEntries("&kind=event.appended") {
		var routing struct {
			Skipped []struct{ Reason domain.SkipReason }
		}
		if err := json.Unmarshal(e.Data["routing"], &routing); err != nil {
			t.Fatal(err)
		}
		for _, s := range routing.Skipped {
			if s.Reason == domain.SkipLoop {
				loops++
			}
		}
	}
	if loops != 2*last {
		t.Errorf("%d skips say loop, want %d: two for each of the last events", loops, 2*last)
	}
}
