package domain_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// wrongField holds an error against the field of a command that it should name.
func wrongField(t *testing.T, err error, field string) {
	t.Helper()
	var invalid *domain.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != field || invalid.Text == "" {
		t.Errorf("error is %v, want one of field %s", err, field)
	}
}

func newEndpoint() domain.EndpointConfig {
	return domain.EndpointConfig{
		Name: "Orders", URL: "https://receiver.example/hooks", Profile: "standard-webhooks", ProfileDigest: "0a1b",
		Keys: []domain.SigningKey{{ID: id(20)}},
	}
}

func TestCreateEndpoint(t *testing.T) {
	t.Parallel()
	fact, err := domain.CreateEndpoint(newEndpoint(), true)
	if err != nil {
		t.Fatal(err)
	}
	c := fact.Endpoint
	if c.Concurrency != 32 || c.Timeout != domain.Duration(15*time.Second) || !reflect.DeepEqual(c.Retry, domain.DefaultSchedule()) {
		t.Errorf("defaults are %+v", c)
	}
	for field, spoil := range map[string]func(*domain.EndpointConfig){
		"name":                  func(c *domain.EndpointConfig) { c.Name = "" },
		"url":                   func(c *domain.EndpointConfig) { c.URL = "http://receiver.example" },
		"profile":               func(c *domain.EndpointConfig) { c.ProfileDigest = "" },
		"concurrency":           func(c *domain.EndpointConfig) { c.Concurrency = 1025 },
		"timeout":               func(c *domain.EndpointConfig) { c.Timeout = domain.Duration(time.Millisecond) },
		"retry.factor":          func(c *domain.EndpointConfig) { c.Retry = domain.Schedule{First: domain.MinGap} },
		"rate_limit.per_second": func(c *domain.EndpointConfig) { c.RateLimit = &domain.RateLimit{PerSecond: math.NaN(), Burst: 1} },
		"rate_limit.burst":      func(c *domain.EndpointConfig) { c.RateLimit = &domain.RateLimit{PerSecond: 1} },
		"external_id":           func(c *domain.EndpointConfig) { c.ExternalID = "\x00" },
		"headers":               func(c *domain.EndpointConfig) { c.Headers = make([]domain.SecretHeader, 17) },
		"metadata":              func(c *domain.EndpointConfig) { c.Metadata = map[string]string{"": "x"} },
	} {
		config := newEndpoint()
		spoil(&config)
		_, err := domain.CreateEndpoint(config, true)
		wrongField(t, err, field)
	}
	many := newEndpoint()
	many.Metadata = map[string]string{}
	for i := range 33 {
		many.Metadata[fmt.Sprint(i)] = ""
	}
	_, err = domain.CreateEndpoint(many, true)
	wrongField(t, err, "metadata")
}

func TestEndpoint_Update(t *testing.T) {
	t.Parallel()
	e := domain.Endpoint{Version: 3, EndpointConfig: exampleEndpoint()}
	changed := newEndpoint()
	changed.Keys, changed.Name = nil, "Renamed"
	fact, err := e.Update(changed, false)
	if err != nil {
		t.Fatal(err)
	}
	if c := fact.Endpoint; c.Name != "Renamed" || !reflect.DeepEqual(c.Keys, e.Keys) || !c.Paused || c.Disabled != "gone" {
		t.Errorf("updated to %+v: keys, pause and disabling must stay", c)
	}
	changed.URL = "ftp://receiver.example"
	_, err = e.Update(changed, false)
	wrongField(t, err, "url")
}

func TestEndpoint_RotateKey(t *testing.T) {
	t.Parallel()
	e := domain.Endpoint{EndpointConfig: newEndpoint()}
	rotate := func(n byte, overlap time.Duration, now time.Time) {
		t.Helper()
		fact, err := e.RotateKey(domain.SigningKey{ID: id(n), Until: noon}, overlap, now)
		if err != nil {
			t.Fatal(err)
		}
		e.EndpointConfig = fact.Endpoint
	}
	signing := func(now time.Time) (ids []domain.UUID) {
		for _, k := range e.SigningKeys(now) {
			ids = append(ids, k.ID)
		}
		return ids
	}
	same := func(now time.Time, want ...domain.UUID) {
		t.Helper()
		if got := signing(now); !reflect.DeepEqual(got, want) {
			t.Errorf("at %v %v sign, want %v", now.Sub(noon), got, want)
		}
	}
	rotate(21, time.Hour, noon)
	same(noon, id(21), id(20))
	same(noon.Add(time.Hour-1), id(21), id(20))
	same(noon.Add(time.Hour), id(21))
	rotate(22, 10*time.Minute, noon.Add(30*time.Minute)) // a later, shorter overlap shortens the earlier one
	same(noon.Add(40*time.Minute-1), id(22), id(21), id(20))
	same(noon.Add(40*time.Minute), id(22))
	rotate(23, time.Minute, noon.Add(41*time.Minute)) // what is over is dropped
	if len(e.Keys) != 2 {
		t.Errorf("%d keys are kept, want 2", len(e.Keys))
	}
	rotate(24, 0, noon.Add(41*time.Minute))
	same(noon.Add(41*time.Minute), id(24))

	for n := byte(25); n < 28; n++ {
		rotate(n, time.Hour, noon)
	}
	_, err := e.RotateKey(domain.SigningKey{ID: id(28)}, time.Hour, noon)
	wrongField(t, err, "overlap")
	_, err = e.RotateKey(domain.SigningKey{ID: id(28)}, -1, noon)
	wrongField(t, err, "overlap")
}

func TestEndpoint_PauseResumeDisable(t *testing.T) {
	t.Parallel()
	e := domain.Endpoint{EndpointConfig: newEndpoint()}
	if !e.Active() {
		t.Error("a new endpoint isn't active")
	}
	if resumed, err := e.Resume(); resumed != nil || err != nil {
		t.Errorf("resuming what runs: %v, %v", resumed, err)
	}
	paused, err := e.Pause()
	if err != nil || !paused.Endpoint.Paused {
		t.Fatalf("pause: %+v, %v", paused, err)
	}
	e.EndpointConfig = paused.Endpoint
	if again, err := e.Pause(); again != nil || err != nil || e.Active() {
		t.Errorf("pausing twice: %v, %v", again, err)
	}
	disabled, err := e.Disable("nothing but failures for five days")
	if err != nil || disabled.Endpoint.Disabled == "" || !disabled.Endpoint.Paused {
		t.Fatalf("disable: %+v, %v", disabled, err)
	}
	e.EndpointConfig = disabled.Endpoint
	if again, err := e.Disable("again"); again != nil || err != nil {
		t.Errorf("disabling twice: %v, %v", again, err)
	}
	_, err = e.Disable("")
	wrongField(t, err, "reason")
	resumed, err := e.Resume()
	if err != nil || resumed.Endpoint.Paused || resumed.Endpoint.Disabled != "" {
		t.Errorf("resume: %+v, %v", resumed, err)
	}
}

func TestEndpoint_Deleted(t *testing.T) {
	t.Parallel()
	e := domain.Endpoint{EndpointConfig: newEndpoint()}
	if fact, err := e.Delete(); err != nil || fact.Endpoint.Name != e.Name {
		t.Errorf("delete: %+v, %v", fact, err)
	}
	e.Deleted = true
	_, update := e.Update(newEndpoint(), false)
	_, rotate := e.RotateKey(domain.SigningKey{}, 0, noon)
	_, pause := e.Pause()
	_, resume := e.Resume()
	_, disable := e.Disable("x")
	_, again := e.Delete()
	for i, err := range []error{update, rotate, pause, resume, disable, again} {
		if !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("decision %d on a deleted endpoint: %v", i, err)
		}
	}
	if e.Active() {
		t.Error("a deleted endpoint is active")
	}
}

func TestValidateURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://a", "http://a.example:8080/x?y=z", "https://[::1]:443/", "https://xn--bcher-kva.example/%C3%A9"} {
		if err := domain.ValidateURL("url", good, false); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", "/a", "//a.example", "https:", "https://", "https:///x", "https://:80", "https:a.example", "ftp://a", "file:///etc/passwd",
		"https://u@a", "https://u:p@a", "https://a/#f", "https://a/#", "https://a/ b", "https://bücher.example", "https://a/\x00", "https://a/\n",
		"https://a:port/", "https://a/%zz", "https://" + strings.Repeat("a", domain.MaxURLBytes),
	} {
		wrongField(t, domain.ValidateURL("url", bad, false), "url")
	}
	wrongField(t, domain.ValidateURL("url", "http://a", true), "url")
}

func TestEndpoint_String(t *testing.T) {
	t.Parallel()
	e := domain.Endpoint{ID: id(1), Version: 2, EndpointConfig: newEndpoint()}
	if got := e.String(); got != "endpoint "+id(1).String()+" version 2" {
		t.Errorf("%s", got)
	}
}
