package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hooktrail/hooktrail/domain"
)

func describe(t testing.TB, p *Profile, s Sample) Description {
	t.Helper()
	d, err := p.Describe(s)
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	return d
}

// TestDescribe_golden pins what receivers are told about every profile.
func TestDescribe_golden(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.All() {
		d := describe(t, p, Sample{})
		if diff := cmp.Diff(d, describe(t, p, Sample{})); diff != "" {
			t.Errorf("%s is described differently the next time: %s", p.Name, diff)
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(d); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, fmt.Sprintf("describe/%s.v%d.json", p.Name, p.Version), out.Bytes())
	}
}

// compiledSchema compiles a described body's schema.
func compiledSchema(t testing.TB, d Description) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.BodySchema))
	if err != nil {
		t.Fatalf("%v in %s", err, d.BodySchema)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:body", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:body")
	if err != nil {
		t.Fatalf("%v in %s", err, d.BodySchema)
	}
	return schema
}

func validate(t testing.TB, schema *jsonschema.Schema, body []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return schema.Validate(value)
}

// Every body of the vectors is as its profile's description says, and no other body is.
func TestDescribe_vectorsFitTheSchema(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		p := embeddedProfile(t, v.Profile)
		schema := compiledSchema(t, describe(t, p, Sample{}))
		body, err := p.Body(v.Endpoint.ID, v.event(), Attempt{Number: v.Attempt, At: time.Unix(v.AttemptedAt, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, body); err != nil {
			t.Errorf("%s: %v in %s", v.Profile, err, body)
		}
		if p.Name == "cloudevents" {
			continue // its body is the event's data, which may be anything
		}
		for what, wrong := range map[string]string{
			"one member more": strings.TrimSuffix(string(body), "}") + `,"Extra":[1]}`, "no members": "{}", "an array": "[" + string(body) + "]",
		} {
			if validate(t, schema, []byte(wrong)) == nil {
				t.Errorf("%s: %s fits as well: %s", v.Profile, what, wrong)
			}
		}
	}
}

// What is left out or spread into a body fits as well; so does what an operator's own profile makes.
func TestDescribe_schemaOfWhatMayBeAbsent(t *testing.T) {
	t.Parallel()
	structured := embeddedProfile(t, "cloudevents-structured")
	own, err := ParseProfile([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Profile{structured, own} {
		schema := compiledSchema(t, describe(t, p, Sample{}))
		for _, subject := range []string{"", "member/42"} {
			e := sampleEvent()
			e.Subject, e.Extensions = subject, map[string]domain.Extension{"traceparent": domain.ExtensionText("00-ab-cd-01")}
			body, err := p.Body("e1", e, Attempt{Number: 1, At: time.Unix(1700137999, 0)})
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, schema, body); err != nil {
				t.Errorf("%s: %v in %s", p.Name, err, body)
			}
			if wrong := bytes.Replace(body, []byte(`"order-7"`), []byte(`7`), 1); validate(t, schema, wrong) == nil {
				t.Errorf("%s: a number as id fits as well: %s", p.Name, wrong)
			}
		}
	}
}

// The sample's signature is one that the example key verifies: a receiver can try its code on it.
func TestDescribe_sampleVerifies(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	edOnly, err := ParseProfile(
		[]byte(strings.NewReplacer(`{"hmac-sha256": ""}`, `{"ed25519": ""}`, `"text"`, `"whsec"`).Replace(valid)),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(set.All(), edOnly) {
		d := describe(t, p, Sample{})
		if d.Signature == nil {
			if p.Signs() {
				t.Errorf("%s: the signature isn't described", p.Name)
			}
			continue
		}
		header := map[string][]string{}
		for _, h := range d.Headers {
			header[http.CanonicalHeaderKey(h.Name)] = []string{h.Example}
		}
		key, err := p.ParseVerifyingKey(d.Signature.ExampleKey)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, time.March, 14, 9, 26, 55, 0, time.UTC)
		if err := Verify(p, []*Key{key}, header, []byte(d.Body), at, time.Minute); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestDescribe_sample(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "sparkbox")
	success, err := ParseSuccess([]string{"200", "202"})
	if err != nil {
		t.Fatal(err)
	}
	d := describe(t, p, Sample{
		EndpointID: "e1", Type: "model.approved", SchemaVersion: "v7", Data: []byte(`{"price":19.90}`), Success: success,
		Timeout: 1500 * time.Millisecond, Retry: domain.Schedule{Gaps: []domain.Duration{domain.Duration(90 * time.Second)}},
	})
	if !strings.Contains(d.Body, `"event_type":"model.approved"`) || !strings.Contains(d.Body, `"api_version":"v7"`) ||
		!strings.HasSuffix(d.Body, `"data":[{"price":19.90}]}`) {
		t.Errorf("body %s", d.Body)
	}
	if d.Success != "200 or 202" || d.Answers[1].Status != "202" || d.Timeout != "1.5 s" ||
		d.Retries.Gaps[0] != "1 min 30 s" {
		t.Errorf("%s, %v, %s, %v", d.Success, d.Answers, d.Timeout, d.Retries)
	}
	_, err = embeddedProfile(t, "coherent-spark").Describe(Sample{Data: []byte(`{"FolderName":{}}`)})
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("data that the format can't carry: %v", err)
	}
}

func TestDescribeRetries(t *testing.T) {
	t.Parallel()
	d := func(text string) domain.Duration {
		parsed, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		return domain.Duration(parsed)
	}
	for _, tt := range []struct {
		schedule domain.Schedule
		want     string
	}{
		{domain.Schedule{}, "9 retries, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h after the end of the attempt before it, each gap ±10 %; the last comes about 75 h 35 min after the first attempt. Then the delivery is dead until somebody redrives it."},
		{domain.Schedule{First: d("1m"), Factor: 2, MaxElapsed: d("72h")}, "12 retries, 1 min, 2 min, 4 min, 8 min, 16 min, 32 min, 1 h 4 min, 2 h 8 min, 4 h 16 min, 8 h 32 min, 17 h 4 min, 34 h 8 min after the end of the attempt before it; the last comes about 68 h 15 min after the first attempt. Then the delivery is dead until somebody redrives it."},
		{domain.Schedule{Gaps: []domain.Duration{d("100ms")}, Jitter: 0.25}, "One retry, 100 ms after the end of the attempt before it, each gap ±25 %. Then the delivery is dead until somebody redrives it."},
		{domain.Schedule{First: d("1m"), Factor: 1, MaxElapsed: d("20m")}, "20 retries, 1 min, 1 min, 1 min, 1 min, 1 min, 1 min, 1 min, 1 min, 1 min, 1 min, 1 min, …, 1 min after the end of the attempt before it; the last comes about 20 min after the first attempt. Then the delivery is dead until somebody redrives it."},
	} {
		if got := DescribeRetries(tt.schedule).Text; got != tt.want {
			t.Errorf("said as\n got %s\nwant %s", got, tt.want)
		}
	}
}
