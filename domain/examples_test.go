package domain_test

import (
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// id makes the ids of the examples: the same ones in every run, which golden files need.
func id(n byte) domain.UUID {
	return domain.UUID{0x01, 0x93, 0x9f, 0x2e, 0x8a, 0x00, 0x7c, 0x3d, 0x9d, 0x4e, 0x1f, 0x2a, 0x3b, 0x4c, 0x5d, n}
}

var noon = time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC)

func exampleEndpoint() domain.EndpointConfig {
	return domain.EndpointConfig{
		Name: "Orders <live> & more", URL: "https://receiver.example/hooks?a=%5Bredacted%5D&b",
		Query:   &domain.SecretQuery{Secret: id(24), Fingerprint: "f24"},
		Profile: "standard-webhooks", ProfileDigest: "sha256:0a1b",
		Keys: []domain.SigningKey{
			{ID: id(20), Fingerprint: "f20", PublicKey: "whpk_x"},
			{ID: id(21), Fingerprint: "f21", Until: noon},
		},
		Auth:        &domain.EndpointAuth{Type: "api_key", In: "header", Name: "X-Key", Secret: id(22), Fingerprint: "f22"},
		Headers:     []domain.SecretHeader{{Name: "X-Team", Secret: id(23), Fingerprint: "f23"}},
		RateLimit:   &domain.RateLimit{PerSecond: 0.5, Burst: 3},
		Concurrency: 32, Ordered: true, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
		ExternalID: "crm-7", Metadata: map[string]string{"team": "é", "cost": "7"}, Paused: true, Disabled: "gone",
		Success: []string{"200", "2xx"}, DisableAfter: domain.MinDisableAfter, Handshake: domain.HandshakeOwnership, Unverified: true,
		Registration: id(30),
	}
}

func exampleSubscription() domain.SubscriptionConfig {
	return domain.SubscriptionConfig{
		Endpoint: id(1), EventTypes: []domain.Pattern{"offer.*", "invoice.paid"}, Filter: `data.amount > 10 && subject != ""`,
		Paused: true,
	}
}

func exampleKey() domain.KeyConfig {
	return domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: "Receiver", Principal: "ann@example.org"},
		KeyRights: domain.KeyRights{
			ID: id(30), Role: domain.RoleReceiver, PrincipalID: id(31),
			Endpoint: id(1), ExpiresAt: noon, Hash: []byte(strings.Repeat("h", 32)),
			MadeBy: domain.Actor{Principal: id(32), Credential: id(33)}, Instance: true, Imported: true,
			Registration: &domain.Registration{
				Profiles: []string{"sparkfly"}, EventTypes: []domain.Pattern{"offer.*"}, Quota: 3, Used: 1, HTTPSOnly: true,
				Handshake: domain.HandshakeCloudEvents,
			},
		},
	}
}

func exampleTenant() domain.TenantConfig {
	return domain.TenantConfig{
		ID: "acme", Name: "Acme", WebhooksEnabled: true, HTTPSOnly: true, Schemas: domain.SchemasWarn,
		Limits: domain.TenantLimits{Endpoints: 3000, Subscriptions: 20000, FilterBytes: 2 << 20, EventTypes: 6000, Keys: 4000},
	}
}

func exampleEvent() *domain.EventAppended {
	return &domain.EventAppended{
		Event: domain.EventAttributes{
			EventClass: domain.EventClass{
				Type: "offer.issued", SchemaVersion: "v1", Test: &domain.TestTarget{Endpoint: id(1)}, About: id(1),
				Hops: 2,
			},
			EventIdentity: domain.EventIdentity{
				ID: "offer-4711", Source: "/tenants/acme", Subject: "customer/42", OccurredAt: noon,
				DataSchema: "https://schemas.example/offer", DataContentType: "application/json",
				Extensions:    map[string]domain.Extension{"traceparent": domain.ExtensionText("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "region": domain.ExtensionText("ü")},
				SchemaProblem: "/amount: must be a string",
			},
		},
		Data: []byte(`{"amount": 12.50, "currency":"EUR"}`), Routing: exampleRouting().Routing, Verdicts: exampleRouting().Verdicts,
	}
}

func exampleRouting() *domain.EventRouted {
	return &domain.EventRouted{
		Routing: domain.Routing{
			Configuration: 17,
			Deliveries: []domain.RoutedDelivery{{
				ID: id(2), Endpoint: id(1), EndpointVersion: 3, First: exampleStart(),
				Subscriptions: []domain.SubscriptionMatch{{ID: id(4), Version: 1}, {ID: id(5), Version: 2}},
			}},
			Skipped:  []domain.Skipped{{Subscription: id(6), Version: 1, Endpoint: id(7), Reason: domain.SkipSubscriptionPaused}},
			Complete: true, Retention: "short",
		},
		Verdicts: domain.Verdicts{Skipped: []domain.Skipped{
			{Subscription: id(8), Version: 1, Endpoint: id(7), Reason: domain.SkipFilter},
		}},
	}
}

func exampleStart() *domain.AttemptStarted {
	return &domain.AttemptStarted{
		Number: 1, EndpointVersion: 3, ProfileDigest: "sha256:0a1b", Keys: []domain.UUID{id(20), id(21)},
		At: noon, TimeoutMS: 15000, Node: id(40),
	}
}

func exampleFinish() *domain.AttemptFinished {
	return &domain.AttemptFinished{
		Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{
			Number: 1, Outcome: domain.OutcomeFailed, StatusCode: 503, Error: "status_503",
			DurationUS: 1234, FinishedAt: noon, Status: domain.DeliveryRetrying, NextAttemptAt: noon.Add(5 * time.Second),
			Keys: []domain.UUID{id(20)}, RequestBytes: 1024, AnswerBytes: 4,
			RemoteAddr: "192.0.2.1:443", TLS: &domain.TLSInfo{Version: "TLS 1.3", CertificateSHA256: strings.Repeat("ef", 32)},
			Timings: &domain.AttemptTimings{DNS: 1, Connect: 2, TLS: 3, FirstByte: 4},
		}, Exchange: domain.Exchange{
			Detail: "the receiver said <no>",
			Request: domain.SentRequest{
				Method: "POST", URL: "https://receiver.example/hooks", BodySHA256: strings.Repeat("ab", 32),
				Headers: []domain.Header{
					{Name: "Content-Type", Value: "application/json"},
					{Name: "User-Agent", Value: "Hooktrail/1"},
					{Name: "Webhook-Id", Value: "offer-4711"},
					{Name: "Webhook-Timestamp", Value: "1751371200"},
					{Name: "Webhook-Signature", Value: "[redacted]"},
				},
			},
			Response: domain.CapturedAnswer{
				Headers:    []domain.Header{{Name: "Content-Length", Value: "4"}, {Name: "Date", Value: "Wed, 01 Jul 2026 12:00:00 GMT"}},
				BodySHA256: strings.Repeat("cd", 32), Truncated: true, Incomplete: true, Masked: true,
			},
		}},
		Body: []byte("busy"),
	}
}

func exampleHandshakeStart() *domain.EndpointHandshakeStarted {
	return &domain.EndpointHandshakeStarted{Endpoint: exampleEndpoint(), Handshake: domain.HandshakeStart{
		ID: id(60), Kind: domain.HandshakeOwnership, URL: "https://receiver.example/new?a=%5Bredacted%5D",
		Query: &domain.SecretQuery{Secret: id(24), Fingerprint: "f24"}, Keys: []domain.UUID{id(20)},
		At: noon, TimeoutMS: 15000, Node: id(40),
	}}
}

func exampleHandshakeEnd() *domain.EndpointHandshakeFinished {
	attempt := exampleFinish()
	r := attempt.Result
	return &domain.EndpointHandshakeFinished{
		Endpoint: exampleEndpoint(), Body: attempt.Body,
		Result: domain.HandshakeResult{
			ID: id(60), Kind: domain.HandshakeOwnership, Passed: true, AllowedPerMinute: 120, StatusCode: 200, Error: "timeout", Detail: "why",
			DurationUS: 1234, FinishedAt: noon, Request: r.Request, Response: r.Response,
			Keys: r.Keys, RequestBytes: r.RequestBytes, AnswerBytes: r.AnswerBytes, RemoteAddr: r.RemoteAddr, TLS: r.TLS, Timings: r.Timings,
		},
	}
}

func exampleEventType() domain.EventTypeConfig {
	return domain.EventTypeConfig{
		Name: "offer.issued", Description: "An offer was made.\nOnce an offer.", SchemaVersion: "v2", Schema: `{ "type": "object" }`,
		Examples: []string{`{"amount": 12.50}`}, Deprecated: "Use offer.made.",
	}
}

// examples has one fact of every kind, each with every member set.
func exampleReplay() domain.ReplayConfig {
	return domain.ReplayConfig{
		As: domain.AsRedrive, Walk: domain.WalkDeliveries, From: 3, To: 99, Endpoint: id(1), Subscription: id(4),
		EventTypes: []domain.Pattern{"offer.*"}, Statuses: []domain.DeliveryStatus{domain.DeliveryDead},
		SkipReasons: []domain.SkipReason{domain.SkipSubscriptionPaused}, Errors: []string{"timeout", "503"}, PerSecond: 12.5,
		Approval: true,
	}
}

func examples() map[domain.Kind]domain.Fact {
	facts := []domain.Fact{
		&domain.TenantCreated{Tenant: exampleTenant()},
		&domain.TenantUpdated{Tenant: exampleTenant()},
		&domain.TenantDeleted{Tenant: exampleTenant()},
		&domain.TenantRegistered{ID: "acme", Stream: id(50)},
		&domain.TenantUnregistered{ID: "acme", Stream: id(50)},
		&domain.KeyCreated{Key: exampleKey()},
		&domain.KeyRevoked{Key: exampleKey()},
		&domain.RegistrationUsed{Key: exampleKey(), Made: domain.RegisteredEndpoint{Endpoint: id(1)}},
		&domain.EndpointCreated{Endpoint: exampleEndpoint()},
		&domain.EndpointUpdated{Endpoint: exampleEndpoint()},
		&domain.EndpointKeyRotated{Endpoint: exampleEndpoint()},
		&domain.EndpointPaused{Endpoint: exampleEndpoint()},
		&domain.EndpointResumed{Endpoint: exampleEndpoint()},
		&domain.EndpointDisabled{Endpoint: exampleEndpoint()},
		&domain.EndpointDeleted{Endpoint: exampleEndpoint()},
		&domain.SubscriptionCreated{Subscription: exampleSubscription()},
		&domain.SubscriptionUpdated{Subscription: exampleSubscription()},
		&domain.SubscriptionPaused{Subscription: exampleSubscription()},
		&domain.SubscriptionResumed{Subscription: exampleSubscription()},
		&domain.SubscriptionDeleted{Subscription: exampleSubscription()},
		exampleHandshakeStart(), exampleHandshakeEnd(),
		&domain.EventTypeRegistered{EventType: exampleEventType()},
		&domain.EventTypeUpdated{EventType: exampleEventType()},
		&domain.ProfileAdded{
			Profile:  domain.ProfileName{Name: "acme-hooks", Version: 2, Digest: strings.Repeat("ab", 32)},
			Document: []byte(`{"name":"acme-hooks","version":2}`),
		},
		exampleEvent(), exampleRouting(), exampleStart(), exampleFinish(),
		&domain.DeliveryRedriven{Attempts: 10, NextAttemptAt: noon},
		&domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted},
		&domain.DeliveryCreated{
			Event: id(9), EventSequence: 17, Endpoint: id(1), EndpointVersion: 3, Retention: "short", Replay: id(60),
		},
		&domain.DeliveryResent{Attempts: 10, NextAttemptAt: noon, Replay: id(60)},
		&domain.DeliveryRescheduled{NextAttemptAt: noon},
		&domain.ReplayCreated{Replay: exampleReplay()},
		&domain.ReplayApproved{}, &domain.ReplayPaused{}, &domain.ReplayResumed{}, &domain.ReplayCancelled{},
		&domain.ReplayAdvanced{
			Through: domain.ReplayPlace{Sequence: 17, ID: id(2)},
			Counts:  domain.ReplayCounts{Examined: 5, Sent: 3, Refused: []domain.ReplayRefusal{{Reason: "event_erased", Count: 2}}},
		},
		&domain.ReplayFinished{Problem: "its endpoint is deleted"},
		&domain.ServerStarted{Node: id(40), Version: "v1.0.0", ConfigurationDigest: "0a1b", EgressAllow: []string{"10.0.0.0/8"}, EgressDeny: []string{"25"}},
		&domain.LeaseTaken{Node: id(40), Leases: []domain.LeaseEpoch{{Name: "shard/07", Epoch: 3, Partings: []domain.Parting{
			{Node: id(41), Epoch: 2, Until: time.Date(2026, 7, 1, 12, 0, 20, 0, time.UTC)},
		}}}},
		&domain.FormatRaised{Format: 2},
		&domain.ReconciliationCreated{Request: domain.ReconciliationRequest{
			From: 10, To: 500, AsOf: 812, Endpoint: domain.UUID{4}, Node: domain.UUID{9},
			List: &domain.ReceivedList{SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Bytes: 4096, IDs: 111},
		}},
		&domain.ReconciliationFinished{Result: domain.ReconciliationResult{
			Outcome: domain.ReconciliationFailed, Problem: "the server stopped",
			Sums: domain.ReconciliationSums{
				Events: 7, EventsRouted: 4, EventsSkipped: 1, EventsUnmatched: 1, EventsUnreadable: 1,
				Skipped: map[domain.SkipReason]int64{domain.SkipFilter: 2},
				Routed:  9, Requested: 1, Delivered: 6, Pending: 1, Dead: 2, Cancelled: 1, Attempts: 12, Unknown: 1,
			},
			Apart:      []domain.Discrepancy{{Kind: domain.DiscrepancyNotInViews, Sequence: 44, Delivery: domain.UUID{8}}},
			ApartCount: 1,
			Received: &domain.ReceivedSums{
				Distinct: 6, Both: 4, Undelivered: 1, Lacking: []domain.UUID{{7}}, LackingCount: 1, Erased: 2,
				Repeated: []int64{12}, RepeatedCount: 1, Unsent: []int64{3}, UnsentCount: 1,
			},
		}},
		&domain.DamageAccepted{
			Damage: domain.Damage{Sequence: 17, Leaf: strings.Repeat("ab", 32), Content: strings.Repeat("cd", 32)},
			Person: domain.Person{Name: "alice"},
		},
		&domain.LossAccepted{
			Loss:   domain.Loss{Known: 41, KnownLeaf: strings.Repeat("ab", 32), Head: 17, HeadLeaf: strings.Repeat("cd", 32)},
			Person: domain.Person{Name: "alice"},
		},
		exampleExport(),
		&domain.ExportFinished{Result: domain.ExportResult{
			Files:     []domain.ExportFile{{Name: "deliveries.ndjson", Bytes: 1234, Rows: 12, SHA256: strings.Repeat("ab", 32)}},
			ExpiresAt: noon, Erased: 3, Damaged: 1, Erasures: []domain.Sequence{7, 9},
		}},
		&domain.ExportFailed{Code: domain.ExportQuotaExceeded, Text: "the tenant's exports are full"},
		&domain.ExportCancelled{Why: domain.ExportEndAsked},
		&domain.ExportDownloaded{File: "deliveries.ndjson", Range: "bytes=0-99"},
		&domain.ExportExpired{Why: domain.ExportEndTime},
		&domain.FollowerStopped{Follower: "views", Position: 17, Problem: "unknown kind"},
	}
	byKind := make(map[domain.Kind]domain.Fact, len(facts))
	for _, f := range facts {
		byKind[f.Kind()] = f
	}
	return byKind
}

func exampleExport() *domain.ExportCreated {
	from, to := domain.Sequence(3), domain.Sequence(400)
	return &domain.ExportCreated{Order: domain.ExportOrder{
		Query: domain.ExportQuery{
			What: domain.ExportDeliveries, Format: domain.FormatNDJSON, Compression: domain.CompressionZstd,
			Columns: []string{"delivery_id", "status"}, From: &from, To: &to, Since: noon, Until: noon,
			Types: []domain.Pattern{"offer.*"}, Endpoint: id(1), Subscription: id(2), Status: domain.DeliveryDead,
			Kind: "endpoint.*", Stream: "endpoint/" + id(1).String(), Actor: id(3),
		},
		Sequence: 412, Keep: domain.Duration(7 * 24 * time.Hour),
	}}
}
