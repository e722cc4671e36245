package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// cloudReceiver is the CloudEvents SDK's own receiver.
type cloudReceiver struct {
	server *httptest.Server
	mu     sync.Mutex // guards events
	events map[string]cloudevents.Event
}

func newCloudReceiver(t testing.TB) *cloudReceiver {
	t.Helper()
	r := &cloudReceiver{events: map[string]cloudevents.Event{}}
	protocol, err := cloudevents.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := cloudevents.NewHTTPReceiveHandler(
		t.Context(),
		protocol,
		func(_ context.Context, e cloudevents.Event) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events[e.ID()] = e
			return e.Validate()
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewServer(handler)
	t.Cleanup(r.server.Close)
	return r
}

func (r *cloudReceiver) all() map[string]cloudevents.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.events)
}

// TestStory_CloudEventsSDK: what the CloudEvents SDK's client sends in each mode arrives at the SDK's receiver, in
// binary and in structured mode, with the same attributes, extensions and data.
func TestStory_CloudEventsSDK(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	inBinary, structured := newCloudReceiver(t), newCloudReceiver(t)
	p.endpointTo(inBinary.server.URL, map[string]any{"profile": "cloudevents"})
	p.endpointTo(structured.server.URL, map[string]any{"profile": "cloudevents-structured"})

	sent := cloudStoryEvents(t)
	p.sendCloudEvents(sent)
	for name, receiver := range map[string]*cloudReceiver{"binary": inBinary, "structured": structured} {
		eventually(t, 20*time.Second, "all arrived in "+name+" mode", func() bool { return len(receiver.all()) == len(sent) })
	}
	for _, want := range sent {
		got := unescaped(t, inBinary.all()[want.ID()])
		sameCloudEvent(t, "binary", got, want)
		if string(got.Data()) != string(want.Data()) {
			t.Errorf("binary: the data of %s is %s, want %s", want.ID(), got.Data(), want.Data())
		}
		got = structured.all()[want.ID()]
		sameCloudEvent(t, "structured", got, want)
		if len(want.Data()) == 0 || len(got.Data()) == 0 {
			if len(want.Data()) != len(got.Data()) {
				t.Errorf("structured: the data of %s is %q, want %q", want.ID(), got.Data(), want.Data())
			}
			continue
		}
		if !reflect.DeepEqual(decoded(t, got.Data()), decoded(t, want.Data())) {
			t.Errorf("structured: the data of %s is %s, want %s", want.ID(), got.Data(), want.Data())
		}
	}
	eventually(t, 10*time.Second, "every delivery succeeded", func() bool {
		return !slices.ContainsFunc(p.deliveries(), func(d deliveryRow) bool { return d.Status != "succeeded" })
	})
}

// cloudStoryEvents have what a mode could lose: other scripts, spaces, percent signs and quotes in attributes,
// extensions of all types that CloudEvents has, data of every JSON type, and no data.
func cloudStoryEvents(t testing.TB) []cloudevents.Event {
	t.Helper()
	var events []cloudevents.Event
	for i, data := range []string{
		`{"price":19.90,"big":12345678901234567890,"z":1,"a":"Café \u00e9 日本"}`, `["a",1.0,{"b":null}]`, `"only a text"`, `-0.5`, `true`, `null`, "",
	} {
		e := cloudevents.NewEvent()
		e.SetID("event-" + strconv.Itoa(i))
		e.SetSource("https://shop.example/orders?region=eu")
		e.SetType("com.example.order.placed")
		e.SetTime(time.Date(2026, 7, 1, 12, 0, i, 5000, time.UTC))
		if i%2 == 0 {
			e.SetSubject(`kunde é "100%" 日本`)
			e.SetDataSchema("https://shop.example/schema/1#a")
			e.SetExtension("partner", "north & süd")
			e.SetExtension("count", 7)
			e.SetExtension("urgent", true)
			e.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		}
		if data == "" { // an event without any
			events = append(events, e)
			continue
		}
		if err := e.SetData(cloudevents.ApplicationJSON, []byte(data)); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// sendCloudEvents sends two events in each mode; the SDK's client knows no batch, so that request is made by the SDK's
// protocol alone.
func (p *program) sendCloudEvents(events []cloudevents.Event) {
	t := p.t
	t.Helper()
	target := "http://" + p.address + "/v1/tenants/default/events"
	protocol, err := cloudevents.NewHTTP(
		cloudevents.WithTarget(target),
		cehttp.WithHeader("Authorization", "Bearer "+p.key),
	)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cloudevents.NewClient(protocol)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events[:4] {
		mode := binding.WithForceBinary
		if i >= 2 {
			mode = binding.WithForceStructured
		}
		if result := client.Send(mode(t.Context()), e); !cloudevents.IsACK(result) {
			t.Fatalf("%s: %v", e.ID(), result)
		}
	}
	req, err := cehttp.NewHTTPRequestFromEvents(t.Context(), target+"/batch", events[4:])
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(problemOf(resp))
	}
}

// unescaped undoes the percent-encoding of headers, which the HTTP binding (§3.1.3.2) asks of receivers and this SDK's
// leaves undone.
func unescaped(t testing.TB, e cloudevents.Event) cloudevents.Event {
	t.Helper()
	plain := func(text string) string {
		text, err := url.PathUnescape(text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	out := e.Clone()
	out.SetSubject(plain(e.Subject()))
	for name, value := range e.Extensions() {
		if text, ok := value.(string); ok {
			out.SetExtension(name, plain(text))
		}
	}
	return out
}

// sameCloudEvent compares attributes and extensions; those travel as text, whatever type they began as.
func sameCloudEvent(t testing.TB, mode string, got, want cloudevents.Event) {
	t.Helper()
	attributes := func(e cloudevents.Event) [8]string {
		return [8]string{
			e.SpecVersion(),
			e.ID(),
			e.Source(),
			e.Type(),
			e.Subject(),
			e.DataSchema(),
			e.DataContentType(),
			e.Time().UTC().Format(time.RFC3339Nano),
		}
	}
	if attributes(got) != attributes(want) {
		t.Errorf("%s: the attributes are\n%q, want\n%q", mode, attributes(got), attributes(want))
	}
	texts := func(e cloudevents.Event) map[string]string {
		all := map[string]string{}
		for name, value := range e.Extensions() {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(text)
			if _, isText := value.(string); !isText {
				all[name] = strconv.Quote(string(text))
			}
		}
		return all
	}
	if g, w := texts(got), texts(want); !maps.Equal(g, w) {
		t.Errorf("%s: the extensions of %s are %v, want %v", mode, want.ID(), g, w)
	}
}

// decoded reads JSON, numbers as they are written.
func decoded(t testing.TB, text []byte) (value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}
