package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// holder is a receiver's developer: a sparkfly receiver, written as the vendor's page says, and keys for the API.
type holder struct {
	t     testing.TB
	base  string // of the API
	token string // of the registration
	key   string // of the endpoint's receiver

	mu         sync.Mutex // guards all below
	signingKey string
	arrivals   []arrival
	refused    []string
	fail       bool   // answer 500
	challenge  string // how to answer one: "give", else 404
}

// server is a place where the developer listens.
func (h *holder) server() *httptest.Server {
	s := httptest.NewServer(h)
	h.t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler: nothing is believed that isn't signed.
func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	a := arrival{header: r.Header.Clone(), url: r.URL, body: body}
	a.header.Set("Host", r.Host)
	var check struct{ Type, Challenge string }
	if err == nil && json.Unmarshal(body, &check) == nil && check.Type == "hooktrail.endpoint.ownership_check" {
		h.check(w, a, check.Challenge)
		return
	}
	if err == nil {
		a.event, err = readSparkfly(h.signingKey)(&a)
	}
	switch {
	case err != nil:
		h.refused = append(h.refused, err.Error())
		w.WriteHeader(http.StatusUnauthorized)
	case h.fail:
		w.WriteHeader(http.StatusInternalServerError)
	default:
		h.arrivals = append(h.arrivals, a)
	}
}

// check answers an ownership check that is signed with the endpoint's key, when the developer means to.
func (h *holder) check(w http.ResponseWriter, a arrival, challenge string) {
	want := a.header.Get("X-Hmac-Sha256-Signature")
	signed := arrival{header: a.header, body: a.body}
	if _, err := readSparkfly(
		h.signingKey,
	)(
		&signed,
	); want == "" ||
		err == errUnsigned { //nolint:errorlint // the reading returns it as it is
		h.refused = append(h.refused, "an ownership check without a signature")
	}
	if h.challenge != "give" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, challenge) // the server notices
}

func (h *holder) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// got lists the data that arrived, and where.
func (h *holder) got() (arrivals []arrival, refused []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.arrivals), slices.Clone(h.refused)
}

// do calls the API with a key; want is the status of the answer, which comes back as it is.
func (h *holder) do(key string, want int, method, path, body string) []byte {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		h.t.Fatalf("%s %s %s: status %d, want %d: %s (%v)", method, path, body, resp.StatusCode, want, answer, err)
	}
	return answer
}

func into[T any](t testing.TB, answer []byte) (out T) {
	t.Helper()
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return out
}

// arrives waits for one more arrival with these data and returns it.
func (h *holder) arrives(data string) arrival {
	h.t.Helper()
	var found arrival
	eventually(h.t, 15*time.Second, data+" arrives", func() bool {
		all, refused := h.got()
		if len(refused) > 0 {
			h.t.Fatalf("refused %v", refused)
		}
		i := slices.IndexFunc(all, func(a arrival) bool { return a.event.data == data })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

const selfTenant = "/v1/tenants/default"

// TestStory_SelfService: a receiver's developer does everything with nothing but a registration's token.
func TestStory_SelfService(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	h := &holder{t: t, base: "http://" + p.address}
	h.token = into[struct{ Token string }](t, h.do(p.key, http.StatusCreated, "POST", selfTenant+"/registrations",
		`{"name":"warehouse","event_types":["offer.*","order.paid"],"handshake":"ownership","quota":1}`)).Token
	here := h.server()
	path := h.signUp(here.URL)
	p.appendOne(t, `{"type":"offer.issued","data":"too early"}`)
	h.seesSkip("endpoint_unverified")
	h.passHandshake(path)
	h.chooseTypes(path)

	sequence := p.appendOne(t, `{"type":"offer.issued","data":{"price":19.90}}`)
	h.arrives(`{"price":19.90}`)
	fetched := into[struct {
		Type string
		Data json.RawMessage
	}](t, h.do(h.key, http.StatusOK, "GET", fmt.Sprintf("%s/events/by-sequence/%d", selfTenant, sequence), ""))
	if fetched.Type != "offer.issued" || string(fetched.Data) != `{"price":19.90}` {
		t.Errorf("fetched %+v", fetched)
	}
	h.do(
		h.key,
		http.StatusNotFound,
		"GET",
		fmt.Sprintf("%s/events/by-sequence/%d", selfTenant, p.appendOne(t, `{"type":"secret.thing","data":1}`)),
		"",
	)

	h.rotate(path)
	p.appendOne(t, `{"type":"order.paid","data":"signed anew"}`)
	h.arrives(`"signed anew"`)
	h.test(path)
	h.redrive(p)
	h.move(p, path, here.URL)
	if got, refused := h.got(); len(refused) > 0 || len(got) != 5 {
		t.Errorf("%d webhooks arrived, refused %v", len(got), refused)
	}
}

// TestStory_Quota: against the real log as many endpoints are made as the quota lets, whoever asks at once, and who is
// refused leaves nothing behind.
func TestStory_Quota(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	var made struct{ Token string }
	p.do(
		"POST",
		selfTenant+"/registrations",
		json.RawMessage(`{"name":"crowd","event_types":["offer.*"],"quota":10}`),
		&made,
	)
	holder := newClient("http://"+p.address, made.Token)
	statuses := make(chan int, 50)
	group, ctx := errgroup.WithContext(t.Context())
	for range cap(statuses) {
		group.Go(func() error {
			resp, err := holder.send(
				ctx,
				"POST",
				selfTenant+"/endpoints",
				strings.NewReader(`{"name":"e","url":"http://127.0.0.1:1/","event_types":["offer.*"]}`),
			)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			statuses <- resp.StatusCode
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusCreated] != 10 || count[http.StatusConflict] != 40 {
		t.Errorf("answered %v", count)
	}
	for kind, want := range map[string]int{"endpoint.created": 10, "registration.used": 10, "subscription.created": 10} {
		var page struct{ Items []struct{ Kind string } }
		p.do("GET", selfTenant+"/log?limit=1000&kind="+kind, nil, &page)
		if len(page.Items) != want {
			t.Errorf("%d entries of %s, want %d", len(page.Items), kind, want)
		}
	}
}

// appendOne appends an event and returns its sequence.
func (p *program) appendOne(t testing.TB, body string) int64 {
	t.Helper()
	var made struct{ Sequence int64 }
	p.do("POST", selfTenant+"/events", json.RawMessage(body), &made)
	return made.Sequence
}

// signUp makes the endpoint, and tries what it may not have.
func (h *holder) signUp(url string) (path string) {
	h.t.Helper()
	const endpoints = selfTenant + "/endpoints"
	h.do(
		h.token,
		http.StatusUnprocessableEntity,
		"POST",
		endpoints,
		`{"name":"spark","url":"`+url+`","profile":"coherent-spark","auth":{"type":"api_key","value":"v"}}`,
	)
	h.do(
		h.token,
		http.StatusUnprocessableEntity,
		"POST",
		endpoints,
		`{"name":"greedy","url":"`+url+`","profile":"sparkfly","event_types":["*"]}`,
	)
	made := into[struct {
		ID          string
		SigningKey  string `json:"signing_key"`
		ReceiverKey string `json:"receiver_key"`
		Verified    bool
	}](h.t, h.do(h.token, http.StatusCreated, "POST", endpoints,
		`{"name":"warehouse","url":"`+url+`","profile":"sparkfly","event_types":["offer.*"],"retry":{"schedule":["100ms"]}}`))
	if made.Verified || made.SigningKey == "" || made.ReceiverKey == "" {
		h.t.Fatalf("made %+v", made)
	}
	h.key = made.ReceiverKey
	h.set(func() { h.signingKey = made.SigningKey })
	h.do(h.token, http.StatusConflict, "POST", endpoints, `{"name":"second","url":"`+url+`","profile":"sparkfly"}`)
	return endpoints + "/" + made.ID
}

// seesSkip waits until the receiver is told why it got nothing.
func (h *holder) seesSkip(reason string) {
	h.t.Helper()
	eventually(h.t, 10*time.Second, "the skip is listed", func() bool {
		page := into[struct {
			Items []struct{ Skipped []struct{ Reason string } }
		}](h.t, h.do(h.key, http.StatusOK, "GET", selfTenant+"/skips", ""))
		return len(page.Items) == 1 && len(page.Items[0].Skipped) == 1 && page.Items[0].Skipped[0].Reason == reason
	})
}

// passHandshake fails first, as one does, and then answers the challenge.
func (h *holder) passHandshake(path string) {
	h.t.Helper()
	type result struct {
		Passed     bool
		StatusCode int `json:"status_code"`
		Endpoint   struct{ Verified bool }
	}
	if got := into[result](
		h.t,
		h.do(h.key, http.StatusOK, "POST", path+"/handshake", ""),
	); got.Passed || got.StatusCode != http.StatusNotFound ||
		got.Endpoint.Verified {
		h.t.Fatalf("without an answer: %+v", got)
	}
	h.set(func() { h.challenge = "give" })
	if got := into[result](
		h.t,
		h.do(h.key, http.StatusOK, "POST", path+"/handshake", ""),
	); !got.Passed ||
		!got.Endpoint.Verified {
		h.t.Fatalf("with the challenge: %+v", got)
	}
}

// chooseTypes takes another type that the registration allows.
func (h *holder) chooseTypes(path string) {
	h.t.Helper()
	id := path[strings.LastIndexByte(path, '/')+1:]
	h.do(
		h.key,
		http.StatusCreated,
		"POST",
		selfTenant+"/subscriptions",
		`{"endpoint_id":"`+id+`","event_types":["order.paid"]}`,
	)
	h.do(
		h.key,
		http.StatusUnprocessableEntity,
		"POST",
		selfTenant+"/subscriptions",
		`{"endpoint_id":"`+id+`","event_types":["secret.*"]}`,
	)
}

func (h *holder) rotate(path string) {
	h.t.Helper()
	rotated := into[struct {
		SigningKey string `json:"signing_key"`
	}](h.t, h.do(h.key, http.StatusOK, "POST", path+"/rotate-key", `{"overlap":"0s"}`))
	h.set(func() { h.signingKey = rotated.SigningKey })
}

// test has a sample sent: marked on the wire and in the listings.
func (h *holder) test(path string) {
	h.t.Helper()
	made := into[struct {
		EventID    string `json:"event_id"`
		Deliveries string
	}](h.t, h.do(h.key, http.StatusCreated, "POST", path+"/test", `{"type":"offer.issued","data":"only a test"}`))
	if a := h.arrives(
		`"only a test"`,
	); a.header.Get("Hooktrail-Test") != "true" || a.event.kind != "offer.issued" ||
		a.event.id != made.EventID {
		h.t.Errorf("the test came as %v %+v", a.header, a.event)
	}
	eventually(h.t, 10*time.Second, "the test's delivery is listed", func() bool {
		page := into[struct {
			Items []struct {
				Test   bool
				Status string
			}
		}](h.t, h.do(h.key, http.StatusOK, "GET", made.Deliveries, ""))
		return len(page.Items) == 1 && page.Items[0].Test && page.Items[0].Status == "succeeded"
	})
}

// redrive lets a delivery die and sets it going again.
func (h *holder) redrive(p *program) {
	h.t.Helper()
	h.set(func() { h.fail = true })
	p.appendOne(h.t, `{"type":"offer.issued","data":"at a bad time"}`)
	var dead struct{ Items []deliveryRow }
	eventually(h.t, 15*time.Second, "the delivery is dead", func() bool {
		dead.Items = nil
		dead = into[struct{ Items []deliveryRow }](
			h.t,
			h.do(h.key, http.StatusOK, "GET", selfTenant+"/deliveries?status=dead", ""),
		)
		return len(dead.Items) == 1
	})
	h.set(func() { h.fail = false })
	h.do(h.key, http.StatusOK, "POST", selfTenant+"/deliveries/"+dead.Items[0].ID+"/redrive", "")
	h.arrives(`"at a bad time"`)
}

// move changes the URL: only to where the challenge is answered.
func (h *holder) move(p *program, path, from string) {
	h.t.Helper()
	there := h.server()
	target := there.URL + "/new?token=s3cret-query"
	shown := func() string {
		return into[struct{ URL string }](h.t, h.do(h.key, http.StatusOK, "GET", path, "")).URL
	}
	h.set(func() { h.challenge = "" })
	h.do(h.key, http.StatusUnprocessableEntity, "PATCH", path, `{"url":"`+target+`"}`)
	if got := shown(); got != from {
		h.t.Errorf("after a refused move requests go to %s", got)
	}
	h.set(func() { h.challenge = "give" })
	h.do(h.key, http.StatusForbidden, "PATCH", path, `{"url":"`+target+`","timeout":"1s"}`)
	h.do(h.key, http.StatusOK, "PATCH", path, `{"url":"`+target+`"}`)
	if got, want := shown(), there.URL+"/new?[redacted]"; got != want {
		h.t.Errorf("moved to %s, want %s", got, want)
	}
	p.appendOne(h.t, `{"type":"offer.issued","data":"at the new place"}`)
	a := h.arrives(`"at the new place"`)
	if a.url.String() != "/new?token=s3cret-query" || a.header.Get("Host") != strings.TrimPrefix(there.URL, "http://") {
		h.t.Errorf("it went to %s%s", a.header.Get("Host"), a.url)
	}
	if text := string(
		h.do(p.key, http.StatusOK, "GET", selfTenant+"/log?limit=1000", ""),
	); strings.Contains(
		text,
		"s3cret-query",
	) {
		h.t.Error("the log shows the query of the new URL")
	}
}
