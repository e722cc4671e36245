package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// handshakeReceiver answers by its path, and keeps the last request's header and query.
type handshakeReceiver struct {
	header http.Header
	query  string
	method string
}

// ServeHTTP implements http.Handler.
func (h *handshakeReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.header, h.query, h.method = r.Header.Clone(), r.URL.RawQuery, r.Method
	var check struct{ Challenge string }
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &check)
	}
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/owner":
		_, _ = io.WriteString(w, check.Challenge) // the server notices
	case r.URL.Path == "/cloudevents":
		w.Header().Set("WebHook-Allowed-Origin", "hooks.bank.example")
		w.Header().Set("WebHook-Allowed-Rate", "90")
	}
}

// TestCourier_Handshake: a handshake carries the endpoint's credentials to the URL that is asked, and what is kept of it
// holds none of them, nor the challenge.
func TestCourier_Handshake(t *testing.T) {
	t.Parallel()
	receiver := &handshakeReceiver{}
	server := httptest.NewServer(receiver)
	defer server.Close()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := webhook.NewSender(webhook.SenderConfig{Guard: webhook.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	const query, token = "tenant=query-secret-1", "bearer-secret-2"
	known := newCourier(sender, onlyEmbedded(profiles), func(_ context.Context, _ domain.TenantID, _ domain.UUID, purpose string) ([]byte, error) {
		return map[string][]byte{domain.PurposeQuery: []byte(query), domain.PurposeAuth: []byte(token)}[purpose], nil
	}, "hooks.bank.example")
	nameless := newCourier(sender, onlyEmbedded(profiles), known.secrets, "")
	endpoint := domain.Endpoint{ID: domain.NewUUID(), Tenant: "acme", Version: 3, EndpointConfig: domain.EndpointConfig{
		URL: "https://old.example/", Profile: "cloudevents", ProfileDigest: profiles.Named("cloudevents").Digest,
		Auth: &domain.EndpointAuth{Type: "bearer", Secret: domain.NewUUID()}, Handshake: domain.HandshakeCloudEvents, Timeout: domain.DefaultTimeout,
	}}
	for _, test := range []struct {
		courier *courier
		kind    domain.HandshakeKind
		path    string
		passed  bool
		error   string
		rate    int
	}{
		{known, domain.HandshakeOwnership, "/owner", true, "", 0},
		{known, domain.HandshakeOwnership, "/silent", false, "not_passed", 0},
		{known, domain.HandshakeCloudEvents, "/cloudevents", true, "", 90},
		{known, domain.HandshakeCloudEvents, "/owner", false, "not_passed", 0},
		{nameless, domain.HandshakeCloudEvents, "/cloudevents", false, "not_sendable", 0},
	} {
		start := domain.HandshakeStart{
			ID: domain.NewUUID(), Kind: test.kind, URL: server.URL + test.path + "?tenant=%5Bredacted%5D", Query: &domain.SecretQuery{Secret: domain.NewUUID()},
			At: now(), TimeoutMS: 10_000,
		}
		result, body := test.courier.Handshake(t.Context(), domain.HandshakeOrder{Endpoint: endpoint, Start: start})
		if result.Passed != test.passed || result.Error != test.error || result.AllowedPerMinute != test.rate || (result.Detail == "") != test.passed {
			t.Errorf("%s at %s: %+v", test.kind, test.path, result)
		}
		if test.error != "not_sendable" && (receiver.query != query || receiver.header.Get("Authorization") != "Bearer "+token) {
			t.Errorf("%s at %s: came with %s and %v", test.kind, test.path, receiver.query, receiver.header)
		}
		kept, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"query-secret-1", token} {
			if strings.Contains(string(kept)+string(body), secret) {
				t.Errorf("%s at %s: %s is kept", test.kind, test.path, secret)
			}
		}
		if test.path == "/owner" && test.passed && string(body) != "[masked]" {
			t.Errorf("the challenge is kept: %s", body)
		}
	}
	start := domain.HandshakeStart{ID: domain.NewUUID(), Kind: domain.HandshakeOwnership, URL: "http://169.254.169.254/latest", At: now(), TimeoutMS: 1000}
	if result, _ := known.Handshake(t.Context(), domain.HandshakeOrder{Endpoint: endpoint, Start: start}); result.Passed || result.Error == "" || result.RemoteAddr != "" {
		t.Errorf("a handshake passes the guard: %+v", result)
	}
}

// TestCourier_Origin: an endpoint that let an origin in hears of it with every delivery, and no other does.
func TestCourier_Origin(t *testing.T) {
	t.Parallel()
	receiver := &handshakeReceiver{}
	server := httptest.NewServer(receiver)
	defer server.Close()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := webhook.NewSender(webhook.SenderConfig{Guard: webhook.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	known := newCourier(sender, onlyEmbedded(profiles), nil, "hooks.bank.example")
	for version, test := range []struct {
		handshake  domain.HandshakeKind
		unverified bool
		want       string
	}{
		{domain.HandshakeCloudEvents, false, "hooks.bank.example"},
		{domain.HandshakeCloudEvents, true, ""},
		{domain.HandshakeOwnership, false, ""},
		{"", false, ""},
	} {
		answer := known.Send(t.Context(), dispatch.Shipment{
			Endpoint: domain.Endpoint{ID: domain.NewUUID(), Tenant: "acme", Version: version, EndpointConfig: domain.EndpointConfig{
				URL: server.URL, Profile: "cloudevents", ProfileDigest: profiles.Named("cloudevents").Digest, Handshake: test.handshake, Unverified: test.unverified,
			}},
			Event: dispatch.Event{ID: domain.NewUUID(), Sequence: 1, RecordedAt: now(), Fact: &domain.EventAppended{
				Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "order.placed", SchemaVersion: "v1"}, EventIdentity: domain.EventIdentity{ID: "order-1", Source: "/tenants/acme"}}, Data: []byte(`{}`),
			}},
			Attempt: domain.AttemptStarted{Number: 1, At: now()}, Deadline: time.Now().Add(10 * time.Second),
		})
		if answer.Result.Outcome != domain.OutcomeSucceeded || receiver.header.Get("WebHook-Request-Origin") != test.want {
			t.Errorf("%+v: %+v with %v", test, answer.Result, receiver.header)
		}
	}
}
