package guide

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// sender builds requests of one endpoint.
type sender struct {
	profile *webhook.Profile
	keys    []*webhook.Key
	auth    webhook.Auth
	data    string
}

func newSender(t *testing.T, p *webhook.Profile, keys ...string) sender {
	t.Helper()
	s := sender{profile: p, data: `{"price": 19.90,"name":"Café \"crème\" 'à' $1 \\ %s"}`}
	if !p.Signs() {
		s.auth = webhook.Auth{Type: "api_key", In: "header", Value: keys[0]}
		return s
	}
	for _, text := range keys {
		key, err := p.ParseKey(domain.NewUUID(), text)
		if err != nil {
			t.Fatal(err)
		}
		s.keys = append(s.keys, key)
	}
	return s
}

// target is the endpoint.
func (s sender) target(t *testing.T) *webhook.Target {
	t.Helper()
	target, err := webhook.NewTarget(webhook.TargetConfig{
		Profile:    s.profile,
		EndpointID: "e1",
		URL:        "https://receiver.example/",
		Keys:       s.keys,
		Auth:       s.auth,
		UserAgent:  "Hooktrail/test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func (s sender) build(t *testing.T, at time.Time) *webhook.Request {
	t.Helper()
	r, err := s.target(t).Build(&webhook.Event{
		ID: "order-7", InternalID: domain.NewUUID(), Sequence: 1, Tenant: "acme", Type: "order.paid", SchemaVersion: "v1",
		OccurredAt: at, Data: []byte(s.data),
	}, webhook.Attempt{Number: 1, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newKey makes a key that signs, and what a receiver verifies with. Where a format has both kinds, ed25519 chooses.
func newKey(t *testing.T, p *webhook.Profile, ed25519 bool) (signs, verifies string) {
	t.Helper()
	if !p.Signs() {
		key := "api key " + domain.NewUUID().String()
		return key, key
	}
	key := p.NewSigningKey()
	if private := webhook.NewEd25519Key(); ed25519 {
		if _, err := p.ParseKey(domain.UUID{}, private); err == nil {
			key = private
		}
	}
	parsed, err := p.ParseKey(domain.UUID{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, cmp.Or(parsed.PublicKey(), key)
}

// forged signs a Standard Webhooks request with what everybody may know.
func forged(t *testing.T, r *webhook.Request, public string) http.Header {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(r.Body)))
	h := r.Header.Clone()
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}
