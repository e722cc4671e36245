package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// TestCourier_Send: what the dispatcher hears of an answer is the profile's judgement, with the endpoint's own statuses
// of success where it has some.
func TestCourier_Send(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := r.URL.Query().Get("wait"); wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		status, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
	}))
	defer receiver.Close()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := webhook.NewSender(webhook.SenderConfig{
		Guard: webhook.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	c := newCourier(sender, onlyEmbedded(profiles), func(context.Context, domain.TenantID, domain.UUID, string) ([]byte, error) {
		return nil, domain.ErrNotFound // none of the endpoints has a secret
	}, "")
	// what counts of an answer
	type verdict struct {
		outcome                   domain.AttemptOutcome
		permanent, gone, throttle bool
		wait                      time.Duration // counted from the attempt's end
	}
	succeeded, failed := verdict{outcome: domain.OutcomeSucceeded}, verdict{outcome: domain.OutcomeFailed}
	tests := []struct {
		profile, path string
		success       []string // the endpoint's own
		want          verdict
	}{
		{"firespring", "/200", nil, succeeded},
		{"firespring", "/204", nil, failed},
		{"firespring", "/204", []string{"2xx"}, succeeded},
		{"firespring", "/410", nil, failed},
		{"firespring", "/429?wait=60", nil, failed},
		{"cloudevents", "/204", nil, succeeded},
		{"cloudevents", "/204", []string{"200"}, failed},
		{"cloudevents", "/410", nil, verdict{outcome: domain.OutcomeFailed, gone: true}},
		{"cloudevents", "/429?wait=60", nil, verdict{outcome: domain.OutcomeFailed, throttle: true, wait: time.Minute}},
		{"cloudevents", "/503", nil, verdict{outcome: domain.OutcomeFailed, throttle: true}},
		{"cloudevents", "/500?wait=999999", nil, verdict{outcome: domain.OutcomeFailed, wait: domain.MaxRetryAfter}},
	}
	for _, test := range tests {
		answer := c.Send(t.Context(), dispatch.Shipment{
			Endpoint: domain.Endpoint{ID: domain.NewUUID(), Tenant: "acme", Version: 1, EndpointConfig: domain.EndpointConfig{
				URL: receiver.URL + test.path, Profile: test.profile,
				ProfileDigest: profiles.Named(test.profile).Digest, Success: test.success,
			}},
			Event: dispatch.Event{ID: domain.NewUUID(), Sequence: 1, RecordedAt: now(), Fact: &domain.EventAppended{
				Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "order.placed", SchemaVersion: "v1"}, EventIdentity: domain.EventIdentity{ID: "order-1", Source: "/tenants/acme"}},
				Data:  []byte(`{}`),
			}},
			Attempt:  domain.AttemptStarted{Number: 1, At: now()},
			Deadline: time.Now().Add(10 * time.Second),
		})
		got := verdict{outcome: answer.Result.Outcome, permanent: answer.Permanent, gone: answer.Gone, throttle: answer.Throttle}
		if !answer.NotBefore.IsZero() {
			got.wait = answer.NotBefore.Sub(answer.Result.FinishedAt).Round(time.Second)
		}
		if got != test.want {
			t.Errorf("%s, %s, %v: %+v, want %+v (%s)", test.profile, test.path, test.success, got, test.want, answer.Result.Detail)
		}
	}
}

// TestCourier_Body: a body is built again from the log alone, and there is none where the format can't carry the event.
func TestCourier_Body(t *testing.T) {
	t.Parallel()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	c := newCourier(nil, onlyEmbedded(profiles), nil, "")
	body := func(profile, data string) ([]byte, error) {
		return c.Body(t.Context(), domain.SentAttempt{
			Endpoint: domain.Endpoint{ID: domain.NewUUID(), Tenant: "acme", EndpointConfig: domain.EndpointConfig{Profile: profile, ProfileDigest: profiles.Named(profile).Digest}},
			Event: domain.Entry{Sequence: 7, RecordedAt: time.Unix(1700137999, 0), Fact: &domain.EventAppended{
				Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "b.c", SchemaVersion: "v1"}, EventIdentity: domain.EventIdentity{ID: "a"}}, Data: []byte(data),
			}},
			Started: domain.AttemptStarted{Number: 1},
		})
	}
	const want = `{"id":7,"object":"webhook","date_created":"2023-11-16T12:33:19Z","event_type":"b.c","payload":{"n":1.50},"version":"v1"}`
	if got, err := body("firespring", `{"n":1.50}`); err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if got, err := body("coherent-spark", `{"FolderName":{}}`); !errors.Is(err, domain.ErrNothingSent) {
		t.Errorf("%s, %v; want nothing", got, err)
	}
}

// onlyEmbedded is a set to which no operator added anything.
func onlyEmbedded(profiles *webhook.Profiles) *profileSet {
	return newProfileSet(profiles, func() []projections.Profile { return nil }, func(context.Context) error { return nil }, slog.New(slog.DiscardHandler))
}
