package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestStory_StopBesideHangingReceivers: of two servers one is stopped while attempts hang in most shards. The other goes
// on with everything else at once, and the attempts under way end as usual.
func TestStory_StopBesideHangingReceivers(t *testing.T) {
	t.Parallel()
	const hanging, quick = 60, 40
	key := filepath.Join(t.TempDir(), "master.key")
	if _, err := seal.LoadOrCreateMasterKey(key); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOOKTRAIL_DATABASE_URL=" + migratetest.Open(t).URL, "HOOKTRAIL_MASTER_KEY_FILE=" + key}
	leaving, staying := newProgram(t, env...), newProgram(t, env...)
	staying.start()
	leaving.start()
	eventually(t, 20*time.Second, "the second server has half of the shards", func() bool {
		return strings.Contains(leaving.output.String(), "shards loaded")
	})

	free := make(chan struct{})
	slow := newReceiver(t, nil)
	slow.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := slow.note(r, nil)
		<-free
		w.WriteHeader(status)
	})
	fast := newReceiver(t, nil)
	subscribe := func(url, eventType string) {
		var endpoint struct{ ID string }
		staying.do("POST", "/v1/tenants/default/endpoints", map[string]any{"name": "r", "url": url, "timeout": "30s"}, &endpoint)
		staying.do("POST", "/v1/tenants/default/subscriptions",
			map[string]any{"endpoint_id": endpoint.ID, "event_types": []string{eventType}}, nil)
	}
	for n := range hanging {
		subscribe(fmt.Sprintf("%s/%d", slow.server.URL, n), "slow")
	}
	for n := range quick {
		subscribe(fmt.Sprintf("%s/%d", fast.server.URL, n), "quick")
	}
	staying.do("POST", "/v1/tenants/default/events", map[string]any{"type": "slow", "data": 1}, nil)
	eventually(t, 20*time.Second, "all attempts hang", func() bool { return len(slow.all()) == hanging })

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		leaving.stop()
	}()
	eventually(t, 10*time.Second, "the server is stopping", func() bool {
		return strings.Contains(leaving.output.String(), "dispatcher stops")
	})
	staying.do("POST", "/v1/tenants/default/events", map[string]any{"type": "quick", "data": 1}, nil)
	// Some hundred milliseconds; it would be the attempts' 30 s.
	eventually(t, 8*time.Second, "everything else is delivered", func() bool { return len(fast.all()) == quick })
	select {
	case <-stopped:
		t.Error("the server has ended with attempts under way")
	default:
	}
	close(free)
	<-stopped
	eventually(t, 10*time.Second, "every delivery has succeeded by its first attempt", func() bool {
		for _, d := range staying.deliveries() {
			if d.Status != "succeeded" || d.Attempts != 1 {
				return false
			}
		}
		return true
	})
	if n := len(slow.all()); n != hanging {
		t.Errorf("%d requests came to receivers that hang, want %d", n, hanging)
	}
	staying.verify()
}
