package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStory_Neighbours: while a hundred callers search one tenant's log for what isn't there, another tenant's appends and
// reads and the node's readiness stay quick, and each caller gets a page or is told when to come back. Fifty changes of one
// endpoint at once are all made.
func TestStory_Neighbours(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	p.do("POST", "/v1/tenants", map[string]any{"id": "quiet"}, nil)
	event := `{"type":"a.b","data":1}`
	batch := `{"events":[` + strings.Repeat(event+",", 999) + event + `]}`
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}, Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	send := func(method, path, body string, header ...string) (status int, retry string, took time.Duration) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.address+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+p.key)
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		begin := time.Now()
		resp, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After"), time.Since(begin)
	}
	for range 20 {
		if status, _, _ := send("POST", "/v1/tenants/default/events/batch", batch); status != http.StatusCreated {
			t.Fatalf("a batch is answered %d", status)
		}
	}

	var group sync.WaitGroup
	var pages, refused atomic.Int64
	over := make(chan struct{})
	for range 100 {
		group.Go(func() {
			for {
				switch status, retry, _ := send("GET", "/v1/tenants/default/log?kind=none.x", ""); {
				case status == http.StatusOK:
					pages.Add(1)
				case status == http.StatusTooManyRequests && retry != "":
					refused.Add(1)
				default:
					t.Errorf("a search is answered %d, Retry-After %q", status, retry)
				}
				select {
				case <-over:
					return
				case <-time.After(50 * time.Millisecond): // impatient, as the header says a second
				}
			}
		})
	}
	var slowest time.Duration
	for range 6 {
		for _, call := range [][3]string{
			{"POST", "/v1/tenants/quiet/events", event}, {"GET", "/v1/tenants/quiet/events", ""}, {"GET", "/v1/tenants/quiet/log", ""}, {"GET", "/readyz", ""},
		} {
			status, _, took := send(call[0], call[1], call[2])
			if status >= 300 {
				t.Errorf("%s %s is answered %d", call[0], call[1], status)
			}
			slowest = max(slowest, took)
		}
	}
	close(over)
	group.Wait()
	if slowest > 3*time.Second {
		t.Errorf("another tenant waited %s", slowest)
	}
	if pages.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d pages, %d refusals", pages.Load(), refused.Load())
	}
	t.Logf("%d pages, %d refusals; another tenant's slowest call took %s", pages.Load(), refused.Load(), slowest)

	endpoint, _ := p.endpointTo("https://receiver.example/", nil)
	for n := range 50 {
		group.Go(func() {
			status, _, _ := send("PATCH", "/v1/tenants/default/endpoints/"+endpoint, fmt.Sprintf(`{"name":"n%d"}`, n),
				"Content-Type", "application/merge-patch+json")
			if status != http.StatusOK {
				t.Errorf("a change is answered %d", status)
			}
		})
	}
	group.Wait()
}
