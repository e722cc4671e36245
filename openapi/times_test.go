package openapi_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestTimes: every time that a client sends is read alike, whether it comes in a query or in a body.
func TestTimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.withFilters()
	f.event("acme", "a")
	f.settle()
	const tenant = "/v1/tenants/acme"
	const sent = `{"type":"a.b","data":1`
	calls := map[string]func(at string) answer{
		"body.expires_at": func(at string) answer {
			return f.post(f.operator, tenant+"/keys", `{"role":"auditor","name":"a","expires_at":"`+at+`"}`)
		},
		"body.expires_at of an operator": func(at string) answer {
			return f.post(f.operator, "/v1/keys", `{"role":"monitor","name":"a","expires_at":"`+at+`"}`)
		},
		"body.expires_at of a registration": func(at string) answer {
			return f.post(f.operator, tenant+"/registrations", `{"name":"r","event_types":["a.*"],"profiles":["sparkfly"],"expires_at":"`+at+`"}`)
		},
		"body.occurred_at": func(at string) answer { return f.post(f.operator, tenant+"/events", sent+`,"occurred_at":"`+at+`"}`) },
		"body.from":        func(at string) answer { return f.post(f.operator, tenant+"/filters/test", `{"from":"`+at+`"}`) },
		"body.to":          func(at string) answer { return f.post(f.operator, tenant+"/filters/test", `{"to":"`+at+`"}`) },
		"body.as_of": func(at string) answer {
			return f.post(f.operator, tenant+"/route-previews", `{"event":`+sent+`},"as_of":"`+at+`"}`)
		},
	}
	for _, list := range []string{"log", "events", "deliveries", "skips"} {
		for _, name := range []string{"from", "to"} {
			calls["query."+name+" of "+list] = func(at string) answer {
				return f.get(f.operator, fmt.Sprintf("%s/%s?%s=%s", tenant, list, name, url.QueryEscape(at)))
			}
		}
	}
	for _, path := range []string{"", "/endpoints", "/subscriptions", "/keys", "/deliveries", "/event-types", "/registrations"} {
		calls["query.as_of of "+tenant+path] = func(at string) answer {
			return f.get(f.operator, tenant+path+"?as_of="+url.QueryEscape(at))
		}
	}
	for name, call := range calls {
		location, _, _ := strings.Cut(name, " ")
		for _, at := range []string{"2026-07-01T12:00:00,5Z", "2026-07-01T12:00:00+24:00", "2026-02-30T12:00:00Z", "2026-07-01", "1998-12-31T23:58:60Z"} {
			call(at).problem(http.StatusUnprocessableEntity, "validation_failed").names(location)
		}
		past := location == "body.occurred_at" || strings.HasSuffix(location, "from") || strings.HasSuffix(location, "to")
		for _, at := range []string{"2999-07-01t12:00:00.123z", "2998-12-31T23:59:60Z", "2999-07-01T12:00:00.1234567+23:59"} {
			got := call(at)
			switch {
			case strings.HasSuffix(location, "as_of"):
				got.problem(http.StatusUnprocessableEntity, "as_of_in_future")
			case past:
				if got.Code >= 300 {
					t.Errorf("%s=%s: %d %s", name, at, got.Code, got.Body)
				}
			default:
				got.want(http.StatusCreated)
			}
		}
	}
	key := f.post(f.operator, tenant+"/keys", `{"role":"auditor","name":"a","expires_at":"2999-07-01t12:00:00.1234567+02:00"}`).want(http.StatusCreated)
	if got := key.text("expires_at"); got != "2999-07-01T10:00:00.123456Z" {
		t.Errorf("expires_at reads back as %s", got)
	}
}

// TestEvent_DefaultsSpelledOut: an event that is repeated with what it reads back with is the same event.
func TestEvent_DefaultsSpelledOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	producer := f.key("acme", domain.RoleProducer)
	const tenant = "/v1/tenants/acme"
	const events = tenant + "/events"
	f.put(f.operator, tenant+"/event-types/a.b", `{"version":"v7"}`).want(http.StatusCreated)
	cloud := []string{"Content-Type", "application/cloudevents+json"}
	ownDefaults := `"source":"/tenants/acme","subject":"","dataschema":null,"extensions":{}`

	first := f.post(producer, events, `{"id":"1","type":"a.b","data":1}`).want(http.StatusCreated)
	read := f.get(producer, events+"/1").want(http.StatusOK)
	at := read.text("occurred_at")
	if read.text("schema_version") != "v7" {
		t.Fatalf("reads back as %s", read.Body)
	}
	head := f.head()
	for _, again := range []string{
		`"schema_version":"v7"`, `"occurred_at":"` + at + `"`, `"schema_version":"v7","occurred_at":"` + at + `"`,
		ownDefaults, ownDefaults + `,"schema_version":"v7","occurred_at":"` + at + `"`,
	} {
		event := `{"id":"1","type":"a.b","data":1,` + again + `}`
		if got := f.post(producer, events, event).want(http.StatusOK); got.text("leaf_hash") != first.text("leaf_hash") {
			t.Errorf("%s: %s", again, got.Body)
		}
		batch := f.post(producer, events+"/batch", `{"events":[`+event+`,{"id":"1","type":"a.b","data":1}]}`)
		if strings.Contains(again, "occurred_at") { // in one request they differ: nothing was read back yet
			batch = f.post(producer, events+"/batch", `{"events":[`+event+`]}`)
		}
		if got := batch.want(http.StatusOK); got.text("items.0.leaf_hash") != first.text("leaf_hash") {
			t.Errorf("%s in a batch: %s", again, got.Body)
		}
	}
	f.post(producer, events, `{"specversion":"1.0","id":"1","source":"/tenants/acme","type":"a.b","data":1,"time":"`+at+`"}`, cloud...).want(http.StatusOK)
	f.post(producer, events, `{"specversion":"1.0","id":"1","source":"/tenants/acme","type":"a.b","data":1,"datacontenttype":"application/json"}`, cloud...).want(http.StatusOK)
	f.post(producer, events, `1`, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/tenants/acme", "Ce-Type", "a.b", "Ce-Time", at).want(http.StatusOK)
	f.post(producer, events+"/batch", `[{"specversion":"1.0","id":"1","source":"/tenants/acme","type":"a.b","data":1,"time":"`+at+`"}]`,
		"Content-Type", "application/cloudevents-batch+json").want(http.StatusOK)

	// What was spelled out first may be left out, except a time: without one, it is the time of the request.
	f.post(producer, events, `{"id":"2","type":"a.b","data":1,"schema_version":"v7","occurred_at":"2026-07-01T12:00:00Z"}`).want(http.StatusCreated)
	f.post(producer, events, `{"id":"2","type":"a.b","data":1,"occurred_at":"2026-07-01T12:00:00Z"}`).want(http.StatusOK)
	f.post(producer, events, `{"id":"2","type":"a.b","data":1}`).problem(http.StatusConflict, "event_id_conflict")
	for _, other := range []string{`"schema_version":"v6"`, `"occurred_at":"2026-07-01T12:00:00Z"`, `"dataschema":"/x"`, `"extensions":{"a":1}`} {
		f.post(producer, events, `{"id":"1","type":"a.b","data":1,`+other+`}`).problem(http.StatusConflict, "event_id_conflict")
	}
	if got := f.head(); got != head+1 {
		t.Errorf("%d entries were appended, want 1", got-head)
	}
	another := f.key("acme", domain.RoleProducer, `,"principal":"another"`)
	f.post(another, events, `{"id":"1","type":"a.b","data":1,"schema_version":"v7"}`).problem(http.StatusConflict, "event_id_conflict")
}

// TestSigningKey_Bounds: a key of Standard Webhooks has 24 to 64 bytes, when it is made and when it is rotated.
func TestSigningKey_Bounds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const endpoints = "/v1/tenants/acme/endpoints"
	for n, fits := range map[int]bool{16: false, 23: false, 24: true, 64: true, 65: false} {
		key := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n))
		made := f.post(f.operator, endpoints, `{"name":"a","url":"https://receiver.example/in","signing_key":"`+key+`"}`)
		id := f.post(f.operator, endpoints, `{"name":"a","url":"https://receiver.example/in"}`).want(http.StatusCreated).text("id")
		rotated := f.post(f.operator, endpoints+"/"+id+"/rotate-key", `{"signing_key":"`+key+`"}`)
		for _, a := range []answer{made, rotated} {
			if fits {
				if a.Code >= 300 {
					t.Errorf("%d bytes: %d %s", n, a.Code, a.Body)
				}
				continue
			}
			a.problem(http.StatusUnprocessableEntity, "validation_failed").names("body.signing_key")
			if strings.Contains(string(a.Body), key) {
				t.Error("a key is echoed")
			}
		}
	}
}
