package openapi

import (
	"context"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

type patchEndpointIn struct {
	ThingPath
	MatchHeader
	Body endpointPatch `contentType:"application/merge-patch+json"`
}

type endpointPatch struct {
	Name         patch[string]             `json:"name,omitzero" minLength:"1" maxLength:"255" doc:"For people." example:"orders at Acme"`
	URL          patch[string]             `json:"url,omitzero" maxLength:"2048" doc:"Where requests go. The URL as it is shown, with its redacted values, leaves it as it is." example:"https://receiver.example/hooks"`
	Auth         patch[authPatch]          `json:"auth,omitzero" doc:"Merged into what there is, unless the type changes; a secret that isn't given stays. null: none."`
	Headers      patch[map[string]*string] `json:"headers,omitzero" maxProperties:"16" doc:"Merged by name; null takes a header away." example:"{\"X-Team\":\"billing\"}"`
	RateLimit    patch[rateLimitPatch]     `json:"rate_limit,omitzero" doc:"null: no limit."`
	Concurrency  patch[int]                `json:"concurrency,omitzero" minimum:"1" maximum:"1024" doc:"null: 32." example:"32"`
	Ordered      patch[bool]               `json:"ordered,omitzero" doc:"Not available in this version: true is refused. null: false." example:"false"`
	Timeout      patch[string]             `json:"timeout,omitzero" maxLength:"32" doc:"null: the profile's, or 15s." example:"15s"`
	Retry        patch[retryPatch]         `json:"retry,omitzero" doc:"null: the profile's schedule, or the product's."`
	Success      patch[[]string]           `json:"success,omitzero" maxItems:"100" doc:"The statuses that are a success; replaces the list. null: those of the profile." example:"[\"200\"]"`
	DisableAfter patch[string]             `json:"disable_after,omitzero" maxLength:"32" doc:"After how long of nothing but failures the server stops delivering; 0s: never. null: as the profile's default." example:"120h"`
	Handshake    patch[string]             `json:"handshake,omitzero" doc:"ownership or cloudevents; what is newly asked for has to be passed before the next event is routed here. null: none." example:"ownership"`
	ExternalID   patch[string]             `json:"external_id,omitzero" maxLength:"255" doc:"null: none." example:"crm-42"`
	Metadata     patch[map[string]*string] `json:"metadata,omitzero" maxProperties:"32" doc:"Merged by name." example:"{\"team\":\"billing\"}"`
	ReasonBody
}

type authPatch struct {
	Type     patch[string] `json:"type,omitzero" doc:"api_key, basic or bearer." example:"api_key"`
	In       patch[string] `json:"in,omitzero" doc:"header or query." example:"header"`
	Name     patch[string] `json:"name,omitzero" maxLength:"128" doc:"The header or parameter of an API key." example:"X-Api-Key"`
	Value    patch[string] `json:"value,omitzero" maxLength:"4096" doc:"The API key." example:"7hJk3nQx"`
	Username patch[string] `json:"username,omitzero" maxLength:"255" doc:"Of basic." example:"hooktrail"`
	Password patch[string] `json:"password,omitzero" maxLength:"4096" doc:"Of basic." example:"correct horse battery staple"`
	Token    patch[string] `json:"token,omitzero" maxLength:"4096" doc:"Of bearer." example:"eyJhbGciOiJIUzI1NiJ9.e30.x"`
}

type rateLimitPatch struct {
	PerSecond patch[float64] `json:"per_second,omitzero" minimum:"0.01" maximum:"1000000" doc:"Requests a second." example:"50"`
	Burst     patch[int]     `json:"burst,omitzero" minimum:"1" maximum:"1000000" doc:"Requests at once after a pause." example:"100"`
}

type retryPatch struct {
	Schedule    patch[[]string] `json:"schedule,omitzero" maxItems:"100" doc:"The gaps between attempts." example:"[\"5s\",\"5m\"]"`
	First       patch[string]   `json:"first,omitzero" maxLength:"32" doc:"The first gap." example:"1m"`
	Factor      patch[float64]  `json:"factor,omitzero" minimum:"0" maximum:"100" doc:"How many times the gap before a gap is." example:"2"`
	MaxInterval patch[string]   `json:"max_interval,omitzero" maxLength:"32" doc:"The longest gap." example:"1h"`
	MaxElapsed  patch[string]   `json:"max_elapsed,omitzero" maxLength:"32" doc:"How long it is tried." example:"72h"`
	Jitter      patch[float64]  `json:"jitter,omitzero" minimum:"0" maximum:"0.5" doc:"By how much of itself each gap varies at random." example:"0.1"`
}

func patchEndpoint(ctx context.Context, c *call, in *patchEndpointIn) (*oneOut[endpointOut], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := checkReason("body.reason", in.Body.Reason); err != nil {
		return nil, err
	}
	if err := c.mayPatch(in.Body); err != nil {
		return nil, err
	}
	if moved, err := c.movedEndpoint(ctx, id, in); moved != nil || err != nil {
		return moved, err
	}
	var secrets secretValues
	e, err := c.change(ctx, func(ctx context.Context) (domain.Group, error) {
		c.forget(ctx, &secrets)
		row, err := c.endpointNow(ctx, id)
		if err != nil {
			return domain.Group{}, err
		}
		if err := in.check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := c.patched(ctx, row, in.Body, &secrets)
		if err != nil {
			return domain.Group{}, err
		}
		return c.endpointGroup(row.Endpoint, fact, in.Body.Reason), nil
	})
	c.dropRefused(ctx, err, secrets.kept)
	if err != nil {
		return nil, err
	}
	row, err := c.endpointOf(ctx, e)
	if err != nil {
		return nil, err
	}
	return &oneOut[endpointOut]{Sequence: sequenceText(e.Sequence), ETag: etag(e.StreamVersion), Body: c.showEndpoint(row)}, nil
}

// mayPatch refuses a receiver all but its URL.
func (c *call) mayPatch(p endpointPatch) error {
	if c.key.Role != domain.RoleReceiver {
		return nil
	}
	for _, name := range p.members() {
		if name != "url" && name != "reason" {
			return refuse(http.StatusForbidden, "forbidden", "A receiver's key changes its endpoint's url and nothing else.",
				fault{"body." + name, "is changed by the tenant's admins"})
		}
	}
	return nil
}

// members names what a patch speaks of.
func (p endpointPatch) members() []string {
	var names []string
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if member, ok := v.Field(i).Interface().(interface{ IsZero() bool }); ok && !member.IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// patched decides on the merged configuration, judged as a whole before new secrets are kept.
func (c *call) patched(ctx context.Context, row projections.Endpoint, p endpointPatch, secrets *secretValues) (*domain.EndpointUpdated, error) {
	profile, err := c.profileOf(ctx, row.EndpointConfig)
	if err != nil {
		return nil, err
	}
	config := row.EndpointConfig
	if err := p.merge(&config, profile); err != nil {
		return nil, err
	}
	given, err := p.patchURL(&config, secrets)
	if err != nil {
		return nil, err
	}
	auth, headers, err := c.mergeSecrets(p, row.EndpointConfig, Target{Profile: row.ProfileDigest, URL: given, Success: config.Success})
	if err != nil {
		return nil, err
	}
	https, err := c.httpsOnly(ctx, profile)
	if err != nil {
		return nil, err
	}
	if _, err := row.Update(config, https); err != nil {
		return nil, err
	}
	if err := c.keepPatched(ctx, &config, auth, headers, secrets); err != nil {
		return nil, err
	}
	return row.Update(config, https)
}

// merge applies all that is no secret.
func (p endpointPatch) merge(config *domain.EndpointConfig, profile Profile) (err error) {
	p.Name.apply(&config.Name, "")
	p.Concurrency.apply(&config.Concurrency, domain.DefaultConcurrency)
	if err := checkOrdered(p.Ordered.Value); err != nil {
		return err
	}
	p.Ordered.apply(&config.Ordered, false)
	p.ExternalID.apply(&config.ExternalID, "")
	if p.Metadata.Set {
		config.Metadata = mergeText(config.Metadata, p.Metadata)
	}
	if p.RateLimit.Set {
		config.RateLimit = mergeRate(p.RateLimit, config.RateLimit)
	}
	switch {
	case p.Timeout.Null:
		config.Timeout = profile.Timeout
	case p.Timeout.Set:
		if config.Timeout, err = duration("timeout", p.Timeout.Value); err != nil {
			return err
		}
	}
	switch {
	case p.Retry.Null:
		config.Retry = profile.Retry
	case p.Retry.Set:
		if config.Retry, err = p.Retry.Value.merge(config.Retry); err != nil {
			return err
		}
	}
	return p.mergeHealth(config, profile)
}

// mergeHealth applies what says whether deliveries succeed, and what follows when they don't.
func (p endpointPatch) mergeHealth(config *domain.EndpointConfig, profile Profile) (err error) {
	if p.Success.Set && !p.Success.Null && len(p.Success.Value) == 0 {
		return domain.Invalid("success", "names at least one status; null: those of the profile")
	}
	p.Success.apply(&config.Success, nil)
	var handshake string
	if p.Handshake.Set {
		p.Handshake.apply(&handshake, "")
		if p.Handshake.Value == "" && !p.Handshake.Null {
			return domain.Invalid("handshake", "is ownership or cloudevents; null: none")
		}
		config.Handshake = domain.HandshakeKind(handshake)
	}
	switch {
	case p.DisableAfter.Null:
		config.DisableAfter = profile.DisableAfter
	case p.DisableAfter.Set && p.DisableAfter.Value == "":
		return domain.Invalid("disable_after", `is a duration such as "120h"; "0s": never`)
	case p.DisableAfter.Set:
		config.DisableAfter, err = duration("disable_after", p.DisableAfter.Value)
	}
	return err
}

// mergeRate merges a rate limit; null takes it away.
func mergeRate(p patch[rateLimitPatch], have *domain.RateLimit) *domain.RateLimit {
	if p.Null {
		return nil
	}
	merged := domain.RateLimit{}
	if have != nil {
		merged = *have
	}
	p.Value.PerSecond.apply(&merged.PerSecond, 0)
	p.Value.Burst.apply(&merged.Burst, 0)
	return &merged
}

func (p retryPatch) merge(s domain.Schedule) (domain.Schedule, error) {
	shown := showRetry(s)
	in := retryIn(shown)
	p.Schedule.apply(&in.Schedule, nil)
	p.First.apply(&in.First, "")
	p.Factor.apply(&in.Factor, 0)
	p.MaxInterval.apply(&in.MaxInterval, "")
	p.MaxElapsed.apply(&in.MaxElapsed, "")
	p.Jitter.apply(&in.Jitter, 0)
	return in.schedule()
}

// patchedAuth is a credential after the patch.
type patchedAuth struct {
	Auth
	kept bool // the secret stays under the id that it has: Value is empty
}

// merge applies the patch to the credential that there is.
func (p authPatch) merge(a *domain.EndpointAuth) (patchedAuth, error) {
	in, kept := authIn{}, false
	if a != nil && (!p.Type.Set || p.Type.Value == a.Type) {
		kept = !p.secret(a.Type).Set
		in = authIn{Type: a.Type, In: a.In, Name: a.Name}
		if a.Type == "basic" {
			in.Name, in.Username = "", a.Name
		}
	}
	p.Type.apply(&in.Type, "")
	p.In.apply(&in.In, "")
	p.Name.apply(&in.Name, "")
	p.Value.apply(&in.Value, "")
	p.Username.apply(&in.Username, "")
	p.Password.apply(&in.Password, "")
	p.Token.apply(&in.Token, "")
	auth, err := in.auth()
	return patchedAuth{auth, kept}, err
}

// secret is the member that holds the secret of a type.
func (p authPatch) secret(kind string) patch[string] {
	switch kind {
	case "basic":
		return p.Password
	case "bearer":
		return p.Token
	}
	return p.Value
}

// authKept is the credential that an endpoint has, its secret kept.
func authKept(a *domain.EndpointAuth) patchedAuth {
	if a == nil {
		return patchedAuth{}
	}
	return patchedAuth{Auth{Type: a.Type, In: a.In, Name: a.Name}, true}
}

// standIn is what a profile's checks see of a secret that is kept, which nobody has in hand. It passes them all and goes no
// further.
const standIn = "kept"

// patchedHeader is a custom header after the patch. Without a secret's id its value is new; else it is kept.
type patchedHeader struct {
	domain.SecretHeader
	value string
}

// mergeSecrets merges credentials and headers and has the profile judge the whole target.
func (c *call) mergeSecrets(p endpointPatch, old domain.EndpointConfig, target Target) (auth patchedAuth, headers []patchedHeader, err error) {
	auth = authKept(old.Auth)
	switch {
	case p.Auth.Null:
		auth = patchedAuth{}
	case p.Auth.Set:
		if auth, err = p.Auth.Value.merge(old.Auth); err != nil {
			return auth, nil, err
		}
	}
	if headers, err = c.mergeHeaders(p.Headers, old.Headers); err != nil {
		return auth, nil, err
	}
	if target.Auth = auth.Auth; auth.kept {
		target.Auth.Value = standIn
	}
	for _, h := range headers {
		value := h.value
		if !h.Secret.IsZero() {
			value = standIn
		}
		target.Headers = append(target.Headers, domain.Header{Name: h.Name, Value: value})
	}
	full, err := c.checkTarget(target)
	if auth.kept {
		full.Value = ""
	}
	auth.Auth = full
	return auth, headers, err
}

func (c *call) mergeHeaders(p patch[map[string]*string], have []domain.SecretHeader) ([]patchedHeader, error) {
	var merged []patchedHeader
	for _, h := range have {
		merged = append(merged, patchedHeader{SecretHeader: h})
	}
	if p.Null {
		return nil, nil
	}
	given := make(map[string]string)
	for name, value := range p.Value {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		merged = slices.DeleteFunc(merged, func(h patchedHeader) bool { return h.Name == canonical })
		if value != nil {
			given[name] = *value
		}
	}
	fresh, err := c.customHeaders(given)
	for _, h := range fresh {
		merged = append(merged, patchedHeader{domain.SecretHeader{Name: h.Name}, h.Value})
	}
	slices.SortFunc(merged, func(a, b patchedHeader) int { return strings.Compare(a.Name, b.Name) })
	return merged, err
}

// keepPatched keeps what is new and names what stays.
func (c *call) keepPatched(ctx context.Context, config *domain.EndpointConfig, auth patchedAuth, headers []patchedHeader, secrets *secretValues) error {
	if err := c.keepQuery(ctx, config, secrets); err != nil {
		return err
	}
	old := config.Auth
	config.Auth = nil
	switch {
	case auth.Type == "":
	case auth.kept:
		config.Auth = &domain.EndpointAuth{Type: auth.Type, In: auth.In, Name: auth.Name, Secret: old.Secret, Fingerprint: old.Fingerprint}
	default:
		if err := c.keepAuth(ctx, config, auth.Auth, secrets); err != nil {
			return err
		}
	}
	config.Headers = nil
	for _, h := range headers {
		if h.Secret.IsZero() {
			id, fingerprint, err := c.keep(ctx, PurposeHeader, h.value, secrets)
			if err != nil {
				return err
			}
			h.Secret, h.Fingerprint = id, fingerprint
		}
		config.Headers = append(config.Headers, h.SecretHeader)
	}
	return nil
}
