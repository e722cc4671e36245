package seal

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// BenchmarkCodec compresses and seals the contents of a delivered event's entries; B/content is what is stored of each.
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
		&domain.EventAppended{
			Event: domain.EventAttributes{
				EventClass: domain.EventClass{Type: "order.placed", SchemaVersion: "v1"},
				EventIdentity: domain.EventIdentity{
					ID: domain.NewUUID().String(), Source: "/tenants/default", Subject: "customer/42",
				},
			},
			Data: data,
			Routing: domain.Routing{Configuration: 12, Complete: true, Deliveries: []domain.RoutedDelivery{{
				ID: domain.NewUUID(), Endpoint: domain.NewUUID(), EndpointVersion: 1,
				Subscriptions: []domain.SubscriptionMatch{{ID: domain.NewUUID(), Version: 1}},
				First: &domain.AttemptStarted{
					Number: 1, EndpointVersion: 1, ProfileDigest: random(32), Keys: []domain.UUID{domain.NewUUID()}, At: at,
					TimeoutMS: 15000, Node: domain.NewUUID(),
				},
			}}},
		},
		&domain.AttemptStarted{
			Number: 2, EndpointVersion: 1, ProfileDigest: random(32), Keys: []domain.UUID{domain.NewUUID()}, At: at,
			TimeoutMS: 15000, Node: domain.NewUUID(),
		},
		&domain.AttemptFinished{Result: domain.AttemptResult{
			AttemptEnd: domain.AttemptEnd{
				Number: 1, Outcome: domain.OutcomeSucceeded, StatusCode: 200, DurationUS: 3091, FinishedAt: at,
				Status: domain.DeliverySucceeded, RemoteAddr: "127.0.0.1:36259", RequestBytes: 1103,
				Timings: &domain.AttemptTimings{Connect: 120, FirstByte: 900},
			},
			Exchange: domain.Exchange{
				Request: domain.SentRequest{Method: "POST", URL: "https://receiver.example/hooks", Headers: []domain.Header{
					{Name: "content-type", Value: "application/json"},
					{Name: "user-agent", Value: "Hooktrail/0.1.0"},
					{Name: "webhook-id", Value: domain.NewUUID().String()},
					{Name: "webhook-signature", Value: "v1," + random(22)},
					{Name: "webhook-timestamp", Value: "1795319291"},
				}, BodySHA256: random(32)},
				Response: domain.CapturedAnswer{Headers: []domain.Header{
					{Name: "content-length", Value: "0"}, {Name: "date", Value: "Sun, 22 Nov 2026 03:48:11 GMT"},
				}},
			},
		}},
	}
	f := newFixture(b)
	for _, fact := range facts {
		parts, err := domain.EncodeFact(fact)
		if err != nil {
			b.Fatal(err)
		}
		for name, keys := range map[string]Keys{"nobody": f.nobody(), "subject": f.keys} {
			b.Run(string(fact.Kind())+"/"+name, func(b *testing.B) {
				stored, context := 0, make([]byte, 600)
				b.ReportAllocs()
				for b.Loop() {
					packed, err := f.Pack(parts, &keys)
					if err != nil {
						b.Fatal(err)
					}
					content, err := f.Seal(packed, &keys, context)
					if err != nil {
						b.Fatal(err)
					}
					stored = len(content)
				}
				b.ReportMetric(float64(stored), "B/content")
			})
		}
	}
}

// BenchmarkKeyring makes the secret of a new subject, and the key of a section with it.
func BenchmarkKeyring(b *testing.B) {
	f := newFixture(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s, err := f.Codec.keys.subject(f.keys.Tenant, strconv.Itoa(i))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Codec.keys.section(s, f.keys.Period); err != nil {
			b.Fatal(err)
		}
	}
}
