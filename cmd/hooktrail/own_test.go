package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStory_OwnAddresses: where a network is allowed that this server and its database are in, endpoints reach other
// receivers there, and neither of the two, unless one is allowed by its address and port.
func TestStory_OwnAddresses(t *testing.T) {
	t.Parallel()
	p := newStandalone(t)
	p.start()
	pid, err := os.ReadFile(filepath.Join(p.dir, postgresDir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	receiver := newReceiver(t, nil)
	once := map[string]any{"profile": "sparkfly", "retry": map[string]any{"schedule": []string{"1h"}}}
	urls := map[string]string{
		"its own API":  "http://" + p.address + "/v1/tenants/default/events",
		"its own name": "http://localhost" + p.address[strings.IndexByte(p.address, ':'):] + "/",
		"its database": "http://127.0.0.1:" + strings.Split(string(pid), "\n")[3] + "/",
		"a receiver":   receiver.server.URL,
	}
	endpoints := map[string]string{}
	for what, url := range urls {
		id, _ := p.endpointTo(url, once)
		endpoints[id] = what
	}
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "first.event", "data": 1}, nil)
	ended := func() map[string]string { // the last attempt's error, by endpoint
		var page struct {
			Items []struct {
				ID       string
				Endpoint string `json:"endpoint_id"`
				Attempts int
			}
		}
		p.do("GET", "/v1/tenants/default/deliveries?limit=100&order=asc", nil, &page)
		errors := map[string]string{}
		for _, d := range page.Items {
			var attempts struct {
				Items []struct{ Outcome, Error string }
			}
			p.do("GET", "/v1/tenants/default/deliveries/"+d.ID+"/attempts", nil, &attempts)
			if n := len(attempts.Items); n > 0 && attempts.Items[n-1].Outcome != "" {
				errors[endpoints[d.Endpoint]] = attempts.Items[n-1].Outcome + " " + attempts.Items[n-1].Error
			}
		}
		return errors
	}
	eventually(t, 20*time.Second, "every attempt has ended", func() bool { return len(ended()) == len(urls) })
	for what, got := range ended() {
		want := "failed address_refused"
		if what == "a receiver" {
			want = "succeeded "
		}
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}

	p.stop()
	p.env = append(p.env, "HOOKTRAIL_EGRESS_ALLOW=127.0.0.0/8,"+p.address)
	p.start()
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "second.event", "data": 2}, nil)
	eventually(t, 20*time.Second, "its own API answers where it is allowed", func() bool {
		return ended()["its own API"] == "failed " // it answers that there is no key
	})
}
