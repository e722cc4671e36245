package openapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// endpointOut is an endpoint as the API shows it: no secret but the signing key, once.
type endpointOut struct {
	ID             domain.UUID          `json:"id" format:"uuid" doc:"The endpoint's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Name           string               `json:"name" doc:"For people." example:"orders at Acme"`
	URL            string               `json:"url" doc:"Where requests go. Values in its query are kept as secrets and shown as [redacted]." example:"https://receiver.example/hooks"`
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
	Health         *endpointHealthOut   `json:"health,omitempty" doc:"How the attempts went of late; in get-endpoint without as_of."`
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

// endpointHealthOut is how the attempts at an endpoint went of late.
type endpointHealthOut struct {
	LastSuccessAt rest.Stamp `json:"last_success_at,omitzero" doc:"The last success; absent: there was none yet." example:"2026-07-01T12:00:00.5Z"`
	FailingSince  rest.Stamp `json:"failing_since,omitzero" doc:"The first failure after the last success; absent: the last attempt succeeded, or there was none yet." example:"2026-07-01T12:05:00.5Z"`
	Failures      int64      `json:"failures" doc:"Failures since the last success." example:"3"`
}

func showHealth(h domain.Health) *endpointHealthOut {
	return &endpointHealthOut{LastSuccessAt: rest.Stamp(h.LastSuccess), FailingSince: rest.Stamp(h.FailingSince), Failures: h.Failures}
}

type secretOut struct {
	Fingerprint string `json:"fingerprint" doc:"A keyed hash of the value." example:"q83vEjRWeJo"`
}

type rateLimit struct {
	PerSecond float64 `json:"per_second" minimum:"0.01" maximum:"1000000" doc:"Requests a second." example:"50"`
	Burst     int     `json:"burst" minimum:"1" maximum:"1000000" doc:"Requests at once after a pause." example:"100"`
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

func showEndpoint(e projections.Endpoint) endpointOut {
	out := endpointOut{
		ID: e.ID, Name: e.Name, URL: e.URL, Profile: e.Profile, ProfileDigest: e.ProfileDigest, Status: "active", DisabledReason: e.Disabled,
		Keys: []signingKeyOut{}, Concurrency: e.Concurrency, Ordered: e.Ordered, Timeout: e.Timeout, Retry: showRetry(e.Retry),
		Success: e.Success, DisableAfter: e.DisableAfter, Handshake: e.Handshake, Verified: !e.Unverified, RegistrationID: e.Registration,
		ExternalID: e.ExternalID, Metadata: e.Metadata, Versions: rest.VersionsOf(e.Version, e.Created, e.Updated),
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

func showRetry(s domain.Schedule) retryOut {
	out := retryOut{Factor: s.Factor, Jitter: s.Jitter}
	for _, gap := range s.Gaps {
		out.Schedule = append(out.Schedule, time.Duration(gap).String())
	}
	for to, d := range map[*string]domain.Duration{&out.First: s.First, &out.MaxInterval: s.MaxInterval, &out.MaxElapsed: s.MaxElapsed} {
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
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true}, func(r projections.Reader, as projections.AsOf) (err error) {
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
	return &rest.One[endpointOut]{Sequence: rest.SequenceText(n), ETag: rest.ETag(row.Version), Body: body}, nil
}

type listEndpointsIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.AsOfQuery
}

func listEndpoints(ctx context.Context, c *call, in *listEndpointsIn) (*rest.Listed[endpointOut], error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	if c.Key.Role == domain.RoleRegistrant {
		return registeredEndpoints(ctx, c, in, l)
	}
	var rows []projections.Endpoint
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true, Pinned: l.Pinned()}, func(r projections.Reader, as projections.AsOf) (err error) {
		rows, err = r.Endpoints(ctx, l.Rows(), as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows, func(e *projections.Endpoint) []byte { return rest.PlaceAt(e.Created.Sequence) },
		func(e *projections.Endpoint) endpointOut { return showEndpoint(*e) }), nil
}

// endpointNow loads the newest version of an endpoint that the call may change.
func endpointNow(ctx context.Context, c *call, id domain.UUID) (row projections.Endpoint, err error) {
	if !c.Opens(id) {
		return row, rest.NotFound()
	}
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		row, err = r.Endpoint(ctx, id, projections.AsOf{})
		return err
	})
	return row, err
}

// endpointOf makes the row that an entry of an endpoint's stream leads to.
func endpointOf(ctx context.Context, c *call, e domain.Entry) (projections.Endpoint, error) {
	config, ok := endpointConfig(e.Fact)
	if !ok {
		return projections.Endpoint{}, rest.Unreadable(e)
	}
	at := projections.OriginOf(e)
	row := projections.Endpoint{
		Endpoint: domain.Endpoint{ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion, EndpointConfig: config}, Created: at, Updated: at,
	}
	if e.StreamVersion == 1 {
		return row, nil
	}
	created, err := originOf(ctx, c, e.Stream)
	row.Created = created
	return row, err
}

// created says where a thing's stream begins.
func originOf(ctx context.Context, c *call, stream domain.Stream) (projections.Origin, error) {
	first, err := c.Log.Select(ctx, domain.Query{Tenant: c.Tenant, Stream: stream, Limit: 1, HeadersOnly: true})
	if err != nil {
		return projections.Origin{}, err
	}
	if len(first) == 0 {
		return projections.Origin{}, fmt.Errorf("the log has no entry of %s", stream)
	}
	return projections.OriginOf(first[0]), nil
}

func endpointConfig(fact domain.Fact) (domain.EndpointConfig, bool) {
	switch f := fact.(type) {
	case *domain.EndpointCreated:
		return f.Endpoint, true
	case *domain.EndpointUpdated:
		return f.Endpoint, true
	case *domain.EndpointKeyRotated:
		return f.Endpoint, true
	case *domain.EndpointPaused:
		return f.Endpoint, true
	case *domain.EndpointResumed:
		return f.Endpoint, true
	case *domain.EndpointDisabled:
		return f.Endpoint, true
	case *domain.EndpointHandshakeStarted:
		return f.Endpoint, true
	case *domain.EndpointHandshakeFinished:
		return f.Endpoint, true
	}
	return domain.EndpointConfig{}, false
}

// endpointGroup is a change of an endpoint on its way into the log.
func endpointGroup(c *call, e domain.Endpoint, fact domain.Fact, reason string) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: e.ID}, Expected: e.Version, By: c.By(), Fact: fact, Reason: reason,
	}}}
}

func pauseEndpoint(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[endpointOut], error) {
	return switchEndpoint(ctx, c, in, func(e domain.Endpoint) (domain.Fact, error) {
		fact, err := e.Pause()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

func resumeEndpoint(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[endpointOut], error) {
	return switchEndpoint(ctx, c, in, func(e domain.Endpoint) (domain.Fact, error) {
		if e.Paused && c.Key.Role == domain.RoleReceiver {
			return nil, rest.Refuse(http.StatusForbidden, "forbidden", "The endpoint was paused by the tenant's admins, who alone resume it. A receiver ends what the server disabled.")
		}
		fact, err := e.Resume()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

// switchEndpoint pauses or resumes; an endpoint that is in that state already is answered as it is.
func switchEndpoint(
	ctx context.Context, c *call, in *rest.ActionInput, decide func(domain.Endpoint) (domain.Fact, error),
) (*rest.Made[endpointOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("body.reason", in.Reason()); err != nil {
		return nil, err
	}
	var row projections.Endpoint
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[endpointOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			if row, err = endpointNow(ctx, c, id); err != nil {
				return domain.Group{}, err
			}
			fact, err := decide(row.Endpoint)
			if fact == nil || err != nil {
				return domain.Group{}, err
			}
			return withNotice(ctx, c, endpointGroup(c, row.Endpoint, fact, in.Reason()), id)
		},
		Idle: func(context.Context) (*rest.Made[endpointOut], error) {
			return &rest.Made[endpointOut]{
				Sequence: rest.SequenceText(row.Updated.Sequence), ETag: rest.ETag(row.Version), Location: endpointPath(c, id), Body: showEndpoint(row),
			}, nil
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[endpointOut], error) {
			row, err := endpointOf(ctx, c, entries[0])
			if err != nil {
				return nil, err
			}
			return rest.NewMade(entries[0], replayed, endpointPath(c, id), showEndpoint(row)), nil
		},
	})
}

func endpointPath(c *call, id domain.UUID) string {
	return "/v1/tenants/" + string(c.Tenant) + "/endpoints/" + id.String()
}

type deleteEndpointIn struct {
	rest.ThingPath
	rest.MatchHeader
	rest.ReasonQuery
}

// deleteEndpoint ends an endpoint and destroys its credentials.
func deleteEndpoint(ctx context.Context, c *call, in *deleteEndpointIn) (*rest.Gone, error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("query.reason", in.Reason); err != nil {
		return nil, err
	}
	var row projections.Endpoint
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		if row, err = endpointNow(ctx, c, id); err != nil {
			return domain.Group{}, err
		}
		if err := in.Check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := row.Delete()
		if err != nil {
			return domain.Group{}, err
		}
		return withNotice(ctx, c, endpointGroup(c, row.Endpoint, fact, in.Reason), id)
	})
	if err != nil {
		return nil, err
	}
	dropSecrets(ctx, c, secretsOf(row.EndpointConfig)...)
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, nil
}

// secretsOf names all secrets of a configuration.
func secretsOf(config domain.EndpointConfig) []domain.UUID {
	var ids []domain.UUID
	for _, k := range config.Keys {
		ids = append(ids, k.ID)
	}
	if config.Query != nil {
		ids = append(ids, config.Query.Secret)
	}
	if config.Auth != nil {
		ids = append(ids, config.Auth.Secret)
	}
	for _, h := range config.Headers {
		ids = append(ids, h.Secret)
	}
	return ids
}

// dropSecrets destroys secrets that nothing names any more. A failure leaves them sealed and unused: the change itself
// stands, so it is logged and not answered.
func dropSecrets(ctx context.Context, c *call, ids ...domain.UUID) {
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rest.DefaultWait)
	defer cancel()
	for _, id := range ids {
		if err := c.Vault.DeleteSecret(ctx, c.Tenant, id); err != nil {
			c.Logger.LogAttrs(ctx, slog.LevelError, "a secret of an endpoint could not be destroyed",
				slog.String("tenant", string(c.Tenant)), slog.Any("error", err))
		}
	}
}
