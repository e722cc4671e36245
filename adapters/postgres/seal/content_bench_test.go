package seal

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// BenchmarkCodec compresses the contents of one delivered event's four entries; B/content is what is stored of each.
func BenchmarkCodec(b *testing.B) {
	random := func(n int) string {
		bytes := make([]byte, n)
		_, _ = rand.Read(bytes)
		return hex.EncodeToString(bytes)
	}
	at := time.Date(2026, 11, 22, 3, 48, 11, 437295000, time.UTC)
	data, err := json.Marshal(map[string]any{"order": random(16), "lines": []map[string]any{
		{"sku": random(4), "description": "espresso beans, dark roast", "quantity": 2, "price": 19.9},
		{"sku": random(4), "description": "paper filters, 100 pieces", "quantity": 1, "price": 4.5},
	}, "note": random(350)})
	if err != nil {
		b.Fatal(err)
	}
	facts := []domain.Fact{
		&domain.EventAppended{Event: domain.EventAttributes{
			EventClass:    domain.EventClass{Type: "order.placed", SchemaVersion: "v1"},
			EventIdentity: domain.EventIdentity{ID: domain.NewUUID().String(), Source: "/tenants/default", Subject: "customer/42"},
		}, Data: data},
		&domain.EventRouted{Complete: true, Deliveries: []domain.RoutedDelivery{{
			ID: domain.NewUUID(), Endpoint: domain.NewUUID(), EndpointVersion: 1,
			Subscriptions: []domain.SubscriptionMatch{{ID: domain.NewUUID(), Version: 1}},
		}}},
		&domain.AttemptStarted{
			Number: 1, EndpointVersion: 1, ProfileDigest: random(32), Keys: []domain.UUID{domain.NewUUID()}, At: at,
			TimeoutMS: 15000, Node: domain.NewUUID(),
		},
		&domain.AttemptFinished{Result: domain.AttemptResult{
			AttemptEnd: domain.AttemptEnd{Number: 1, Outcome: domain.OutcomeSucceeded, StatusCode: 200, DurationUS: 3091, FinishedAt: at, Status: domain.DeliverySucceeded, RemoteAddr: "127.0.0.1:36259"},
			Exchange: domain.Exchange{Request: domain.SentRequest{Method: "POST", URL: "https://receiver.example/hooks", Headers: []domain.Header{
				{Name: "content-type", Value: "application/json"},
				{Name: "user-agent", Value: "Hooktrail/0.1.0"},
				{Name: "webhook-id", Value: domain.NewUUID().String()},
				{Name: "webhook-signature", Value: "v1," + random(22)},
				{Name: "webhook-timestamp", Value: "1795319291"},
			}, BodySHA256: random(32), BodyBytes: 1103}, Response: domain.CapturedAnswer{Headers: []domain.Header{
				{Name: "content-length", Value: "0"}, {Name: "date", Value: "Sun, 22 Nov 2026 03:48:11 GMT"},
			}}},
		}},
	}
	c, err := newCodec()
	if err != nil {
		b.Fatal(err)
	}
	for _, fact := range facts {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(fact.Kind()), func(b *testing.B) {
			buf, stored := newSealBuffers(), 0
			b.ReportAllocs()
			for b.Loop() {
				buf.plain = c.pack(buf, nil, parts)
				stored = len(buf.plain)
			}
			b.ReportMetric(float64(stored), "B/content")
		})
	}
}
