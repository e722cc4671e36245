package webhook

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

const userAgent = "Hooktrail/test"

// embeddedProfile returns one of the profiles that the program brings along.
func embeddedProfile(t testing.TB, name string) *Profile {
	t.Helper()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p := set.Named(name)
	if p == nil {
		t.Fatalf("no embedded profile %s", name)
	}
	return p
}

func mustKey(t testing.TB, p *Profile, text string) *Key {
	t.Helper()
	k, err := p.ParseKey(domain.NewUUID(), text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustTarget(t testing.TB, c TargetConfig) *Target {
	t.Helper()
	if c.UserAgent == "" {
		c.UserAgent = userAgent
	}
	target, err := NewTarget(c)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func mustBuild(t testing.TB, target *Target, e *Event, a Attempt) *Request {
	t.Helper()
	r, err := target.Build(e, a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sampleEvent is an event whose members all differ, with data that survives only a splice.
func sampleEvent() *Event {
	id, _ := domain.ParseUUID("01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e")
	return &Event{
		ID: "order-7", InternalID: id, Sequence: 4711, Tenant: "acme", Type: "order.paid", Subject: "member/42",
		SchemaVersion: "v1", OccurredAt: time.Date(2023, 11, 16, 12, 30, 45, 120_000_000, time.UTC),
		Data: []byte(`{"price":19.90, "big":12345678901234567890,"café":"\u00e9é"}`),
	}
}

type vector struct {
	Name, Profile string
	Event         struct {
		ID, Source, Tenant, Type, Subject string
		InternalID                        domain.UUID `json:"internal_id"`
		Sequence                          int64
		OccurredAt                        time.Time `json:"occurred_at"`
		SchemaVersion                     string    `json:"schema_version"`
		DataSchema                        string    `json:"data_schema"`
		Extensions                        map[string]domain.Extension
	}
	Data     string `json:"data_raw"`
	Endpoint struct {
		ID, URL     string
		SigningKey  *string  `json:"signing_key"`
		SigningKeys []string `json:"signing_keys"` // of a rotation, the new one first
		Auth        *struct{ Type, In, Name, Value string }
	}
	Attempt     int
	AttemptedAt int64 `json:"attempted_at"`
	Test        bool
	ReplayID    string `json:"replay_id"`
	Expect      struct {
		URL     string
		Headers map[string]*string
		Body    string `json:"body_raw"`
	}
}

func (v *vector) event() *Event {
	return &Event{
		ID:            v.Event.ID,
		InternalID:    v.Event.InternalID,
		Sequence:      v.Event.Sequence,
		Tenant:        v.Event.Tenant,
		Type:          v.Event.Type,
		Source:        v.Event.Source,
		Subject:       v.Event.Subject,
		SchemaVersion: v.Event.SchemaVersion,
		DataSchema:    v.Event.DataSchema,
		OccurredAt:    v.Event.OccurredAt,
		Extensions:    v.Event.Extensions,
		Data:          []byte(v.Data),
	}
}

// TestBuild_vectors holds requests to examples that were computed apart from this package: vectors.json came with the
// formats' description, and vectors_more.json, by a program in another language, has the corners.
func TestBuild_vectors(t *testing.T) {
	t.Parallel()
	for file, least := range map[string]int{"vectors.json": 7, "vectors_more.json": 28} {
		raw, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []vector
		if err := json.Unmarshal(raw, &vectors); err != nil {
			t.Fatal(err)
		}
		if len(vectors) < least {
			t.Fatalf("%s has %d vectors", file, len(vectors))
		}
		for _, v := range vectors {
			t.Run(v.Profile+" "+v.Endpoint.ID+" "+v.Name, func(t *testing.T) {
				t.Parallel()
				checkVector(t, v)
			})
		}
	}
}

func checkVector(t *testing.T, v vector) {
	p := embeddedProfile(t, v.Profile)
	config := TargetConfig{Profile: p, EndpointID: v.Endpoint.ID, URL: v.Endpoint.URL}
	if v.Endpoint.SigningKey != nil {
		v.Endpoint.SigningKeys = []string{*v.Endpoint.SigningKey}
	}
	for _, key := range v.Endpoint.SigningKeys {
		config.Keys = append(config.Keys, mustKey(t, p, key))
	}
	if a := v.Endpoint.Auth; a != nil {
		config.Auth = Auth{Type: a.Type, In: a.In, Name: a.Name, Value: a.Value}
	}
	target := mustTarget(t, config)
	r := mustBuild(
		t,
		target,
		v.event(),
		Attempt{Number: v.Attempt, At: time.Unix(v.AttemptedAt, 0), Test: v.Test, ReplayID: v.ReplayID},
	)
	if string(r.Body) != v.Expect.Body {
		t.Errorf("body\n got %s\nwant %s", r.Body, v.Expect.Body)
	}
	if got := target.template.URL.String(); got != v.Expect.URL {
		t.Errorf("URL %s, want %s", got, v.Expect.URL)
	}
	for name, want := range v.Expect.Headers {
		got := r.Header.Values(name)
		if want == nil && len(got) > 0 {
			t.Errorf("header %s is there", name)
		}
		if want != nil && (len(got) != 1 || got[0] != *want) {
			t.Errorf("header %s is %q, want %q", name, got, *want)
		}
	}
}
