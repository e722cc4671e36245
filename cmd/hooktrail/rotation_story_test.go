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

// mayBeSignedBy tells the story of a key that the receiver doesn't have yet.
func (r *keyedReceiver) mayBeSignedBy(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ever = append(r.ever, key)
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

// TestStory_RotationUnderTraffic: keys are rotated twice while events flow, receivers take the new ones over at a
// moment of their own within the overlap, and no request is rejected. The attempts name the keys that really signed.
func TestStory_RotationUnderTraffic(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	standard := newKeyedReceiver(t, "standard-webhooks", readStandard)
	sparkfly := newKeyedReceiver(t, "sparkfly", readSparkfly)
	receivers := []*keyedReceiver{standard, sparkfly}
	ids := map[string]string{} // of keys
	for _, r := range receivers {
		var first string
		r.endpoint, first = p.endpointTo(r.server.URL, map[string]any{"profile": r.name})
		ids[first] = p.currentKey(r.endpoint)
		r.knows(first)
	}
	rotate := func(overlap string, ready func()) {
		t.Helper()
		for _, r := range receivers { // keys are given, so that the story has them before anything is signed with them
			r.mayBeSignedBy("whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text())))
		}
		ready()
		for _, r := range receivers {
			key := r.ever[len(r.ever)-1]
			body := map[string]any{"overlap": overlap, "signing_key": key}
			p.do("POST", "/v1/tenants/default/endpoints/"+r.endpoint+"/rotate-key", body, nil)
			ids[key] = p.currentKey(r.endpoint)
		}
	}
	enough := func(what string, r *keyedReceiver, keys ...string) {
		t.Helper()
		before := r.signedBy(keys...)
		eventually(t, 30*time.Second, what, func() bool { return r.signedBy(keys...) >= before+10 })
	}
	flow := p.newFlow()
	a := func(r *keyedReceiver) string { return r.ever[0] } // the keys in the order in which they were made
	b := func(r *keyedReceiver) string { return r.ever[1] }
	c := func(r *keyedReceiver) string { return r.ever[2] }
	enough("requests signed with the first key", standard, a(standard))
	enough("the same for sparkfly", sparkfly, a(sparkfly))

	rotate("10m", func() {})
	enough("requests signed with both keys", standard, a(standard), b(standard))
	standard.knows(b(standard)) // a format with several signatures: the receiver goes over at once
	enough("requests signed with both keys, checked by the new one", standard, a(standard), b(standard))
	enough("sparkfly's one signature made with the key that its receiver surely has", sparkfly, a(sparkfly))

	// The last rotation shortens the overlap of the first. Receivers of one signature take either key until it has ended.
	rotate("1s", func() {
		standard.knows(b(standard), c(standard))
		sparkfly.knows(a(sparkfly), c(sparkfly))
	})
	enough("requests signed with the last key alone", standard, c(standard))
	enough("the same for sparkfly", sparkfly, c(sparkfly))
	flow.stop()
	events := flow.events
	p.allSucceeded(2 * events)
	for _, r := range receivers {
		r.knows(c(r)) // what the others signed has all arrived
	}
	flow = p.newFlow()
	enough("requests after the rotation", sparkfly, c(sparkfly))
	flow.stop()
	p.allSucceeded(2 * (events + flow.events))

	for _, r := range receivers {
		if r.refused > 0 {
			t.Errorf("%s refused %d requests", r.name, r.refused)
		}
		p.checkSigners(r, ids)
	}
	if n := sparkfly.signedBy(b(sparkfly)); n > 0 {
		t.Errorf("sparkfly's second key signed %d times beside an older one", n)
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
