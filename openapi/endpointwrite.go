package openapi

import (
	"context"
	"errors"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type createEndpointIn struct {
	rest.PostHeader
	rest.TenantPath
	Body endpointIn
}

type endpointIn struct {
	Name         string            `json:"name" minLength:"1" maxLength:"255" doc:"For people." example:"orders at Acme"`
	URL          string            `json:"url" maxLength:"2048" doc:"Where requests go: http or https, any port that isn't denied. Values in its query are kept as secrets." example:"https://receiver.example/hooks"`
	Profile      string            `json:"profile,omitempty" maxLength:"64" doc:"The wire format; standard-webhooks by default." example:"standard-webhooks"`
	SigningKey   string            `json:"signing_key,omitempty" maxLength:"1024" doc:"In the profile's own form; made by the server by default." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	Auth         *authIn           `json:"auth,omitempty" doc:"How the server authenticates itself to the receiver."`
	Headers      map[string]string `json:"headers,omitempty" maxProperties:"16" doc:"Custom headers. Their values are kept as secrets." example:"{\"X-Team\":\"billing\"}"`
	RateLimit    *rateLimit        `json:"rate_limit,omitempty" doc:"How many requests are sent; no limit by default."`
	Concurrency  int               `json:"concurrency,omitempty" minimum:"1" maximum:"1024" doc:"How many requests are under way at once; 32 by default." example:"32"`
	Ordered      bool              `json:"ordered,omitempty" doc:"One event at a time, in the order of their sequences. Not available in this version: true is refused." example:"false"`
	Timeout      string            `json:"timeout,omitempty" maxLength:"32" doc:"How long an attempt may take, 100ms to 120s; the profile's, or 15s, by default." example:"15s"`
	Retry        *retryIn          `json:"retry,omitempty" doc:"When a failed delivery is tried again; the profile's schedule, or 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h ± 10 %, by default."`
	Success      []string          `json:"success,omitempty" maxItems:"100" doc:"The statuses that are a success: 2xx, or some from 200 to 299; those of the profile by default." example:"[\"200\"]"`
	DisableAfter string            `json:"disable_after,omitempty" maxLength:"32" doc:"After how long of nothing but failures the server stops delivering, 1h to 8760h; 0s: never. By default 120h where the profile honours Retry-After, else never." example:"120h"`
	Handshake    string            `json:"handshake,omitempty" enum:"ownership,cloudevents" doc:"What the receiver has to pass before its first delivery; nothing by default. handshake-endpoint asks it." example:"ownership"`
	ExternalID   string            `json:"external_id,omitempty" maxLength:"255" doc:"What the client calls the endpoint." example:"crm-42"`
	Metadata     map[string]string `json:"metadata,omitempty" maxProperties:"32" doc:"What the client likes to keep with it." example:"{\"team\":\"billing\"}"`
	EventTypes   []domain.Pattern  `json:"event_types,omitempty" maxItems:"100" doc:"Makes a subscription to these types along with the endpoint; none by default." example:"[\"offer.*\"]"`
	rest.ReasonBody
}

// defaultProfile is the wire format of an endpoint that names none.
const defaultProfile = "standard-webhooks"

type authIn struct {
	Type     string `json:"type" enum:"api_key,basic,bearer" doc:"The kind of credential." example:"api_key"`
	In       string `json:"in,omitempty" enum:"header,query" doc:"Where an API key goes; header by default." example:"header"`
	Name     string `json:"name,omitempty" maxLength:"128" doc:"The header or parameter of an API key; some profiles have a default." example:"X-Api-Key"`
	Value    string `json:"value,omitempty" maxLength:"4096" doc:"The API key." example:"7hJk3nQx"`
	Username string `json:"username,omitempty" maxLength:"255" doc:"Of basic." example:"hooktrail"`
	Password string `json:"password,omitempty" maxLength:"4096" doc:"Of basic." example:"correct horse battery staple"`
	Token    string `json:"token,omitempty" maxLength:"4096" doc:"Of bearer." example:"eyJhbGciOiJIUzI1NiJ9.e30.x"`
}

// secretField is the member that holds the secret of a type.
func secretField(kind string) string {
	switch kind {
	case "basic":
		return "auth.password"
	case "bearer":
		return "auth.token"
	}
	return "auth.value"
}

func (in *authIn) auth() (domain.Auth, error) {
	if in == nil {
		return domain.Auth{}, nil
	}
	a := domain.Auth{Type: in.Type, In: in.In, Name: in.Name, Value: in.Value}
	wrong := in.Username != "" || in.Password != "" || in.Token != ""
	switch in.Type {
	case "basic":
		a.Name, a.Value = in.Username, in.Password
		wrong = in.In != "" || in.Name != "" || in.Value != "" || in.Token != ""
	case "bearer":
		a.Value = in.Token
		wrong = in.In != "" || in.Name != "" || in.Value != "" || in.Username != "" || in.Password != ""
	}
	if wrong {
		return a, domain.Invalid("auth", "api_key has in, name and value; basic has username and password; bearer has token")
	}
	return a, nil
}

type retryIn struct {
	Schedule    []string `json:"schedule,omitempty" maxItems:"100" doc:"The gaps between attempts. Either these, or first, factor and max_elapsed." example:"[\"5s\",\"5m\"]"`
	First       string   `json:"first,omitempty" maxLength:"32" doc:"The first gap." example:"1m"`
	Factor      float64  `json:"factor,omitempty" minimum:"0" maximum:"100" doc:"How many times the gap before a gap is." example:"2"`
	MaxInterval string   `json:"max_interval,omitempty" maxLength:"32" doc:"The longest gap; no limit by default." example:"1h"`
	MaxElapsed  string   `json:"max_elapsed,omitempty" maxLength:"32" doc:"How long it is tried." example:"72h"`
	Jitter      float64  `json:"jitter,omitempty" minimum:"0" maximum:"0.5" doc:"By how much of itself each gap varies at random." example:"0.1"`
}

// schedule reads a schedule; nil is the zero one, which takes over the defaults.
func (in *retryIn) schedule() (domain.Schedule, error) {
	if in == nil {
		return domain.Schedule{}, nil
	}
	s := domain.Schedule{Factor: in.Factor, Jitter: in.Jitter}
	for i, text := range in.Schedule {
		gap, err := duration("retry.schedule["+strconv.Itoa(i)+"]", text)
		if err != nil {
			return s, err
		}
		s.Gaps = append(s.Gaps, gap)
	}
	var err error
	if s.First, err = duration("retry.first", in.First); err != nil {
		return s, err
	}
	if s.MaxInterval, err = duration("retry.max_interval", in.MaxInterval); err != nil {
		return s, err
	}
	if s.MaxElapsed, err = duration("retry.max_elapsed", in.MaxElapsed); err != nil {
		return s, err
	}
	return s, s.Validate("retry")
}

func duration(field, text string) (domain.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, domain.Invalid(field, `is a duration such as "30s", "5m" or "72h"`)
	}
	return domain.Duration(d), nil
}

// newEndpoint is an endpoint in the making, with what is shown of it once.
type newEndpoint struct {
	in          endpointIn
	secrets     secretValues
	receiverKey string // of an endpoint that a registrant makes
}

func createEndpoint(ctx context.Context, c *call, in *createEndpointIn) (*rest.Made[endpointOut], error) {
	n := newEndpoint{in: in.Body}
	if c.Key.Role == domain.RoleRegistrant {
		leave, err := c.registrants.lock(ctx, c.Key.ID)
		if err != nil {
			return nil, err
		}
		defer leave()
		n.receiverKey = rest.NewKey()
	}
	out, err := rest.Once(ctx, c.Request, rest.Post[rest.Made[endpointOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideEndpoint(ctx, c, &n) },
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[endpointOut], error) {
			if replayed {
				dropSecrets(ctx, c, n.secrets.kept...) // another request was faster
			}
			n.secrets.kept = nil
			row, err := endpointOf(ctx, c, entries[0])
			if err != nil {
				return nil, err
			}
			if c.Key.Role == domain.RoleRegistrant { // the new key opens at once, and whoami counts it
				if err := c.Await(ctx, entries[len(entries)-1].Position); err != nil {
					return nil, err
				}
			}
			body := showEndpoint(row)
			for _, e := range entries[1:] {
				if e.Stream.Kind == domain.StreamSubscription {
					body.SubscriptionID = e.Stream.ID
				}
			}
			if !replayed {
				body.SigningKey, body.ReceiverKey = n.secrets.signingKey, n.receiverKey
			}
			return rest.NewMade(entries[0], replayed, endpointPath(c, row.ID), body), nil
		},
	})
	dropRefused(ctx, c, err, n.secrets.kept)
	return out, err
}

// decideEndpoint checks everything before it keeps a secret, and keeps the secrets before the fact that names them.
func decideEndpoint(ctx context.Context, c *call, n *newEndpoint) (domain.Group, error) {
	forgetSecrets(ctx, c, &n.secrets)
	in, id := n.in, domain.NewUUID()
	use, err := useRegistration(ctx, c, id)
	if err != nil {
		return domain.Group{}, err
	}
	if err := use.bound(&in); err != nil {
		return domain.Group{}, err
	}
	config, https, err := resolveEndpoint(ctx, c, in, &n.secrets)
	if err != nil {
		return domain.Group{}, err
	}
	config.Registration, https = use.id(), https || use.https()
	if _, err := domain.CreateEndpoint(config, https); err != nil {
		return domain.Group{}, err
	}
	if err := rest.CheckReason("body.reason", in.Reason); err != nil {
		return domain.Group{}, err
	}
	more, err := besideEndpoint(c, use, id, n, in)
	if err != nil {
		return domain.Group{}, err
	}
	if err := keepSecrets(ctx, c, &config, &n.secrets); err != nil {
		return domain.Group{}, err
	}
	fact, err := domain.CreateEndpoint(config, https)
	if err != nil {
		return domain.Group{}, err
	}
	group := endpointGroup(c, domain.Endpoint{ID: id}, fact, in.Reason)
	group.Drafts = append(group.Drafts, more...)
	return group, nil
}

// besideEndpoint decides on what is made in the same group: the subscription, and what a registration brings.
func besideEndpoint(c *call, use *registered, id domain.UUID, n *newEndpoint, in endpointIn) ([]domain.Draft, error) {
	var drafts []domain.Draft
	if len(in.EventTypes) > 0 {
		fact, err := domain.CreateSubscription(domain.SubscriptionConfig{Endpoint: id, EventTypes: in.EventTypes})
		if err != nil {
			return nil, err
		}
		drafts = subscriptionGroup(c, domain.Subscription{ID: domain.NewUUID()}, fact, in.Reason).Drafts
	}
	more, err := use.drafts(c, id, in, n.receiverKey)
	return append(drafts, more...), err
}

// endpointConfig resolves what a client asks for. The secrets aren't kept yet.
func resolveEndpoint(ctx context.Context, c *call, in endpointIn, secrets *secretValues) (config domain.EndpointConfig, https bool, err error) {
	name := in.Profile
	if name == "" {
		name = defaultProfile
	}
	profile, ok, err := profileNamed(ctx, c, name)
	if err != nil {
		return config, false, err
	}
	if !ok {
		return config, false, domain.Invalid("profile", "is one of %s", strings.Join(profileNames(c), ", "))
	}
	if err := checkOrdered(in.Ordered); err != nil {
		return config, false, err
	}
	config = domain.EndpointConfig{
		Name: in.Name, Profile: profile.Name, ProfileDigest: profile.Digest, Concurrency: in.Concurrency,
		ExternalID: in.ExternalID, Metadata: in.Metadata, Timeout: profile.Timeout, Retry: profile.Retry,
		Success: in.Success, DisableAfter: profile.DisableAfter, Handshake: domain.HandshakeKind(in.Handshake),
	}
	if config.URL, secrets.query, err = splitURL(in.URL); err != nil {
		return config, false, err
	}
	if in.RateLimit != nil {
		config.RateLimit = &domain.RateLimit{PerSecond: in.RateLimit.PerSecond, Burst: in.RateLimit.Burst}
	}
	if in.Timeout != "" {
		if config.Timeout, err = duration("timeout", in.Timeout); err != nil {
			return config, false, err
		}
	}
	if in.Retry != nil {
		if config.Retry, err = in.Retry.schedule(); err != nil {
			return config, false, err
		}
	}
	if in.DisableAfter != "" {
		if config.DisableAfter, err = duration("disable_after", in.DisableAfter); err != nil {
			return config, false, err
		}
	}
	https, err = httpsOnly(ctx, c, profile)
	if err != nil {
		return config, false, err
	}
	return config, https, checkSecrets(c, profile, in, secrets)
}

// checkOrdered refuses what isn't kept: an endpoint that is said to be ordered and isn't would mislead its receiver.
func checkOrdered(asked bool) error {
	if asked {
		return domain.Invalid("ordered", "isn't available in this version of the server: leave it out, or send false")
	}
	return nil
}

// checkSecrets reads the credentials and has the profile judge them.
func checkSecrets(c *call, profile domain.Profile, in endpointIn, secrets *secretValues) (err error) {
	if secrets.signingKey, secrets.publicKey, err = c.Profiles.NewKey(profile.Digest, in.SigningKey); err != nil {
		return err
	}
	if secrets.auth, err = in.Auth.auth(); err != nil {
		return err
	}
	if secrets.headers, err = customHeaders(c, in.Headers); err != nil {
		return err
	}
	secrets.auth, err = judgeTarget(c, domain.Target{Profile: profile.Digest, URL: in.URL, Auth: secrets.auth, Headers: secrets.headers, Success: in.Success})
	return err
}

// checkTarget has the profile judge a target, and names the credential's member as this API does.
func judgeTarget(c *call, t domain.Target) (domain.Auth, error) {
	auth, err := c.Profiles.CheckTarget(t)
	var wrong *domain.InvalidError
	if errors.As(err, &wrong) && wrong.Field == "auth.value" {
		return auth, domain.Invalid(secretField(t.Auth.Type), "%s", wrong.Text)
	}
	if errors.As(err, &wrong) && wrong.Field == "auth.name" && t.Auth.Type == "basic" {
		return auth, domain.Invalid("auth.username", "%s", wrong.Text)
	}
	return auth, err
}

// customHeaders brings headers into the order of their names, in canonical form.
func customHeaders(c *call, in map[string]string) ([]domain.Header, error) {
	var headers []domain.Header
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if err := c.Profiles.CheckHeader("headers."+rest.Clip(name), name, in[name]); err != nil {
			return nil, err
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if slices.ContainsFunc(headers, func(h domain.Header) bool { return h.Name == canonical }) {
			return nil, domain.Invalid("headers."+rest.Clip(name), "is given twice")
		}
		headers = append(headers, domain.Header{Name: canonical, Value: in[name]})
	}
	return headers, nil
}

// httpsOnly says whether an endpoint's URL must begin with https.
func httpsOnly(ctx context.Context, c *call, profile domain.Profile) (bool, error) {
	var tenant projections.Tenant
	_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		tenant, err = r.Tenant(ctx, projections.AsOf{})
		return err
	})
	return profile.HTTPSOnly || tenant.HTTPSOnly, err
}
