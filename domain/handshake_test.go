package domain_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func handshakeEndpoint(t *testing.T) domain.Endpoint {
	t.Helper()
	created, err := domain.CreateEndpoint(domain.EndpointConfig{
		Name: "e", URL: "https://receiver.example/old", Profile: "p", ProfileDigest: "d", Handshake: domain.HandshakeOwnership,
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	return domain.Endpoint{ID: id(1), Version: 1, EndpointConfig: created.Endpoint}
}

func TestEndpoint_Handshake(t *testing.T) {
	t.Parallel()
	e := handshakeEndpoint(t)
	if !e.Unverified || e.Active() {
		t.Fatalf("a new endpoint with a handshake must wait for it: %+v", e)
	}
	start := domain.HandshakeStart{
		ID: id(2), Kind: domain.HandshakeOwnership, URL: "https://receiver.example/new", Query: &domain.SecretQuery{Secret: id(3), Fingerprint: "f"},
	}
	if started, err := e.StartHandshake(start); err != nil || !started.Endpoint.Unverified || started.Endpoint.URL != e.URL {
		t.Errorf("a start changes nothing: %+v, %v", started, err)
	}
	failed, err := e.FinishHandshake(start, domain.HandshakeResult{}, nil)
	if err != nil || !failed.Endpoint.Unverified || failed.Endpoint.URL != e.URL || failed.Result.ID != id(2) {
		t.Errorf("a failed one: %+v, %v", failed, err)
	}
	passed, err := e.FinishHandshake(start, domain.HandshakeResult{Passed: true, AllowedPerMinute: 120}, nil)
	if err != nil || passed.Endpoint.Unverified || passed.Endpoint.URL != start.URL || passed.Endpoint.Query != start.Query {
		t.Errorf("a passed one: %+v, %v", passed, err)
	}
	if limit := passed.Endpoint.RateLimit; limit == nil || limit.PerSecond != 2 || limit.Burst != 1 {
		t.Errorf("120 a minute allowed: %+v", limit)
	}
	for _, allowed := range []int{1, 60e6 + 1, math.MaxInt} {
		passed, err := e.FinishHandshake(start, domain.HandshakeResult{Passed: true, AllowedPerMinute: allowed}, nil)
		if err != nil {
			t.Fatal(err)
		}
		verified := domain.Endpoint{ID: id(1), Version: 2, EndpointConfig: passed.Endpoint}
		if _, err := verified.Update(verified.EndpointConfig, false); err != nil {
			t.Errorf("after %d a minute were allowed the endpoint can't be changed any more: %v", allowed, err)
		}
	}
	other := start
	other.Kind = domain.HandshakeCloudEvents
	if passed, err := e.FinishHandshake(other, domain.HandshakeResult{Passed: true}, nil); err != nil || !passed.Endpoint.Unverified {
		t.Errorf("another kind than the one that is demanded verifies nothing: %+v, %v", passed, err)
	}
	start.Kind = ""
	_, err = e.StartHandshake(start)
	wrongField(t, err, "handshake")
	e.Deleted = true
	if _, err := e.FinishHandshake(other, domain.HandshakeResult{Passed: true}, nil); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("of a deleted endpoint: %v", err)
	}
}

func TestEndpoint_UpdateWithHandshake(t *testing.T) {
	t.Parallel()
	e := handshakeEndpoint(t)
	config := e.EndpointConfig
	config.URL = "https://receiver.example/new"
	if updated, err := e.Update(config, false); err != nil || !updated.Endpoint.Unverified {
		t.Errorf("before the handshake any URL may be set: %+v, %v", updated, err)
	}
	e.Unverified = false
	_, err := e.Update(config, false)
	wrongField(t, err, "url")
	e.Query, config = &domain.SecretQuery{Secret: id(3), Fingerprint: "a"}, e.EndpointConfig
	for _, query := range []*domain.SecretQuery{nil, {Secret: id(4), Fingerprint: "b"}} {
		config.Query = query
		_, err = e.Update(config, false)
		wrongField(t, err, "url")
	}
	config.Query = &domain.SecretQuery{Secret: id(4), Fingerprint: "a"}
	if _, err := e.Update(config, false); err != nil {
		t.Errorf("the same query under another id: %v", err)
	}
	config = e.EndpointConfig
	config.Handshake = domain.HandshakeCloudEvents
	if updated, err := e.Update(config, false); err != nil || !updated.Endpoint.Unverified {
		t.Errorf("a handshake that is newly demanded must be passed: %+v, %v", updated, err)
	}
	config.Handshake = ""
	if updated, err := e.Update(config, false); err != nil || updated.Endpoint.Unverified {
		t.Errorf("without a handshake nothing is left to pass: %+v, %v", updated, err)
	}
	config.Handshake = "telepathy"
	_, err = e.Update(config, false)
	wrongField(t, err, "handshake")
}

func TestEndpoint_Failed(t *testing.T) {
	t.Parallel()
	e := domain.Endpoint{EndpointConfig: domain.EndpointConfig{DisableAfter: domain.Duration(5 * time.Hour)}}
	var h domain.Health
	if e.Failed(h, noon, noon.Add(100*time.Hour)) {
		t.Error("what was never tried hasn't failed")
	}
	h = h.After(domain.OutcomeFailed, noon).After(domain.OutcomeFailed, noon.Add(time.Hour)).After(domain.OutcomeUnknown, noon.Add(2*time.Hour))
	if h.Failures != 2 || !h.FailingSince.Equal(noon) {
		t.Fatalf("health: %+v", h)
	}
	if e.Failed(h, noon, noon.Add(5*time.Hour-1)) || !e.Failed(h, noon, noon.Add(5*time.Hour)) {
		t.Error("the time counts from the first failure")
	}
	if e.Failed(h, noon.Add(time.Hour), noon.Add(5*time.Hour)) {
		t.Error("a change of the configuration begins the time anew")
	}
	if h = h.After(domain.OutcomeSucceeded, noon.Add(3*time.Hour)); h.Failures != 0 || !h.FailingSince.IsZero() || e.Failed(h, noon, noon.Add(100*time.Hour)) {
		t.Errorf("a success ends it: %+v", h)
	}
	e.DisableAfter = 0
	if e.Failed(domain.Health{FailingSince: noon}, noon, noon.Add(10000*time.Hour)) {
		t.Error("0 is never")
	}
}
