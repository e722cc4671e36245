package openapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestIdempotency repeats every kind of POST under the key of its first time.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	sub := f.post(f.operator, "/v1/tenants/acme/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["*"]}`).want(http.StatusCreated).text("id")
	event := f.event("acme", "first")
	dead := f.deliver(event, endpoint)
	f.attempt(event, endpoint, dead, 1, domain.DeliveryDead)
	f.event("acme", "before")
	const acme = "/v1/tenants/acme"
	cases := []struct{ name, target, body, secret string }{
		{"tenant", "/v1/tenants", `{"id":"third","name":"Third"}`, ""},
		{"instance key", "/v1/keys", `{"role":"monitor","name":"m"}`, "key"},
		{"key", acme + "/keys", `{"role":"producer","name":"p"}`, "key"},
		{"event", acme + "/events", `{"type":"a.b","data":{"a": 1}}`, ""},
		{"event with an id", acme + "/events", `{"id":"chosen","type":"a.b","data":{"a": 1}}`, ""},
		{"batch", acme + "/events/batch", `{"events":[{"type":"a.b","data":1},{"id":"before","type":"offer.issued","data":{"id":"before"}},{"id":"new","type":"a.b","data":3},{"type":"a.b","data":4},{"id":"new","type":"a.b","data":3}]}`, ""},
		{"endpoint", acme + "/endpoints", `{"name":"n","url":"https://receiver.example/"}`, "signing_key"},
		{"rotation", acme + "/endpoints/" + endpoint + "/rotate-key", `{"overlap":"1h"}`, "signing_key"},
		{"pause", acme + "/endpoints/" + endpoint + "/pause", `{"reason":"maintenance"}`, ""},
		{"resume", acme + "/endpoints/" + endpoint + "/resume", ``, ""},
		{"subscription", acme + "/subscriptions", `{"endpoint_id":"` + endpoint + `","event_types":["a.*"]}`, ""},
		{"pause of a subscription", acme + "/subscriptions/" + sub + "/pause", ``, ""},
		{"resume of a subscription", acme + "/subscriptions/" + sub + "/resume", ``, ""},
		{"resend", acme + "/events/before/resend", `{"endpoint_id":"` + endpoint + `","reason":"lost"}`, ""},
		{"redrives", acme + "/redrives", `{"filter":{"status":["dead"]},"reason":"fixed"}`, ""},
		{"replays", acme + "/replays", `{"endpoint_id":"` + endpoint + `","reason":"new"}`, ""},
		{"redrive", acme + "/deliveries/" + dead.String() + "/redrive", `{"reason":"fixed"}`, ""},
	}
	for _, c := range cases {
		key := strings.ReplaceAll(c.name, " ", "-")
		first := f.post(f.operator, c.target, c.body, "Idempotency-Key", key)
		if first.Code != http.StatusCreated && first.Code != http.StatusOK && first.Code != http.StatusAccepted || first.Header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%s: %d %v %s", c.name, first.Code, first.Header, first.Body)
		}
		// The log goes on; a repetition must show what was, not what is.
		f.event("acme", "after-"+key)
		before, secrets := f.head(), f.secrets.count()
		again := f.post(f.operator, c.target, c.body, "Idempotency-Key", key).want(first.Code)
		if again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Hooktrail-Sequence") != first.Header.Get("Hooktrail-Sequence") ||
			again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("ETag") != first.Header.Get("ETag") {
			t.Errorf("%s: first %v, again %v", c.name, first.Header, again.Header)
		}
		if want := without(t, first.Body, c.secret); string(without(t, again.Body, "")) != string(want) {
			t.Errorf("%s:\nfirst %s\nagain %s", c.name, want, again.Body)
		}
		if f.head() != before || f.secrets.count() != secrets {
			t.Errorf("%s: the repetition appended entries or kept secrets", c.name)
		}
		other := strings.Replace(c.body, "{", "{ ", 1)
		if c.body == "" {
			other = `{}`
		}
		f.post(f.operator, c.target, other, "Idempotency-Key", key).problem(http.StatusConflict, "idempotency_mismatch").names("header.Idempotency-Key")
	}
}

// without takes a member out of an answer, so that the rest can be compared.
func without(t *testing.T, body []byte, member string) []byte {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	if _, ok := doc[member]; member != "" && !ok {
		t.Fatalf("no %s in %s", member, body)
	}
	delete(doc, member)
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestIdempotency_Scope(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.key("acme", domain.RoleProducer), f.key("acme", domain.RoleProducer)
	const target, body = "/v1/tenants/acme/events", `{"type":"a.b","data":1}`
	first := f.post(one, target, body, "Idempotency-Key", "k").want(http.StatusCreated)
	if other := f.post(two, target, body, "Idempotency-Key", "k").want(http.StatusCreated); other.text("id") == first.text("id") {
		t.Error("a key of another credential is answered with this one's event")
	}
	f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"a","url":"https://a.example/"}`, "Idempotency-Key", "k").want(http.StatusCreated)
	f.post(f.operator, "/v1/tenants/acme/events", body, "Idempotency-Key", "k").want(http.StatusCreated)
	f.post(f.operator, "/v1/tenants/other/events", body, "Idempotency-Key", "k").want(http.StatusCreated)
}

// TestIdempotency_Refused: only what succeeded is kept.
func TestIdempotency_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/endpoints"
	f.post(f.operator, target, `{"name":"a","url":"ftp://a.example/"}`, "Idempotency-Key", "k").want(http.StatusUnprocessableEntity)
	f.post(f.operator, target, `{"name":"a","url":"https://a.example/"}`, "Idempotency-Key", "k").want(http.StatusCreated)
}

// slowLog holds its first append until it is let go.
type slowLog struct {
	domain.Log
	enter          *sync.Once
	entered, leave chan struct{}
}

func (l slowLog) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	l.enter.Do(func() { close(l.entered) })
	<-l.leave
	return l.Log.Append(ctx, groups...)
}

func TestIdempotency_InProgress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	slow := slowLog{f.log, new(sync.Once), make(chan struct{}), make(chan struct{})}
	f.server.Log = slow
	f.useServer()
	done := make(chan answer)
	send := func() answer {
		return f.post(f.operator, "/v1/tenants/acme/events", `{"type":"a.b","data":1}`, "Idempotency-Key", "k")
	}
	go func() { done <- send() }()
	<-slow.entered
	send().problem(http.StatusConflict, "idempotency_in_progress")
	close(slow.leave)
	(<-done).want(http.StatusCreated)
	if again := send().want(http.StatusCreated); again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%v", again.Header)
	}
}

func TestEvent_Repeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/events"
	event := `{"id":"x","type":"a.b","subject":"s","occurred_at":"2026-07-01T12:00:00+02:00","extensions":{"a":"1"},"data":{"a": 1}}`
	first := f.post(f.operator, target, event).want(http.StatusCreated)
	before := f.head()
	same := []string{
		event,
		`{"data":{"a": 1},"extensions":{"a":"1"},"source":"/tenants/acme","type":"a.b","subject":"s","occurred_at":"2026-07-01T10:00:00Z","id":"x"}`,
		strings.Replace(event, `{"a": 1}}`, `{"a": 1},"schema_version":"v1"}`, 1), // the default, spelled out
	}
	for _, body := range same {
		if again := f.post(f.operator, target, body).want(http.StatusOK); string(again.Body) != string(first.Body) {
			t.Errorf("%s, want %s", again.Body, first.Body)
		}
	}
	for _, other := range []string{
		strings.Replace(event, "a.b", "a.c", 1), strings.Replace(event, `{"a": 1}`, `{"a":1}`, 1), strings.Replace(event, `"s"`, `"t"`, 1),
		strings.Replace(event, `"1"`, `"2"`, 1), strings.Replace(event, "12:00", "12:01", 1), strings.Replace(event, `{"a": 1}}`, `{"a": 1},"schema_version":"v2"}`, 1),
	} {
		f.post(f.operator, target, other).problem(http.StatusConflict, "event_id_conflict").names("body.id")
	}
	if f.head() != before {
		t.Error("a repetition appended something")
	}
	f.post(f.operator, target, strings.Replace(event, `{"id"`, `{"source":"/elsewhere","id"`, 1)).want(http.StatusCreated)
	if got := f.get(f.operator, target+"/x?source=/elsewhere").want(http.StatusOK); got.text("source") != "/elsewhere" {
		t.Errorf("%s", got.Body)
	}
}

// TestBatch_Repeated: what was appended before is answered with its first receipt, the rest is appended.
func TestBatch_Repeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	event := func(n int) string { return fmt.Sprintf(`{"id":"e%d","type":"a.b","data":%d}`, n, n) }
	one := f.post(f.operator, "/v1/tenants/acme/events", event(1)).want(http.StatusCreated)
	batch := func(events ...string) answer {
		return f.post(f.operator, "/v1/tenants/acme/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`)
	}
	before := f.head()
	got := batch(event(0), event(1), event(2)).want(http.StatusCreated)
	if f.head() != before+2 || got.number("items.1.sequence") != one.number("sequence") || got.number("items.2.sequence") != got.number("items.0.sequence")+1 {
		t.Errorf("%d entries, %s", f.head()-before, got.Body)
	}
	before = f.head()
	if again := batch(event(0), event(1), event(2)).want(http.StatusOK); string(again.Body) != string(got.Body) || f.head() != before {
		t.Errorf("%s, want %s", again.Body, got.Body)
	}

	// Many, and the second half before the first: each gets its own receipt.
	const many = 250
	events := make([]string, many)
	for i := range events {
		events[i] = event(1000 + i)
	}
	first := batch(events...).want(http.StatusCreated)
	before = f.head()
	again := batch(slices.Concat(events[many/2:], events[:many/2])...).want(http.StatusOK)
	for i := range many {
		at, was := fmt.Sprintf("items.%d.", i), fmt.Sprintf("items.%d.", (i+many/2)%many)
		if again.text(at+"id") != first.text(was+"id") || again.number(at+"sequence") != first.number(was+"sequence") {
			t.Fatalf("event %d of the repetition is answered with another's receipt", i)
		}
	}
	if f.head() != before {
		t.Errorf("%d entries more", f.head()-before)
	}
	changed := strings.Replace(events[many-1], `"data":`, `"data":9`, 1)
	batch(append(events[:many-1:many-1], changed)...).problem(http.StatusConflict, "event_id_conflict").names(fmt.Sprintf("body.events[%d].id", many-1))
}
