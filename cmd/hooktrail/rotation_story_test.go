package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// keyedReceiver lets in what one of its current keys signed, and notes for each event which of all keys ever signed it.
type keyedReceiver struct {
	name     string
	server   *httptest.Server
	read     func(key string) reading
	endpoint string

	mu      sync.Mutex // guards all below
	current []string
	ever    []string
	signers map[string][]string // by event id, the keys that signed, in the order in which they were known
	refused int
}

func newKeyedReceiver(t testing.TB, name string, read func(key string) reading) *keyedReceiver {
	r := &keyedReceiver{name: name, read: read, signers: map[string][]string{}}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// knows changes the keys that requests are let in by.
func (r *keyedReceiver) knows(keys ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = keys
	for _, key := range keys {
		if !slices.Contains(r.ever, key) {
			r.ever = append(r.ever, key)
		}
	}
}

// ServeHTTP implements http.Handler.
func (r *keyedReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a := arrivalOf(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	var signers []string
	event, status := "", http.StatusUnauthorized
	for _, key := range r.ever {
		seen, err := r.read(key)(&a)
		if err != nil {
			continue
		}
		event, signers = seen.id, append(signers, key)
		if slices.Contains(r.current, key) {
			status = http.StatusOK
		}
	}
	if status != http.StatusOK {
		r.refused++
	}
	r.signers[event] = signers
	w.WriteHeader(status)
}

// signedBy counts the requests that exactly these keys signed.
func (r *keyedReceiver) signedBy(keys ...string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, signers := range r.signers {
		if slices.Equal(signers, keys) {
			n++
		}
	}
	return n
}

// TestStory_RotationUnderTraffic: keys are rotated while events flow, receivers take the new key over at a moment of their
// own within the overlap, and no request is rejected. The attempts name the keys that really signed.
func TestStory_RotationUnderTraffic(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	standard := newKeyedReceiver(t, "standard-webhooks", readStandard)
	sparkfly := newKeyedReceiver(t, "sparkfly", readSparkfly)
	receivers := []*keyedReceiver{standard, sparkfly}
	ids, old, fresh := map[string]string{}, map[string]string{}, map[string]string{} // ids by key; keys by receiver
	for _, r := range receivers {
		r.endpoint, old[r.name] = p.endpointTo(r.server.URL, map[string]any{"profile": r.name})
		ids[old[r.name]] = p.currentKey(r.endpoint)
		r.knows(old[r.name])
	}
	flow := p.newFlow()
	const some = 15
	enough := func(what string, r *keyedReceiver, keys ...string) {
		t.Helper()
		before := r.signedBy(keys...)
		eventually(t, 30*time.Second, what, func() bool { return r.signedBy(keys...) >= before+some })
	}
	enough("requests signed with the old key", standard, old[standard.name])
	enough("the same for sparkfly", sparkfly, old[sparkfly.name])

	for _, r := range receivers {
		key := "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text())) // given, so that the story knows it first
		fresh[r.name] = key
		r.mu.Lock()
		r.ever = append(r.ever, key) // and not yet the receiver
		r.mu.Unlock()
		p.do("POST", "/v1/tenants/default/endpoints/"+r.endpoint+"/rotate-key", map[string]any{"overlap": "3s", "signing_key": key}, nil)
		ids[key] = p.currentKey(r.endpoint)
	}
	a, b := old[standard.name], fresh[standard.name]
	enough("requests signed with both keys", standard, a, b)
	standard.knows(b) // a format with two signatures: the receiver goes over at once
	enough("requests signed with both keys, checked by the new one", standard, a, b)
	sparkfly.knows(old[sparkfly.name], fresh[sparkfly.name]) // one signature: the receiver takes either for a while
	enough("requests signed with the new key alone", standard, b)
	enough("the same for sparkfly", sparkfly, fresh[sparkfly.name])
	flow.stop()
	events := flow.events
	p.allSucceeded(2 * events)
	sparkfly.knows(fresh[sparkfly.name]) // what the old key signed has all arrived
	flow = p.newFlow()
	enough("requests after the rotation", sparkfly, fresh[sparkfly.name])
	flow.stop()
	p.allSucceeded(2 * (events + flow.events))

	for _, r := range receivers {
		if r.refused > 0 {
			t.Errorf("%s refused %d requests", r.name, r.refused)
		}
		p.checkSigners(r, ids)
	}
	if n := sparkfly.signedBy(old[sparkfly.name], fresh[sparkfly.name]); n > 0 {
		t.Errorf("sparkfly's one signature was made with two keys, %d times", n)
	}
}

// currentKey is the id of the key that the endpoint shows first.
func (p *program) currentKey(endpoint string) string {
	p.t.Helper()
	var shown struct{ Keys []struct{ ID string } }
	p.do("GET", "/v1/tenants/default/endpoints/"+endpoint, nil, &shown)
	return shown.Keys[0].ID
}

// flow appends an event every few milliseconds until it is stopped, within a bound.
type flow struct {
	cancel context.CancelFunc
	ended  chan error
	t      testing.TB
	events int // after stop
}

func (p *program) newFlow() *flow {
	ctx, cancel := context.WithCancel(p.t.Context())
	f := &flow{cancel: cancel, ended: make(chan error, 1), t: p.t}
	client := p.client()
	go func() {
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for f.events < 1000 {
			select {
			case <-ctx.Done():
				f.ended <- nil
				return
			case <-pace.C:
			}
			body := map[string]any{"type": "key.used", "data": map[string]any{"n": f.events}}
			if err := client.call(context.WithoutCancel(ctx), "POST", "/v1/tenants/default/events", body, nil); err != nil {
				f.ended <- err
				return
			}
			f.events++
		}
		f.ended <- fmt.Errorf("%d events weren't enough", f.events)
	}()
	p.t.Cleanup(cancel)
	return f
}

func (f *flow) stop() {
	f.t.Helper()
	f.cancel()
	if err := <-f.ended; err != nil {
		f.t.Fatal(err)
	}
}

// allSucceeded waits until there are at least so many deliveries and every one has succeeded at once.
func (p *program) allSucceeded(least int) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, "every delivery succeeded", func() bool {
		all := p.deliveries()
		return len(all) >= least && !slices.ContainsFunc(all, func(d deliveryRow) bool { return d.Status != "succeeded" })
	})
	for _, d := range p.deliveries() {
		if d.Attempts != 1 {
			p.t.Errorf("delivery %s took %d attempts", d.ID, d.Attempts)
		}
	}
}

// checkSigners compares the keys that each attempt names with those that the receiver found to have signed.
func (p *program) checkSigners(r *keyedReceiver, ids map[string]string) {
	t := p.t
	var page struct{ Items []deliveryRow }
	p.do("GET", "/v1/tenants/default/deliveries?order=desc&limit=1000&endpoint_id="+r.endpoint, nil, &page)
	r.mu.Lock()
	defer r.mu.Unlock()
	wrong, signers := 0, map[string]int{}
	for _, d := range page.Items {
		var attempts struct {
			Items []struct {
				KeyID  string   `json:"key_id"`
				KeyIDs []string `json:"key_ids"`
			}
		}
		p.do("GET", "/v1/tenants/default/deliveries/"+d.ID+"/attempts", nil, &attempts)
		var want []string
		for _, key := range slices.Backward(r.signers[d.EventID]) { // the newest key is named first
			want = append(want, ids[key])
		}
		signers[strings.Join(want, " ")]++
		if got := attempts.Items[0]; !slices.Equal(got.KeyIDs, want) || got.KeyID != want[0] {
			wrong++
			if wrong == 1 {
				t.Errorf("%s: an attempt names the keys %v, its request was signed by %v", r.name, got, want)
			}
		}
	}
	if wrong > 1 {
		t.Errorf("%s: the same of %d attempts", r.name, wrong)
	}
	t.Logf("%s: %d deliveries, signed by %v", r.name, len(page.Items), signers)
}
