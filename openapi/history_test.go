package openapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// What the router and the dispatcher append, appended by hand: the HTTP surface only reads it.

// event appends an event with an id and returns its entry.
func (f *fixture) event(tenant, id string) domain.Entry {
	f.t.Helper()
	receipt := f.post(f.operator, "/v1/tenants/"+tenant+"/events", fmt.Sprintf(`{"id":%q,"type":"offer.issued","data":{"id":%q}}`, id, id)).want(http.StatusCreated)
	at := domain.Sequence(receipt.number("sequence"))
	to := at + 1
	entries, err := domain.Select(context.Background(), f.log, domain.Query{Tenant: domain.TenantID(tenant), From: &at, To: &to, Limit: 1})
	if err != nil || len(entries) != 1 {
		f.t.Fatal(entries, err)
	}
	return entries[0]
}

// deliver routes an event to an endpoint and returns the delivery.
func (f *fixture) deliver(event domain.Entry, endpoint string) domain.UUID {
	f.t.Helper()
	return f.fanOut(event, domain.UUID{}, endpoint)[0]
}

// fanOut routes an event to endpoints in one entry, by one subscription (zero: by none), and returns the deliveries.
func (f *fixture) fanOut(event domain.Entry, subscription domain.UUID, endpoints ...string) (ids []domain.UUID) {
	f.t.Helper()
	fact := &domain.EventRouted{Routing: domain.Routing{Complete: true}}
	var matches []domain.SubscriptionMatch
	if !subscription.IsZero() {
		matches = []domain.SubscriptionMatch{{ID: subscription, Version: 1}}
	}
	for _, endpoint := range endpoints {
		target, err := domain.ParseUUID(endpoint)
		if err != nil {
			f.t.Fatal(err)
		}
		ids = append(ids, domain.NewUUID())
		fact.Routing.Deliveries = append(fact.Routing.Deliveries, domain.RoutedDelivery{
			ID: ids[len(ids)-1], Endpoint: target, EndpointVersion: 1, Subscriptions: matches,
		})
	}
	f.append(domain.Draft{Tenant: event.Tenant, Stream: event.Stream, Expected: domain.AnyVersion, Cause: event.Sequence, Fact: fact})
	return ids
}

// attempt appends an attempt of a delivery, sent as the sender would, and how it ended.
func (f *fixture) attempt(event domain.Entry, endpoint string, delivery domain.UUID, number int, status domain.DeliveryStatus) {
	f.t.Helper()
	target, err := domain.ParseUUID(endpoint)
	if err != nil {
		f.t.Fatal(err)
	}
	var row projections.Endpoint
	err = f.views.Read(context.Background(), event.Tenant, event.Sequence, func(r projections.Reader) (err error) {
		row, err = r.EndpointVersion(context.Background(), target, 1)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	started := domain.AttemptStarted{
		Number: number, EndpointVersion: 1, ProfileDigest: row.ProfileDigest, Keys: []domain.UUID{row.Keys[0].ID}, At: now(), TimeoutMS: 15000,
		Node: domain.NewUUID(),
	}
	sent, err := (*courier)(f).Body(context.Background(), domain.SentAttempt{
		Event: event, Endpoint: row.Endpoint, Delivery: domain.Delivery{ID: delivery}, Started: started,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	sum := sha256.Sum256(sent)
	result := domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Number: number, Outcome: domain.OutcomeFailed, StatusCode: 500, DurationUS: 1500, FinishedAt: now(), Status: status, RequestBytes: len(sent), AnswerBytes: 2, RemoteAddr: "203.0.113.7:443", TLS: &domain.TLSInfo{Version: "TLS 1.3", CertificateSHA256: "ab"}, Timings: &domain.AttemptTimings{DNS: 1000, FirstByte: 1400}},
		Exchange: domain.Exchange{Request: domain.SentRequest{
			Method: "POST", URL: row.URL, Headers: []domain.Header{{Name: "content-type", Value: "application/json"}},
			BodySHA256: hex.EncodeToString(sum[:]),
		}, Response: domain.CapturedAnswer{Headers: []domain.Header{{Name: "x", Value: "1"}, {Name: "x", Value: "2"}}, Incomplete: true}},
	}
	if status == domain.DeliverySucceeded {
		result.Outcome, result.StatusCode = domain.OutcomeSucceeded, 200
	}
	stream := domain.Stream{Kind: domain.StreamDelivery, ID: delivery}
	f.append(
		domain.Draft{Tenant: event.Tenant, Stream: stream, Expected: domain.AnyVersion, Cause: event.Sequence, Fact: &started},
		domain.Draft{Tenant: event.Tenant, Stream: stream, Expected: domain.AnyVersion, Cause: event.Sequence, Fact: &domain.AttemptFinished{Result: result, Body: []byte{0xff, 'k'}}},
	)
}
