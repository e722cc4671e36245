package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktrail/hooktrail/domain"
)

func TestBuild_idIsNeverAmbiguous(t *testing.T) {
	t.Parallel()
	uuid := sampleEvent().InternalID.String()
	tests := []struct {
		name, id, source          string
		webhookID, sparkfly, ceID string
	}{
		{"the producer's own", "order-7", "", "order-7", "order-7", "order-7"},
		{"own source written out", "order-7", "/tenants/acme", "order-7", "order-7", "order-7"},
		{"a dot", "a.b", "", uuid, "a.b", "a.b"},
		{"another source", "order-7", "/shop", uuid, uuid, "order-7"},
		{"another tenant's source", "order-7", "/tenants/acmes", uuid, uuid, "order-7"},
		{"none given", "", "", uuid, uuid, uuid},
		{"percent sign", "100%", "", "100%", "100%", "100%25"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := sampleEvent()
			e.ID, e.Source = tt.id, tt.source
			ce := build(t, "cloudevents", e).Header
			got := []string{
				build(t, "standard-webhooks", e).Header.Get("webhook-id"),
				ce.Get("ce-id"),
				member(t, build(t, "sparkfly", e).Body, "event_id"),
			}
			if diff := cmp.Diff([]string{tt.webhookID, tt.ceID, tt.sparkfly}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// build writes a request of an embedded profile.
func build(t *testing.T, profile string, e *Event) *Request {
	t.Helper()
	return mustBuild(
		t,
		sampleTarget(t, embeddedProfile(t, profile), "https://r.example/hook"),
		e,
		Attempt{Number: 1, At: time.Unix(1700137999, 0)},
	)
}

// member reads a string out of a body.
func member(t *testing.T, body []byte, name string) string {
	t.Helper()
	var o map[string]json.RawMessage
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var s string
	if err := json.Unmarshal(o[name], &s); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return s
}

func TestBuild_sparkboxDataIsAlwaysAnArray(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"a":1}`: `"data":[{"a":1}]}`, ` [1, 2]`: `"data": [1, 2]}`, `"[x"`: `"data":["[x"]}`, `null`: `"data":[null]}`, `[]`: `"data":[]}`,
	} {
		e := sampleEvent()
		e.Data = []byte(data)
		if body := string(build(t, "sparkbox", e).Body); !strings.HasSuffix(body, want) {
			t.Errorf("%s becomes %s", data, body)
		}
	}
}

func TestBuild_coherentSparkMembers(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, want string }{ // want is the whole of FolderName with its quotes
		{`{"FolderName":"a\u00e9\"\/b"}`, `"a\u00e9\"\/b"`},
		{`{"FolderName":19.90}`, `"19.90"`},
		{`{"FolderName":-1E+2}`, `"-1E+2"`},
		{`{"FolderName":false}`, `"false"`},
		{`{"FolderName":null}`, `""`},
		{`{}`, `""`},
		{`[{"FolderName":"x"}]`, `""`},
		{`"FolderName"`, `""`},
		{`{"x":{"FolderName":"inner"}}`, `""`},
		{`{"F\u006flderName":"escaped name"}`, `"escaped name"`},
		{` { "x" : [ "\"," , { } ] , "FolderName" : "late" } `, `"late"`},
	}
	for _, tt := range tests {
		e := sampleEvent()
		e.Data = []byte(tt.data)
		body := string(build(t, "coherent-spark", e).Body)
		if !strings.HasPrefix(body, `{"FolderName":`+tt.want+`,"ServiceName":`) {
			t.Errorf("%s becomes %s", tt.data, body)
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s makes bad JSON: %s", tt.data, body)
		}
	}
	for _, data := range []string{`{"FolderName":{}}`, `{"EntityId":["x"]}`} {
		e := sampleEvent()
		e.Data = []byte(data)
		_, err := sampleTarget(t, embeddedProfile(t, "coherent-spark"), "https://r.example/").Build(e, Attempt{Number: 1})
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Code != CodeDataRefused || refused.Text == "" {
			t.Errorf("%s: %v, want a refusal for good", data, err)
		}
	}
}

// TestBuild_cloudEventsTypes: extensions go out in the type in which they came, and the data as what it was called.
func TestBuild_cloudEventsTypes(t *testing.T) {
	t.Parallel()
	e := sampleEvent()
	e.Subject, e.DataContentType, e.Extensions = "", "application/vnd.a+json", make(map[string]domain.Extension)
	for name, value := range map[string]string{"count": "7", "least": "-2147483648", "text": `"7"`, "urgent": "true"} {
		x, err := domain.ParseExtension(name, []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		e.Extensions[name] = x
	}
	const attributes = `{"specversion":"1.0","id":"order-7","source":"/tenants/acme","type":"order.paid","time":"2023-11-16T12:30:45.12Z",` +
		`"datacontenttype":"application/vnd.a+json","count":7,"least":-2147483648,"text":"7","urgent":true`
	if body := string(build(t, "cloudevents-structured", e).Body); body != attributes+`,"data":`+string(e.Data)+`}` {
		t.Errorf("structured: %s", body)
	}
	h := build(t, "cloudevents", e).Header
	if h.Get("Content-Type") != e.DataContentType || h.Get("ce-count") != "7" || h.Get("ce-urgent") != "true" {
		t.Errorf("binary: %v", h)
	}

	e.Data = nil // which isn't null
	if body := string(build(t, "cloudevents-structured", e).Body); body != attributes+`}` {
		t.Errorf("structured without data: %s", body)
	}
	if r := build(t, "cloudevents", e); len(r.Body) > 0 || r.Header.Values("Content-Type") != nil {
		t.Errorf("binary without data: %q %v", r.Body, r.Header)
	}
	for profile, want := range map[string]string{"standard-webhooks": `"data":null}`, "sparkbox": `"data":[]}`} {
		if body := string(build(t, profile, e).Body); !strings.HasSuffix(body, want) {
			t.Errorf("%s without data: %s", profile, body)
		}
	}
}

func TestBuild_cloudEventsStructuredLeavesEmptyAttributesOut(t *testing.T) {
	t.Parallel()
	e := sampleEvent()
	e.Subject, e.Extensions = "", map[string]domain.Extension{
		"b":    domain.ExtensionText("2"),
		"a":    domain.ExtensionText(`x"y`),
		"type": domain.ExtensionText("never replaces"),
	}
	body := string(build(t, "cloudevents-structured", e).Body)
	want := `{"specversion":"1.0","id":"order-7","source":"/tenants/acme","type":"order.paid","time":"2023-11-16T12:30:45.12Z",` +
		`"datacontenttype":"application/json","a":"x\"y","b":"2","data":` + string(
		e.Data,
	) + `}`
	if body != want {
		t.Errorf("body\n got %s\nwant %s", body, want)
	}
	h := build(t, "cloudevents", e).Header
	if h.Values("ce-subject") != nil || h.Get("ce-type") != "order.paid" || h.Get("ce-a") != "x%22y" {
		t.Errorf("binary mode's headers: %v", h)
	}
}

func TestBuild_marks(t *testing.T) {
	t.Parallel()
	target := sampleTarget(t, embeddedProfile(t, "sparkfly"), "https://r.example/")
	plainHeader := mustBuild(t, target, sampleEvent(), Attempt{Number: 1}).Header
	if plainHeader.Values("hooktrail-test") != nil || plainHeader.Values("hooktrail-replay-id") != nil {
		t.Errorf("an ordinary request is marked: %v", plainHeader)
	}
	h := mustBuild(t, target, sampleEvent(), Attempt{Number: 1, Test: true, ReplayID: "r1"}).Header
	if h.Get("hooktrail-test") != "true" || h.Get("hooktrail-replay-id") != "r1" || h.Get("user-agent") != userAgent {
		t.Errorf("headers %v", h)
	}
}

// A request is built several times: for the wire, and again whenever somebody asks what was sent.
func TestBuild_repeatsToTheByte(t *testing.T) {
	t.Parallel()
	e := sampleEvent()
	e.Extensions = map[string]domain.Extension{
		"c": domain.ExtensionText("3"),
		"a": domain.ExtensionText("1"),
		"b": domain.ExtensionText("2"),
		"d": domain.ExtensionText("4"),
		"e": domain.ExtensionText("5"),
	}
	at := Attempt{Number: 3, At: time.Unix(1700137999, 0)}
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.All() {
		if p.Name == "coherent-spark" {
			continue // sampleEvent's data has none of its members; covered above
		}
		target := sampleTarget(t, p, "https://r.example/")
		first := mustBuild(t, target, e, at)
		for range 20 {
			again := mustBuild(t, target, e, at)
			if diff := cmp.Diff(
				map[string]any{"h": first.Header, "b": string(first.Body)},
				map[string]any{"h": again.Header, "b": string(again.Body)},
			); diff != "" {
				t.Fatalf("%s: %s", p.Name, diff)
			}
		}
	}
}

func TestBuild_headerCannotBeSplit(t *testing.T) {
	t.Parallel()
	e := sampleEvent()
	e.Type = "a\r\nX-Evil: 1"
	target := sampleTarget(t, embeddedProfile(t, "sparkbox"), "https://r.example/")
	_, err := target.Build(e, Attempt{Number: 1})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Code != CodeHeaderRefused || strings.Contains(refused.Text, "Evil") {
		t.Errorf("%v, want a refusal that doesn't repeat the value", err)
	}
	if body := string(build(t, "sparkfly", e).Body); !strings.Contains(body, `"a\r\nX-Evil: 1"`) {
		t.Errorf("body %s", body)
	}
}

func TestAppendTime(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("x", 3*3600+1800)
	for _, at := range []time.Time{
		time.Date(2023, 11, 16, 12, 30, 45, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 999, time.UTC),
		time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC), time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, zone),
		time.Date(9999, 1, 1, 0, 0, 0, 100_000_000, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 10_000_000, time.UTC),
		time.Date(2026, 1, 1, 0, 0, 0, 123_450_000, time.UTC),
	} {
		if got, want := string(appendTime(nil, at)), domain.FormatTime(at); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestRequest_recordsNoCredentials(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "coherent-spark")
	target := mustTarget(t, TargetConfig{
		Profile: p, URL: "https://r.example/a?token=t0psecret", Auth: Auth{Type: "api_key", In: "query", Value: "k3y/value"},
		Headers: []domain.Header{{Name: "X-Custom", Value: "cust0m"}},
	})
	e := sampleEvent()
	e.Data = []byte(`{}`)
	r := mustBuild(t, target, e, Attempt{Number: 1})
	if got, want := target.template.URL.String(), "https://r.example/a?token=t0psecret&api_key=k3y%2Fvalue"; got != want {
		t.Errorf("sends to %s, want %s", got, want)
	}
	if want := "https://r.example/a?[redacted]"; r.URL != want {
		t.Errorf("records %s, want %s", r.URL, want)
	}
	want := []domain.Header{
		{Name: "content-type", Value: "application/json"},
		{Name: "hooktrail-hops", Value: "1"},
		{Name: "user-agent", Value: userAgent},
		{Name: "x-custom", Value: redacted},
	}
	if diff := cmp.Diff(want, r.LogHeader()); diff != "" {
		t.Error(diff)
	}
	if r.Header.Get("X-Custom") != "cust0m" {
		t.Error("the custom header isn't sent")
	}
	if got := r.Header.Get("Authorization"); got != "" {
		t.Errorf("sends Authorization %q", got)
	}
}
