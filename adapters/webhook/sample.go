package webhook

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// What the samples of descriptions are made of. The key's text says that it is an example, so that it isn't mistaken
// for a secret.
const (
	exampleEvent    = "01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"
	exampleEndpoint = "01939f2d-51c0-7b1a-8f3e-6a5b4c3d2e1f"
	exampleReplay   = "01939f30-0000-7000-8000-000000000000"
	exampleSecret   = "an example key, never for real!!" // 32 bytes
	exampleAPIKey   = "the-receivers-own-api-key"
)

// completed fills in what a sample leaves open.
func completed(p *Profile, s Sample) Sample {
	if s.EndpointID == "" {
		s.EndpointID = exampleEndpoint
	}
	if s.Type == "" && len(p.EventTypes) > 0 {
		s.Type = p.EventTypes[0]
	}
	if s.Type == "" {
		s.Type = "order.paid"
	}
	if s.SchemaVersion == "" {
		s.SchemaVersion = "v1"
	}
	if s.Data == nil {
		s.Data = exampleData(p)
	}
	if s.Success == (Statuses{}) {
		s.Success = p.success
	}
	if s.Timeout == 0 {
		s.Timeout = p.Timeout
	}
	if s.Timeout == 0 {
		s.Timeout = time.Duration(domain.DefaultTimeout)
	}
	if s.Retry.IsZero() {
		s.Retry = p.Retry
	}
	return s
}

// exampleData makes up an event's data, with the members that the envelope takes from it.
func exampleData(p *Profile) []byte {
	if len(p.members) == 0 {
		return []byte(`{"order_id":"1001","amount":19.90,"currency":"EUR"}`)
	}
	b := []byte{'{'}
	for i, name := range p.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(appendString(b, name), ':'), "example of "+name)
	}
	return append(b, '}')
}

// exampleKey is a public key to sign samples with.
func exampleKey(p *Profile) string {
	secret := base64.StdEncoding.EncodeToString([]byte(exampleSecret))
	if !p.signsWith(hmacSHA256) {
		return prefixPrivate + secret
	}
	if p.keyFormat == keyText {
		return exampleSecret
	}
	return prefixHMAC + secret
}

// sampleRequest really builds the request that a description shows.
func sampleRequest(p *Profile, s Sample) (*Request, error) {
	id, err := domain.ParseUUID(exampleEvent)
	if err != nil {
		return nil, err
	}
	t := &Target{profile: p, endpointID: s.EndpointID, constant: http.Header{
		"Content-Type": {p.ContentType}, "User-Agent": {"Hooktrail/1.0.0"},
	}}
	if p.signature != nil {
		key, err := p.ParseKey(id, exampleKey(p))
		if err != nil {
			return nil, err
		}
		t.signers = []*Key{key}
	}
	occurred := time.Date(2026, time.March, 14, 9, 26, 53, 589_000_000, time.UTC)
	return t.Build(&Event{
		InternalID: id, Sequence: 4711, Tenant: "acme", Type: s.Type, Subject: "customer/42", SchemaVersion: s.SchemaVersion,
		DataSchema: "https://schemas.example/" + s.Type, OccurredAt: occurred, Data: s.Data,
	}, Attempt{Number: 1, At: occurred.Add(2 * time.Second)})
}
