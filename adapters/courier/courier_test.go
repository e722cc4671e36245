package courier

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// keptSecrets are secrets by purpose; one that isn't there can't be opened. opened counts.
type keptSecrets struct {
	byPurpose map[string]string
	byID      map[domain.UUID]string

	mu     sync.Mutex
	opened int // guarded by mu
}

func (s *keptSecrets) Secret(_ context.Context, _ domain.TenantID, id domain.UUID, purpose string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	if text, ok := s.byID[id]; ok {
		return []byte(text), nil
	}
	if text, ok := s.byPurpose[purpose]; ok {
		return []byte(text), nil
	}
	return nil, domain.ErrNotFound
}

// added are profiles that an operator added; more become known when Current is called.
type added struct {
	known, later []domain.ProfileAdded
	err          error
}

func (a *added) Profiles(n int) []domain.ProfileAdded { return a.known[n:] }

func (a *added) Current(context.Context) error {
	a.known, a.later = append(a.known, a.later...), nil
	return a.err
}

func embedded(t *testing.T) *webhook.Profiles {
	t.Helper()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return profiles
}

// loopbackCourier makes a courier that may send to this machine.
func loopbackCourier(t *testing.T, secrets Secrets, origin string) *Courier {
	t.Helper()
	sender, err := webhook.NewSender(webhook.SenderConfig{
		Guard: webhook.NewGuard(webhook.GuardConfig{Allow: []webhook.EgressRule{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	c, err := New(Config{
		Sender: sender, Profiles: NewProfiles(embedded(t), &added{}, slog.New(slog.DiscardHandler)), Secrets: secrets,
		UserAgent: "Hooktrail/1.2.3", Origin: origin,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// endpoint is one that uses a profile of the program.
func endpoint(t *testing.T, url, profile string) domain.Endpoint {
	t.Helper()
	return domain.Endpoint{ID: domain.NewUUID(), Tenant: "acme", Version: 1, EndpointConfig: domain.EndpointConfig{
		URL: url, Profile: profile, ProfileDigest: embedded(t).Named(profile).Digest, Timeout: domain.DefaultTimeout,
	}}
}

// logged is an event with data.
func logged(data string) domain.LoggedEvent {
	return domain.LoggedEvent{ID: domain.NewUUID(), Sequence: 7, RecordedAt: time.Unix(1700137999, 0), Fact: &domain.EventAppended{
		Event: domain.EventAttributes{
			EventClass:    domain.EventClass{Type: "b.c", SchemaVersion: "v1"},
			EventIdentity: domain.EventIdentity{ID: "a", Source: "/tenants/acme"},
		},
		Data: []byte(data),
	}}
}

// shipment is the first attempt of an event for an endpoint.
func shipment(e domain.Endpoint, event domain.LoggedEvent, keys ...domain.UUID) domain.Shipment {
	return domain.Shipment{
		Endpoint: e, Event: event, Attempt: domain.AttemptStarted{Number: 1, At: now(), Keys: keys},
		Deadline: time.Now().Add(10 * time.Second),
	}
}

// TestSend_verdicts: what the dispatcher hears of an answer is the profile's judgement, with the endpoint's own
// statuses of success where it has some.
func TestSend_verdicts(t *testing.T) {
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
	c := loopbackCourier(t, &keptSecrets{}, "")
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
		e := endpoint(t, receiver.URL+test.path, test.profile)
		e.Success = test.success
		answer := c.Send(t.Context(), shipment(e, logged(`{}`)))
		got := verdict{
			outcome: answer.Result.Outcome, permanent: answer.Permanent, gone: answer.Gone, throttle: answer.Throttle,
		}
		if !answer.NotBefore.IsZero() {
			got.wait = answer.NotBefore.Sub(answer.Result.FinishedAt).Round(time.Second)
		}
		if got != test.want {
			t.Errorf("%s, %s, %v: %+v, want %+v (%s)", test.profile, test.path, test.success, got, test.want, answer.Result.Detail)
		}
	}
}

// TestSend_unsent: what keeps a request from being made is recorded as such and sends nothing. Only what the format
// can't carry is refused for good.
func TestSend_unsent(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s arrived", r.Method, r.URL)
	}))
	defer receiver.Close()
	secrets := &keptSecrets{byID: map[domain.UUID]string{}}
	c := loopbackCourier(t, secrets, "")
	unknown, known := domain.NewUUID(), domain.NewUUID()
	secrets.byID[known] = "an API key"
	spark := endpoint(t, receiver.URL, "coherent-spark")
	spark.Auth = &domain.EndpointAuth{Type: "api_key", Secret: known}
	locked := endpoint(t, receiver.URL, "cloudevents")
	locked.Auth = &domain.EndpointAuth{Type: "bearer", Secret: domain.NewUUID()}
	newer := endpoint(t, receiver.URL, "cloudevents")
	newer.ProfileDigest = "of a program that is not released yet"
	for name, test := range map[string]struct {
		shipment  domain.Shipment
		permanent bool
		code      string
	}{
		"no credentials": {shipment(locked, logged(`{}`)), false, codeNotSendable},
		"no signing key": {shipment(endpoint(t, receiver.URL, "standard-webhooks"), logged(`{}`), unknown), false, codeNotSendable},
		"no profile":     {shipment(newer, logged(`{}`)), false, codeNotSendable},
		"bad data":       {shipment(spark, logged(`{"FolderName":{}}`)), true, webhook.CodeDataRefused},
	} {
		answer := c.Send(t.Context(), test.shipment)
		if !answer.Unsent || answer.Permanent != test.permanent || answer.Result.Error != test.code ||
			answer.Result.Outcome != domain.OutcomeFailed || answer.Result.Detail == "" || answer.Result.FinishedAt.IsZero() {
			t.Errorf("%s: %+v", name, answer)
		}
	}
}

// TestSend_target: an endpoint's secrets are opened once for each of its versions and sets of keys, and a failure to
// open them isn't kept.
func TestSend_target(t *testing.T) {
	t.Parallel()
	var signatures []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		signatures = append(signatures, r.Header.Get("Webhook-Signature"))
	}))
	defer receiver.Close()
	profile := embedded(t).Named("standard-webhooks")
	older, newer := domain.NewUUID(), domain.NewUUID()
	secrets := &keptSecrets{byID: map[domain.UUID]string{newer: profile.NewSigningKey()}}
	c := loopbackCourier(t, secrets, "")
	e := endpoint(t, receiver.URL, "standard-webhooks")

	send := func(keys ...domain.UUID) (opened int) {
		before := secrets.opened
		answer := c.Send(t.Context(), shipment(e, logged(`{}`), keys...))
		if answer.Result.Outcome != domain.OutcomeSucceeded || answer.Result.Keys != nil {
			t.Errorf("%v: %+v", keys, answer)
		}
		return secrets.opened - before
	}
	if answer := c.Send(t.Context(), shipment(e, logged(`{}`), older)); !answer.Unsent {
		t.Errorf("sent without a key: %+v", answer)
	}
	secrets.byID[older] = profile.NewSigningKey()
	if first, again := send(older), send(older); first != 1 || again != 0 {
		t.Errorf("%d secrets are opened for the first attempt and %d for the next, want 1 and 0", first, again)
	}
	if both, alone := send(newer, older), send(newer); both != 2 || alone != 1 {
		t.Errorf("%d secrets are opened in the overlap and %d after it, want 2 and 1", both, alone)
	}
	e.Version++
	if opened := send(newer); opened != 1 {
		t.Errorf("%d secrets are opened for another version, want 1", opened)
	}
	lengths := make([]int, len(signatures))
	for i, signature := range signatures {
		lengths[i] = len(signature)
	}
	one := lengths[0]
	if want := []int{one, one, 2*one + 1, one, one}; !slices.Equal(lengths, want) {
		t.Errorf("signatures %q", signatures)
	}
}

// TestSend_hops: each webhook says how many led to it, so that one that appends an event by itself comes to an end.
func TestSend_hops(t *testing.T) {
	t.Parallel()
	var said string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { said = r.Header.Get(domain.HeaderHops) }))
	defer receiver.Close()
	c := loopbackCourier(t, &keptSecrets{}, "")
	for hops, want := range map[int]string{0: "1", 2: "3", domain.MaxHops + 1: "5"} {
		event := logged(`{}`)
		event.Fact.Event.Hops = hops
		if c.Send(t.Context(), shipment(endpoint(t, receiver.URL, "sparkfly"), event)); said != want {
			t.Errorf("after %d: %q, want %q", hops, said, want)
		}
	}
}

// TestBody: a body is written again from the log alone, and there is none where the format can't carry the event.
func TestBody(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Profiles: NewProfiles(embedded(t), &added{}, slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	sent := func(profile, data string) domain.SentAttempt {
		event := logged(data)
		return domain.SentAttempt{
			Event: domain.Entry{
				Stream: domain.Stream{Kind: domain.StreamEvent, ID: event.ID}, Sequence: event.Sequence,
				RecordedAt: event.RecordedAt, Fact: event.Fact,
			},
			Endpoint: endpoint(t, "", profile), Started: domain.AttemptStarted{Number: 1},
		}
	}
	const want = `{"id":7,"object":"webhook","date_created":"2023-11-16T12:33:19Z","event_type":"b.c","payload":{"n":1.50},"version":"v1"}`
	if got, err := c.Body(t.Context(), sent("firespring", `{"n":1.50}`)); err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if got, err := c.Body(t.Context(), sent("coherent-spark", `{"FolderName":{}}`)); !errors.Is(err, domain.ErrNothingSent) {
		t.Errorf("%s, %v; want nothing", got, err)
	}
	gone := sent("firespring", `{}`)
	gone.Event.Fact = nil
	if got, err := c.Body(t.Context(), gone); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%s, %v; want that the event's content is gone", got, err)
	}
}
