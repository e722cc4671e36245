package openapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// settle returns when the views reflect all that was appended: lists of events and deliveries show what the views have.
func (f *fixture) settle() { f.get(f.operator, "/v1/tenants/acme").want(http.StatusOK) }

// walk reads a list page by page and returns its items.
func (f *fixture) walk(target string) (items []map[string]any, sequences []string) {
	f.t.Helper()
	for next := target; next != ""; {
		got := f.get(f.operator, next).want(http.StatusOK)
		var page struct {
			Items []map[string]any
			Next  *string
		}
		got.into(&page)
		items = append(items, page.Items...)
		sequences = append(sequences, got.Header.Get("Hooktrail-Sequence"))
		next = ""
		if page.Next == nil {
			if got.Header.Get("Link") != "" {
				f.t.Errorf("%s: a last page with %s", target, got.Header.Get("Link"))
			}
			continue
		}
		link, ok := strings.CutPrefix(got.Header.Get("Link"), "<")
		link, rel, _ := strings.Cut(link, ">")
		if !ok || rel != `; rel="next"` || strings.Trim(*page.Next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			f.t.Fatalf("Link %q, next %q", got.Header.Get("Link"), *page.Next)
		}
		next = link
	}
	return items, sequences
}

// TestPaging walks every list in pages while things are added, both ways: the walk shows what was there when it began.
func TestPaging(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	var endpoint string
	add := func(n int) {
		endpoint = f.post(f.operator, acme+"/endpoints", fmt.Sprintf(`{"name":"e%d","url":"https://receiver.example/"}`, n)).want(http.StatusCreated).text("id")
		f.post(f.operator, acme+"/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["*"]}`).want(http.StatusCreated)
		f.key("acme", domain.RoleProducer)
		f.deliver(f.event("acme", fmt.Sprintf("v%d", n)), endpoint)
	}
	for n := range 7 {
		add(n)
	}
	for i, list := range []string{"/endpoints", "/subscriptions", "/keys", "/events", "/events?type=offer.issued", "/deliveries", "/deliveries?status=pending", "/log", "/log?kind=endpoint.*"} {
		t.Run(list, func(t *testing.T) {
			separator := "?"
			if strings.Contains(list, "?") {
				separator = "&"
			}
			f.settle()
			whole, _ := f.walk(acme + list + separator + "limit=1000")
			for _, order := range []string{"asc", "desc"} {
				first := f.get(f.operator, acme+list+separator+"limit=2&order="+order).want(http.StatusOK)
				add(100*(i+1) + len(order))
				var begun struct {
					Items []map[string]any
					Next  string
				}
				first.into(&begun)
				rest, sequences := f.walk(acme + list + separator + "limit=2&order=" + order + "&cursor=" + begun.Next)
				got := append(begun.Items, rest...)
				if order == "desc" {
					slices.Reverse(got)
				}
				if fmt.Sprint(got) != fmt.Sprint(whole) {
					t.Errorf("%s %s: walked %d items, there were %d", list, order, len(got), len(whole))
				}
				if slices.ContainsFunc(sequences, func(s string) bool { return s != first.Header.Get("Hooktrail-Sequence") }) {
					t.Errorf("pages reflect %v, the first %s", sequences, first.Header.Get("Hooktrail-Sequence"))
				}
				f.get(f.operator, acme+list+separator+"limit=2&order="+map[string]string{"asc": "desc", "desc": "asc"}[order]+"&cursor="+begun.Next).
					problem(http.StatusBadRequest, "invalid_cursor")
				f.get(f.operator, "/v1/tenants/other"+list+separator+"limit=2&order="+order+"&cursor="+begun.Next).problem(http.StatusBadRequest, "invalid_cursor")
				f.settle()
				whole, _ = f.walk(acme + list + separator + "limit=1000")
			}
		})
	}
	tenants, _ := f.walk("/v1/tenants?limit=1")
	if len(tenants) != 2 || tenants[0]["id"] != "acme" || tenants[1]["id"] != "other" {
		t.Errorf("walked %v", tenants)
	}
	down, _ := f.walk("/v1/tenants?limit=1&order=desc")
	if slices.Reverse(down); fmt.Sprint(down) != fmt.Sprint(tenants) {
		t.Errorf("walked %v downwards, %v upwards", down, tenants)
	}
	f.get(f.operator, "/v1/tenants?min_sequence=99", "Prefer", "wait=0").problem(http.StatusServiceUnavailable, "view_behind")
}

// TestPaging_FanOut walks deliveries that one entry made: pages end between them, and none is lost or shown twice.
func TestPaging_FanOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var endpoints []string
	for range 7 {
		endpoints = append(endpoints, domain.NewUUID().String())
	}
	before, event, after := f.event("acme", "before"), f.event("acme", "a"), f.event("acme", "after")
	subscription := domain.NewUUID()
	f.fanOut(before, subscription, endpoints[0])
	f.fanOut(event, subscription, endpoints...)
	f.fanOut(after, domain.NewUUID(), endpoints[6])
	f.settle()
	for query, want := range map[string]int{"": 9, "&event_id=a": 7, "&subscription_id=" + subscription.String(): 8, "&endpoint_id=" + endpoints[6]: 2} {
		whole, _ := f.walk("/v1/tenants/acme/deliveries?limit=1000" + query)
		if len(whole) != want {
			t.Fatalf("%q: %d deliveries, want %d", query, len(whole), want)
		}
		for _, order := range []string{"asc", "desc"} {
			got, _ := f.walk("/v1/tenants/acme/deliveries?limit=2&order=" + order + query)
			if order == "desc" {
				slices.Reverse(got)
			}
			if fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Errorf("%q %s: walked\n%v, want\n%v", query, order, got, whole)
			}
		}
	}
}

// TestAsOf reads every configuration at every sequence it ever had, and at its time, and finds what was answered then.
func TestAsOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e0","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	sub := f.post(f.operator, acme+"/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["a.*"]}`).want(http.StatusCreated).text("id")
	things := []string{acme, acme + "/endpoints/" + endpoint, acme + "/subscriptions/" + sub, acme + "/endpoints", acme + "/subscriptions", acme + "/keys"}
	type state struct {
		sequence string
		at       time.Time
		bodies   map[string]string
	}
	var history []state
	note := func() {
		s := state{bodies: make(map[string]string)}
		for _, thing := range things {
			got := f.get(f.operator, thing)
			body := strings.Replace(string(got.Body), `"health":{"failures":0},`, "", 1) // told of the present only
			s.bodies[thing] = fmt.Sprint(got.Code, " ", body)
			s.sequence = got.Header.Get("Hooktrail-Sequence")
			if s.sequence == "" {
				s.sequence = f.get(f.operator, acme).want(http.StatusOK).Header.Get("Hooktrail-Sequence")
			}
		}
		s.at = f.recordedAt("acme", s.sequence)
		history = append(history, s)
	}
	note()
	for _, change := range []func(){
		func() { f.patch(f.operator, things[1], `{"name":"e1","metadata":{"a":"1","b":"2"}}`).want(200) },
		func() { f.post(f.operator, things[1]+"/pause", `{"reason":"window"}`).want(200) },
		func() { f.patch(f.operator, things[2], `{"event_types":["b.*","c"]}`).want(200) },
		func() { f.post(f.operator, things[2]+"/pause", "").want(200) },
		func() { f.post(f.operator, things[1]+"/resume", "").want(200) },
		func() { f.patch(f.operator, acme, `{"webhooks_enabled":false,"name":"Acme"}`).want(200) },
		func() { f.event("acme", "changes-nothing") },
		func() { f.post(f.operator, things[1]+"/rotate-key", `{"overlap":"1h"}`).want(200) },
		func() { f.key("acme", domain.RoleAuditor) },
		func() { f.do(f.operator, "DELETE", things[2], "").want(204) },
		func() { f.do(f.operator, "DELETE", things[1], "").want(204) },
	} {
		change()
		note()
	}
	for _, s := range history {
		for _, thing := range things {
			for _, moment := range []string{"as_of_sequence=" + s.sequence, "as_of=" + domain.FormatTime(s.at)} {
				got := f.get(f.operator, thing+"?"+moment)
				if text := fmt.Sprint(got.Code, " ", string(got.Body)); text != s.bodies[thing] {
					t.Errorf("%s?%s:\n got %s\nthen %s", thing, moment, text, s.bodies[thing])
				}
				if got.Code == http.StatusOK && got.Header.Get("Hooktrail-Sequence") != s.sequence {
					t.Errorf("%s?%s reflects %s", thing, moment, got.Header.Get("Hooktrail-Sequence"))
				}
			}
		}
	}
	f.get(f.operator, acme+"?as_of=2001-01-01T00:00:00Z").problem(http.StatusNotFound, "not_found")
	f.get(f.operator, acme+"?as_of=0001-01-01T00:00:00Z").problem(http.StatusNotFound, "not_found")
}

func (f *fixture) recordedAt(tenant, sequence string) time.Time {
	f.t.Helper()
	at, err := time.Parse(time.RFC3339Nano, f.get(f.operator, "/v1/tenants/"+tenant+"/log/"+sequence).want(http.StatusOK).text("recorded_at"))
	if err != nil {
		f.t.Fatal(err)
	}
	return at
}

// TestEvent_Exact: data comes out as it went in, to the byte, on every way in and out.
func TestEvent_Exact(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/events"
	for i, data := range []string{
		`null`, `"<&>\u2028 é \/ \u00e9"`, "{\"b\" : 1,\n\t\"a\":[ ]}", `1.500e+00`, `123456789012345678901234567890`, `{"":{"":[{}]}}`, `"\ud83d\ude00"`,
	} {
		id := fmt.Sprintf("e%d", i)
		f.post(f.operator, target, `{"data": `+data+` ,"id":"`+id+`","type":"a.b"}`).want(http.StatusCreated)
		f.post(f.operator, target+"/batch", `{"events" : [ {"id":"b`+id+`" , "type":"a.b","data":`+data+`} ] }`).want(http.StatusCreated)
		f.post(f.operator, target+"/batch", `{"id":"n`+id+`","type":"a.b","data":`+strings.ReplaceAll(data, "\n", " ")+"}\r\n\n", "Content-Type", "application/x-ndjson").want(http.StatusCreated)
		for _, path := range []string{"/" + id, "/b" + id, "?id=" + id} {
			body := string(f.get(f.operator, target+path).want(http.StatusOK).Body)
			if !strings.Contains(body, `"data":`+data+"}") {
				t.Errorf("%s: %s, want the data %s", path, body, data)
			}
			if !json.Valid([]byte(body)) {
				t.Errorf("%s is no JSON: %s", path, body)
			}
		}
	}
}

func TestEvent_Names(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/events"
	f.post(f.operator, target, `{"id":"a/b?c=%25","type":"a.b","data":1}`).want(http.StatusCreated)
	if got := ids(f.get(f.operator, target+"?id=a/b%3Fc%3D%2525").want(http.StatusOK)); got != `"a/b?c=%25"` {
		t.Errorf("found %s", got)
	}
	anonymous := f.post(f.operator, target, `{"type":"a.b","data":2}`).want(http.StatusCreated)
	got := f.get(f.operator, target+"/"+anonymous.text("id")).want(http.StatusOK)
	if got.text("id") != got.text("uuid") || got.text("source") != "/tenants/acme" || got.text("schema_version") != "v1" || got.text("occurred_at") != got.text("recorded_at") {
		t.Errorf("%s", got.Body)
	}
	named := f.post(f.operator, target, `{"id":"n","source":"/s","type":"a.b","data":3}`).want(http.StatusCreated)
	uuid := f.get(f.operator, target+"/by-sequence/"+fmt.Sprint(named.number("sequence"))).want(http.StatusOK).text("uuid")
	if f.get(f.operator, target+"/"+uuid).want(http.StatusOK).text("id") != "n" {
		t.Error("an event isn't found by its internal id")
	}
	f.get(f.operator, target+"/n").problem(http.StatusNotFound, "not_found")
	f.get(f.operator, target+"/by-sequence/0").problem(http.StatusNotFound, "not_found")
}

// TestEvent_Shadowed: a producer may call an event by another one's internal id; a look-up by it finds the producer's, and
// the other one is found by what only it has.
func TestEvent_Shadowed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/events"
	f.post(f.operator, target, `{"id":"first","type":"a.b","data":1}`).want(http.StatusCreated)
	uuid := f.get(f.operator, target+"/first").want(http.StatusOK).text("uuid")
	if got := f.get(f.operator, target+"/"+uuid).want(http.StatusOK); got.text("id") != "first" {
		t.Errorf("%s", got.Body)
	}
	second := f.post(f.operator, target, `{"id":"`+uuid+`","type":"a.b","data":2}`).want(http.StatusCreated)
	for _, path := range []string{"/" + uuid, "/" + uuid + "?source=/tenants/acme", "/by-sequence/" + second.Header.Get("Hooktrail-Sequence")} {
		if got := f.get(f.operator, target+path+map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")]+"min_sequence="+second.Header.Get("Hooktrail-Sequence")).
			want(http.StatusOK); got.number("data") != 2 || got.text("uuid") == uuid {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
	if got := f.get(f.operator, target+"/first").want(http.StatusOK); got.number("data") != 1 || got.text("uuid") != uuid {
		t.Errorf("%s", got.Body)
	}
}

// TestEvents_Times lists events by when they were recorded: from inclusive, to exclusive.
func TestEvents_Times(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var at []string
	for _, id := range []string{"a", "b", "c"} {
		at = append(at, domain.FormatTime(f.event("acme", id).RecordedAt))
	}
	f.settle()
	producer := f.key("acme", domain.RoleProducer, `,"principal":"first"`) // no event of its own
	for query, want := range map[string]string{
		"from=" + at[1]: `"b","c"`, "to=" + at[1]: `"a"`, "from=" + at[1] + "&to=" + at[2]: `"b"`, "from=" + at[0] + "&order=desc": `"c","b","a"`, "to=" + at[0]: "",
	} {
		if got := ids(f.get(f.operator, "/v1/tenants/acme/events?"+query).want(http.StatusOK)); got != want {
			t.Errorf("events?%s: %s, want %s", query, got, want)
		}
		if got := ids(f.get(producer, "/v1/tenants/acme/events?"+query).want(http.StatusOK)); got != "" {
			t.Errorf("events?%s: a producer of none sees %s", query, got)
		}
	}
}

// awaitedLog tells when somebody waits for the log to grow.
type awaitedLog struct {
	domain.Log
	awaited chan struct{}
}

func (l awaitedLog) Await(ctx context.Context, after domain.Position) {
	select {
	case l.awaited <- struct{}{}:
	default: // more looks at the log than the test counts
	}
	l.Log.Await(ctx, after)
}

// TestMinSequence: every kind of read gives up in time, and those of the log itself wait for what isn't there yet.
func TestMinSequence(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	producer := f.key("acme", domain.RoleProducer)
	views := []string{"/v1/tenants/acme", "/v1/tenants/acme/endpoints", "/v1/tenants/acme/deliveries"}
	reads := map[string]string{"/v1/tenants/acme/log": f.operator, "/v1/tenants/acme/log/2": f.operator, "/v1/tenants/acme/events": producer}
	for _, path := range append(views, slices.Collect(maps.Keys(reads))...) {
		key := f.operator
		if reads[path] != "" {
			key = reads[path]
		}
		f.get(key, path+"?min_sequence=2", "Prefer", "wait=0").problem(http.StatusServiceUnavailable, "view_behind")
	}
	for path, key := range reads {
		awaited, answered := make(chan struct{}, 1), make(chan answer)
		f.server.Log = awaitedLog{f.log, awaited}
		f.useServer()
		head := int(f.event("acme", path).Sequence)
		go func() { answered <- f.get(key, fmt.Sprintf("%s?min_sequence=%d", path, head+1), "Prefer", "wait=30") }()
		select {
		case <-awaited:
			f.event("acme", path+"-more")
			(<-answered).want(http.StatusOK)
		case got := <-answered:
			t.Errorf("%s didn't wait: %d %s", path, got.Code, got.Body)
		}
	}
}

// TestAsOf_Settle: only a moment into which an append may still fall waits for the appends under way.
func TestAsOf_Settle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var settled int
	ahead := time.Duration(0)
	f.server.Settler = settler(func() { settled++ })
	f.server.Clock = func() time.Time { return time.Now().Add(ahead) }
	f.useServer()
	first, last := f.event("acme", "a"), f.event("acme", "b")
	for _, c := range []struct {
		name string
		at   time.Time
		wait bool
	}{
		{"before the last entry", first.RecordedAt, false},
		{"at the last entry", last.RecordedAt, true},
		{"after the last entry", now(), true},
	} {
		settled = 0
		f.get(f.operator, "/v1/tenants/acme?as_of="+domain.FormatTime(c.at)).want(http.StatusOK)
		if (settled > 0) != c.wait {
			t.Errorf("%s: waited %d times", c.name, settled)
		}
	}
	settled, ahead = 0, time.Minute
	f.get(f.operator, "/v1/tenants/acme?as_of="+domain.FormatTime(now())).want(http.StatusOK)
	if settled > 0 {
		t.Error("waited for appends that ended long ago")
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	event := f.event("acme", "x")
	f.get(f.operator, acme+"/events/x/routing").want(http.StatusOK)
	made := f.post(f.operator, acme+"/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["other"]}`).want(http.StatusCreated)
	subscription, err := domain.ParseUUID(made.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	id := f.fanOut(event, subscription, endpoint)[0]
	routing := f.get(f.operator, acme+"/events/x/routing").want(http.StatusOK)
	if routing.value("complete") != true || routing.text("deliveries.0.id") != id.String() || routing.text("deliveries.0.endpoint_id") != endpoint {
		t.Errorf("routing %s", routing.Body)
	}
	path := acme + "/deliveries/" + id.String()
	pending := f.get(f.operator, path).want(http.StatusOK)
	f.attempt(event, endpoint, id, 1, domain.DeliveryRetrying)
	f.attempt(event, endpoint, id, 2, domain.DeliveryDead)
	got := f.get(f.operator, path+"?min_sequence="+fmt.Sprint(int(event.Sequence)+5)).want(http.StatusOK)
	if got.text("status") != "dead" || got.number("attempts") != 2 || got.text("event_id") != "x" || got.number("event_sequence") != int(event.Sequence) {
		t.Errorf("delivery %s", got.Body)
	}
	then := f.get(f.operator, path+"?as_of_sequence="+fmt.Sprint(pending.number("created_sequence"))).want(http.StatusOK)
	if string(then.Body) != string(pending.Body) {
		t.Errorf("as of its creation %s, it was %s", then.Body, pending.Body)
	}
	attempts := f.get(f.operator, path+"/attempts").want(http.StatusOK)
	if attempts.text("items.1.outcome") != "failed" || attempts.number("items.0.status_code") != 500 || attempts.value("items.0.duration_ms") != 1.5 ||
		attempts.text("items.0.response.body") != "/2s=" || attempts.value("items.0.response.base64") != true || attempts.value("items.0.response.incomplete") != true || fmt.Sprint(attempts.value("items.0.response.headers.x")) != "[1 2]" {
		t.Errorf("attempts %s", attempts.Body)
	}
	body := f.get(f.operator, path+"/attempts/1/body").want(http.StatusOK)
	if !strings.Contains(string(body.Body), `{"id":"x"}`) || body.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("sent %v %s", body.Header, body.Body)
	}
	f.get(f.operator, path+"/attempts/3/body").problem(http.StatusNotFound, "not_found")
	f.rebuilt = func(domain.SentAttempt) ([]byte, error) { return nil, fmt.Errorf("wrapped: %w", domain.ErrNothingSent) }
	f.get(f.operator, path+"/attempts/1/body").problem(http.StatusNotFound, "nothing_sent")
	f.rebuilt = nil
	second := "?as_of_sequence=" + fmt.Sprint(attempts.number("items.1.started_sequence"))
	f.get(f.operator, path+"/attempts/2/body"+second).want(http.StatusOK)
	first := "?as_of_sequence=" + fmt.Sprint(attempts.number("items.1.started_sequence")-1)
	f.get(f.operator, path+"/attempts/2/body"+first).problem(http.StatusNotFound, "not_found")
	for at, complete := range map[int]bool{routing.number("sequence"): true, routing.number("sequence") - 1: false} {
		then := f.get(f.operator, acme+"/events/x/routing?as_of_sequence="+fmt.Sprint(at)).want(http.StatusOK)
		if then.value("complete") != complete || then.Header.Get("Hooktrail-Sequence") != fmt.Sprint(at) {
			t.Errorf("as of %d: %v %s", at, then.Header, then.Body)
		}
	}
	f.get(f.operator, acme+"/events/x/routing?as_of_sequence="+fmt.Sprint(int(event.Sequence)-1)).problem(http.StatusNotFound, "not_found")

	f.post(f.operator, acme+"/endpoints/"+endpoint+"/pause", "").want(http.StatusOK)
	redriven := f.post(f.operator, path+"/redrive", `{"reason":"fixed"}`).want(http.StatusOK)
	if redriven.text("status") != "retrying" || redriven.text("next_attempt_at") == "" {
		t.Errorf("redriven %s", redriven.Body)
	}
	f.post(f.operator, path+"/redrive", "").problem(http.StatusConflict, "not_dead")
	for filter, want := range map[string]int{
		"event_id=x": 1, "event_id=y": 0, "endpoint_id=" + endpoint: 1, "status=retrying": 1, "status=dead": 0, "subscription_id=" + id.String(): 0, "subscription_id=" + subscription.String(): 1,
		"event_id=" + event.Stream.ID.String(): 1, "to=2001-01-01T00:00:00Z": 0, "from=2001-01-01T00:00:00Z": 1,
	} {
		list := f.get(f.operator, acme+"/deliveries?"+filter).want(http.StatusOK)
		if items, _ := list.value("items").([]any); len(items) != want {
			t.Errorf("deliveries?%s: %s", filter, list.Body)
		}
	}
}

// settler is called whenever a read waits for appends under way.
type settler func()

// Settle implements openapi.Settler.
func (s settler) Settle(context.Context) error { s(); return nil }
