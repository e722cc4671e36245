package openapi

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// endpointOut is an endpoint as the API shows it: no secret but the signing key, once.
type endpointOut struct {
	ID             domain.UUID          `json:"id" format:"uuid" doc:"The endpoint's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Name           string               `json:"name" doc:"For people." example:"orders at Acme"`
	URL            string               `json:"url" doc:"Where requests go. Its query, and segments of its path that look like a secret (16 and more random characters), are kept as secrets and shown as [redacted]." example:"https://receiver.example/hooks"`
	Profile        string               `json:"profile" doc:"The wire format." example:"standard-webhooks"`
	ProfileDigest  string               `json:"profile_digest" doc:"SHA-256 of the profile's document, which never changes under an endpoint." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Status         string               `json:"status" enum:"active,paused,disabled" doc:"Whether deliveries are attempted." example:"active"`
	DisabledReason string               `json:"disabled_reason,omitempty" doc:"Why the server stopped delivering." example:"gone"`
	SigningKey     string               `json:"signing_key,omitempty" doc:"Shown once, when it is made." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	ReceiverKey    string               `json:"receiver_key,omitempty" doc:"The key with which the receiver sees to its endpoint; shown once, to the registration's holder who makes it." example:"ht_GGSUcSPcZ4y2vJx7XnYbYHcXn4x0S3zHFoqXq9jZ0qA"`
	SubscriptionID domain.UUID          `json:"subscription_id,omitzero" format:"uuid" doc:"The subscription that was made along with the endpoint; in that answer only." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Keys           []signingKeyOut      `json:"keys" doc:"The keys that sign: the current one first, then those in their overlap."`
	Auth           *authOut             `json:"auth,omitempty" doc:"How the server authenticates itself to the receiver."`
	Headers        map[string]secretOut `json:"headers,omitempty" doc:"Custom headers, by name."`
	RateLimit      *rateLimit           `json:"rate_limit,omitempty" doc:"How many requests are sent."`
	Concurrency    int                  `json:"concurrency" doc:"How many requests are under way at once." example:"32"`
	Ordered        bool                 `json:"ordered" doc:"One event at a time, in the order of their sequences; always false in this version." example:"false"`
	Timeout        domain.Duration      `json:"timeout" doc:"How long an attempt may take." example:"15s"`
	Retry          retryOut             `json:"retry" doc:"When a failed delivery is tried again."`
	Success        []string             `json:"success,omitempty" doc:"The statuses that are a success; absent: those of the profile." example:"[\"200\"]"`
	DisableAfter   domain.Duration      `json:"disable_after" doc:"After how long of nothing but failures the server stops delivering; 0s: never." example:"120h0m0s"`
	Handshake      domain.HandshakeKind `json:"handshake,omitempty" doc:"What the receiver has to pass before its first delivery, and before its URL changes: ownership or cloudevents." example:"ownership"`
	Verified       bool                 `json:"verified" doc:"false: the handshake isn't passed yet, and nothing is routed here until it is." example:"true"`
	RegistrationID domain.UUID          `json:"registration_id,omitzero" format:"uuid" doc:"The registration with which its receiver made the endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d74"`
	Health         *endpointHealthOut   `json:"health,omitempty" doc:"How recent attempts went; in get-endpoint without as_of."`
	ExternalID     string               `json:"external_id,omitempty" doc:"What the client calls the endpoint." example:"crm-42"`
	Metadata       map[string]string    `json:"metadata,omitempty" doc:"What the client likes to keep with it." example:"{\"team\":\"billing\"}"`
	rest.Versions
}

type signingKeyOut struct {
	ID          domain.UUID `json:"id" format:"uuid" doc:"The key's id, in every attempt that it signed." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d72"`
	Fingerprint string      `json:"fingerprint" doc:"A keyed hash: the same key has the same, and it tells nothing about the key." example:"q83vEjRWeJo"`
	PublicKey   string      `json:"public_key,omitempty" doc:"Of an asymmetric key." example:"whpk_0jNpnzbCZX1wZ9dgGwIR3bBOEJwOoQWpyeiPSSFFS9o="`
	Until       rest.Stamp  `json:"until,omitzero" doc:"The end of its overlap; absent for the current key." example:"2026-07-02T12:00:00Z"`
}

type authOut struct {
	Type        string `json:"type" enum:"api_key,basic,bearer" doc:"The kind of credential." example:"api_key"`
	In          string `json:"in,omitempty" enum:"header,query" doc:"Where an API key goes." example:"header"`
	Name        string `json:"name,omitempty" doc:"The header or parameter of an API key." example:"X-Api-Key"`
	Username    string `json:"username,omitempty" doc:"Of basic." example:"hooktrail"`
	Fingerprint string `json:"fingerprint" doc:"A keyed hash of the secret." example:"q83vEjRWeJo"`
}

// endpointHealthOut is how recent attempts at an endpoint went.
type endpointHealthOut struct {
	LastSuccessAt rest.Stamp `json:"last_success_at,omitzero" doc:"The last success; absent: there was none yet." example:"2026-07-01T12:00:00.5Z"`
	FailingSince  rest.Stamp `json:"failing_since,omitzero" doc:"The first failure after the last success; absent: the last attempt succeeded, or there was none yet." example:"2026-07-01T12:05:00.5Z"`
	Failures      int64      `json:"failures" doc:"Failures since the last success." example:"3"`
}

func showHealth(h domain.Health) *endpointHealthOut {
	return &endpointHealthOut{
		LastSuccessAt: rest.Stamp(h.LastSuccess), FailingSince: rest.Stamp(h.FailingSince),
		Failures: h.Failures,
	}
}

type secretOut struct {
	Fingerprint string `json:"fingerprint" doc:"A keyed hash of the value." example:"q83vEjRWeJo"`
}

// retryOut is a schedule in one of its two forms.
type retryOut struct {
	Schedule    []string `json:"schedule,omitempty" doc:"The gaps between attempts." example:"[\"5s\",\"5m\"]"`
	First       string   `json:"first,omitempty" doc:"The first gap of the exponential form." example:"1m0s"`
	Factor      float64  `json:"factor,omitempty" doc:"How many times the gap before a gap is." example:"2"`
	MaxInterval string   `json:"max_interval,omitempty" doc:"The longest gap." example:"1h0m0s"`
	MaxElapsed  string   `json:"max_elapsed,omitempty" doc:"How long it is tried." example:"72h0m0s"`
	Jitter      float64  `json:"jitter,omitempty" doc:"By how much of itself each gap varies at random." example:"0.1"`
}

// showEndpoint shows an endpoint without any secret; a key that was just made is added by the caller.
func showEndpoint(e projections.Endpoint) endpointOut {
	out := endpointOut{
		ID: e.ID, Name: e.Name, URL: e.URL, Profile: e.Profile, ProfileDigest: e.ProfileDigest, Status: "active",
		DisabledReason: e.Disabled,
		Keys:           []signingKeyOut{}, Concurrency: e.Concurrency, Ordered: e.Ordered, Timeout: e.Timeout,
		Retry:   showRetry(e.Retry),
		Success: e.Success, DisableAfter: e.DisableAfter, Handshake: e.Handshake, Verified: !e.Unverified,
		RegistrationID: e.Registration,
		ExternalID:     e.ExternalID, Metadata: e.Metadata, Versions: rest.VersionsOf(e.Version, e.Created, e.Updated),
	}
	switch {
	case e.Disabled != "":
		out.Status = "disabled"
	case e.Paused:
		out.Status = "paused"
	}
	for _, k := range e.Keys {
		out.Keys = append(out.Keys, signingKeyOut{k.ID, k.Fingerprint, k.PublicKey, rest.Stamp(k.Until)})
	}
	out.Auth = showAuth(e.Auth)
	for _, h := range e.Headers {
		if out.Headers == nil {
			out.Headers = make(map[string]secretOut, len(e.Headers))
		}
		out.Headers[h.Name] = secretOut{h.Fingerprint}
	}
	if r := e.RateLimit; r != nil {
		out.RateLimit = &rateLimit{r.PerSecond, r.Burst}
	}
	return out
}

// showAuth shows a credential by its fingerprint. Of basic the log's name is the user name.
func showAuth(a *domain.EndpointAuth) *authOut {
	if a == nil {
		return nil
	}
	out := &authOut{Type: a.Type, In: a.In, Name: a.Name, Fingerprint: a.Fingerprint}
	if a.Type == "basic" {
		out.Name, out.Username = "", a.Name
	}
	return out
}

// showRetry shows a schedule in the form that clients send.
func showRetry(s domain.Schedule) retryOut {
	out := retryOut{Factor: s.Factor, Jitter: s.Jitter}
	for _, gap := range s.Gaps {
		out.Schedule = append(out.Schedule, time.Duration(gap).String())
	}
	for to, d := range map[*string]domain.Duration{
		&out.First: s.First, &out.MaxInterval: s.MaxInterval,
		&out.MaxElapsed: s.MaxElapsed,
	} {
		if d != 0 {
			*to = time.Duration(d).String()
		}
	}
	return out
}

type getEndpointIn struct {
	rest.ThingPath
	rest.AsOfQuery
}

// getEndpoint shows the newest state with its health, or a past one without: health is kept for the present only.
func getEndpoint(ctx context.Context, c *call, in *getEndpointIn) (*rest.One[endpointOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if !c.Opens(id) {
		return nil, rest.NotFound()
	}
	var row projections.Endpoint
	var health *endpointHealthOut
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) (err error) {
			if row, err = r.Endpoint(ctx, id, as); err != nil || as.Set {
				return err
			}
			h, err := r.Health(ctx, id)
			health = showHealth(h)
			return err
		})
	if err != nil {
		return nil, err
	}
	body := showEndpoint(row)
	body.Health = health
	return rest.NewOne(n, row.Version, body), nil
}
