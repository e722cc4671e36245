package openapi

import (
	"context"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type patchEndpointIn struct {
	rest.ThingPath
	rest.MatchHeader
	Body endpointPatch `contentType:"application/merge-patch+json"`
}

type endpointPatch struct {
	Name         rest.Patch[string]             `json:"name,omitzero" minLength:"1" maxLength:"255" doc:"For people." example:"orders at Acme"`
	URL          rest.Patch[string]             `json:"url,omitzero" maxLength:"2048" doc:"Where requests go. The URL as it is shown, with what is redacted, leaves it as it is." example:"https://receiver.example/hooks"`
	Auth         rest.Patch[authPatch]          `json:"auth,omitzero" doc:"Merged into what there is, unless the type changes; a secret that isn't given stays. null: none."`
	Headers      rest.Patch[map[string]*string] `json:"headers,omitzero" maxProperties:"16" doc:"Merged by name; null removes a header." example:"{\"X-Team\":\"billing\"}"`
	RateLimit    rest.Patch[rateLimitPatch]     `json:"rate_limit,omitzero" doc:"null: no limit."`
	Concurrency  rest.Patch[int]                `json:"concurrency,omitzero" minimum:"1" maximum:"1024" doc:"null: 32." example:"32"`
	Ordered      rest.Patch[bool]               `json:"ordered,omitzero" doc:"Not available in this version: true is refused. null: false." example:"false"`
	Timeout      rest.Patch[string]             `json:"timeout,omitzero" maxLength:"32" doc:"null: the profile's, or 15s." example:"15s"`
	Retry        rest.Patch[retryPatch]         `json:"retry,omitzero" doc:"null: the profile's schedule, or the product's."`
	Success      rest.Patch[[]string]           `json:"success,omitzero" maxItems:"100" doc:"The statuses that are a success; replaces the list. null: those of the profile." example:"[\"200\"]"`
	DisableAfter rest.Patch[string]             `json:"disable_after,omitzero" maxLength:"32" doc:"After how long of nothing but failures the server stops delivering; 0s: never. null: as the profile's default." example:"120h"`
	Handshake    rest.Patch[string]             `json:"handshake,omitzero" doc:"ownership or cloudevents; what is newly asked for has to be passed before the next event is routed here. null: none." example:"ownership"`
	ExternalID   rest.Patch[string]             `json:"external_id,omitzero" maxLength:"255" doc:"null: none." example:"crm-42"`
	Metadata     rest.Patch[map[string]*string] `json:"metadata,omitzero" maxProperties:"32" doc:"Merged by name." example:"{\"team\":\"billing\"}"`
	rest.ReasonBody
}

type authPatch struct {
	Type     rest.Patch[string] `json:"type,omitzero" doc:"api_key, basic or bearer." example:"api_key"`
	In       rest.Patch[string] `json:"in,omitzero" doc:"header or query." example:"header"`
	Name     rest.Patch[string] `json:"name,omitzero" maxLength:"128" doc:"The header or parameter of an API key." example:"X-Api-Key"`
	Value    rest.Patch[string] `json:"value,omitzero" maxLength:"4096" doc:"The API key." example:"7hJk3nQx"`
	Username rest.Patch[string] `json:"username,omitzero" maxLength:"255" doc:"Of basic." example:"hooktrail"`
	Password rest.Patch[string] `json:"password,omitzero" maxLength:"4096" doc:"Of basic." example:"correct horse battery staple"`
	Token    rest.Patch[string] `json:"token,omitzero" maxLength:"4096" doc:"Of bearer." example:"eyJhbGciOiJIUzI1NiJ9.e30.x"`
}

type rateLimitPatch struct {
	PerSecond rest.Patch[float64] `json:"per_second,omitzero" minimum:"0.01" maximum:"1000000" doc:"Requests a second." example:"50"`
	Burst     rest.Patch[int]     `json:"burst,omitzero" minimum:"1" maximum:"1000000" doc:"Requests at once after a pause." example:"100"`
}

type retryPatch struct {
	Schedule    rest.Patch[[]string] `json:"schedule,omitzero" maxItems:"100" doc:"The gaps between attempts. Each is at least 100ms; only the first 3 may be shorter than 1s, and the least gap doubles with each further one up to 1m." example:"[\"5s\",\"5m\"]"`
	First       rest.Patch[string]   `json:"first,omitzero" maxLength:"32" doc:"The first gap." example:"1m"`
	Factor      rest.Patch[float64]  `json:"factor,omitzero" minimum:"0" maximum:"100" doc:"How many times the gap before a gap is." example:"2"`
	MaxInterval rest.Patch[string]   `json:"max_interval,omitzero" maxLength:"32" doc:"The longest gap." example:"1h"`
	MaxElapsed  rest.Patch[string]   `json:"max_elapsed,omitzero" maxLength:"32" doc:"How long it is tried." example:"72h"`
	Jitter      rest.Patch[float64]  `json:"jitter,omitzero" minimum:"0" maximum:"0.5" doc:"By how much of itself each gap varies at random." example:"0.1"`
}

// patchEndpoint merges a patch into the endpoint as it is. A new URL may need a handshake first, which is a change of
// its own.
func patchEndpoint(ctx context.Context, c *call, in *patchEndpointIn) (*rest.One[endpointOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("body.reason", in.Body.Reason); err != nil {
		return nil, err
	}
	if err := mayPatch(c, in.Body); err != nil {
		return nil, err
	}
	if moved, err := moveByHandshake(ctx, c, id, in); moved != nil || err != nil {
		return moved, err
	}
	var secrets credentials
	var row projections.Endpoint
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		forgetSecrets(ctx, c, &secrets)
		if row, err = endpointNow(ctx, c, id); err != nil {
			return domain.Group{}, err
		}
		if err := in.Check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := decidePatch(ctx, c, row, in.Body, &secrets)
		if fact == nil || err != nil {
			return domain.Group{}, err
		}
		return endpointGroup(c, row.Endpoint, fact, in.Body.Reason), storeSecrets(ctx, c, &secrets)
	})
	dropRefused(ctx, c, err, &secrets)
	if err != nil {
		return nil, err
	}
	if rest.Unchanged(e) {
		return rest.NewOne(row.Updated.Sequence, row.Version, showEndpoint(row)), nil
	}
	if row, err = endpointOf(ctx, c, e); err != nil {
		return nil, err
	}
	return rest.NewOne(e.Sequence, e.StreamVersion, showEndpoint(row)), nil
}

// mayPatch refuses a receiver all but its URL.
func mayPatch(c *call, p endpointPatch) error {
	if c.Key.Role != domain.RoleReceiver {
		return nil
	}
	for _, name := range p.members() {
		if name != "url" && name != "reason" {
			return rest.Refuse(http.StatusForbidden, "forbidden",
				"A receiver's key changes its endpoint's url and nothing else.",
				rest.NewFault("body."+name, "is changed by the tenant's admins"))
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

// moveByHandshake changes an endpoint's URL by a handshake with the new one, where that is the way; else it returns
// nil.
func moveByHandshake(
	ctx context.Context, c *call, id domain.UUID, in *patchEndpointIn,
) (*rest.One[endpointOut], error) {
	if in.Body.URL.Null || !in.Body.URL.Set {
		return nil, nil
	}
	row, err := endpointNow(ctx, c, id)
	if err != nil {
		return nil, err
	}
	demanded := row.Handshake != "" && !row.Unverified && !in.Body.Handshake.Set
	if c.Key.Role != domain.RoleReceiver && !demanded {
		return nil, nil
	}
	if same, err := sameURL(ctx, c, row.EndpointConfig, in.Body.URL.Value); same || err != nil {
		return nil, err
	}
	for _, name := range in.Body.members() {
		if name != "url" {
			return nil, rest.Refuse(http.StatusUnprocessableEntity, "validation_failed",
				"body.url: needs a handshake, and is changed alone: send the rest in a request of its own.",
				rest.NewFault("body.url", "is changed alone"), rest.NewFault("body."+name,
					"goes into a request of its own"))
		}
	}
	out, err := shakeHands(ctx, c,
		&handshake{id: id, url: in.Body.URL.Value, match: in.MatchHeader, reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	if !out.Body.Passed {
		return nil, rest.Refuse(http.StatusUnprocessableEntity, "handshake_failed",
			"The receiver at the new URL didn't pass the handshake; the URL stays as it was: "+out.Body.Detail,
			rest.NewFault("body.url", "belongs to a receiver that passes the handshake"))
	}
	return &rest.One[endpointOut]{Sequence: out.Sequence, ETag: out.ETag, Body: out.Body.Endpoint}, nil
}

// sameURL reports whether a URL is the endpoint's as it is: as it is shown, or whole.
func sameURL(ctx context.Context, c *call, config domain.EndpointConfig, given string) (bool, error) {
	if given == config.URL {
		return true, nil
	}
	shown, query, err := splitURL(c, given)
	if err != nil || shown != config.URL || query == "" || config.Query == nil {
		return false, err
	}
	fingerprint, err := c.Fingerprints.Fingerprint(ctx, c.Tenant, []byte(query))
	return fingerprint == config.Query.Fingerprint, err
}

// decidePatch decides on the merged configuration; nil where it is as it was. Its new secrets are named and not stored
// yet.
func decidePatch(
	ctx context.Context, c *call, row projections.Endpoint, p endpointPatch, secrets *credentials,
) (*domain.EndpointUpdated, error) {
	profile, err := profileOf(ctx, c, row.EndpointConfig)
	if err != nil {
		return nil, err
	}
	config := row.EndpointConfig
	if err := p.merge(&config, profile); err != nil {
		return nil, err
	}
	target := targetOf(row.EndpointConfig)
	target.Success = config.Success
	secrets.query = ""
	if p.URL.Set && p.URL.Value != row.URL { // the URL as it is shown leaves it as it is
		target.URL, config.Query = p.URL.Value, nil
		if config.URL, secrets.query, err = splitURL(c, p.URL.Value); err != nil {
			return nil, err
		}
	}
	authKept := config.Auth != nil
	switch {
	case p.Auth.Null:
		target.Auth, authKept = domain.Auth{}, false
	case p.Auth.Set:
		if target.Auth, authKept, err = p.Auth.Value.merge(config.Auth); err != nil {
			return nil, err
		}
	}
	headers, err := mergeHeaders(c, p.Headers, row.Headers)
	if err != nil {
		return nil, err
	}
	target.Headers = nil
	for _, h := range headers {
		target.Headers = append(target.Headers, domain.Header{Name: h.Name, Value: h.value})
	}
	if target.Auth, err = judgeTarget(c, target); err != nil {
		return nil, err
	}
	https, err := httpsOnly(ctx, c, profile)
	if err != nil {
		return nil, err
	}

	if err := nameQuery(ctx, c, &config, secrets); err != nil {
		return nil, err
	}
	switch a := target.Auth; {
	case a.Type == "":
		config.Auth = nil
	case authKept:
		config.Auth = &domain.EndpointAuth{
			Type: a.Type, In: a.In, Name: a.Name, Secret: row.Auth.Secret, Fingerprint: row.Auth.Fingerprint,
		}
	default:
		if err := nameAuth(ctx, c, &config, a, secrets); err != nil {
			return nil, err
		}
	}
	config.Headers = nil
	for _, h := range headers {
		if !h.kept {
			if h.Secret, h.Fingerprint, err = nameSecret(ctx, c, secrets, domain.PurposeHeader, h.value); err != nil {
				return nil, err
			}
		}
		config.Headers = append(config.Headers, h.SecretHeader)
	}
	secrets.keepSame(row.EndpointConfig, &config)
	return row.Update(config, https)
}

// merge applies everything that isn't a secret.
func (p endpointPatch) merge(config *domain.EndpointConfig, profile domain.Profile) (err error) {
	p.Name.Apply(&config.Name, "")
	p.Concurrency.Apply(&config.Concurrency, domain.DefaultConcurrency)
	if err := checkOrdered(p.Ordered.Value); err != nil {
		return err
	}
	p.Ordered.Apply(&config.Ordered, false)
	p.ExternalID.Apply(&config.ExternalID, "")
	if p.Metadata.Set {
		config.Metadata = rest.MergeText(config.Metadata, p.Metadata)
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

// mergeHealth applies what counts as a success, and what follows when deliveries fail.
func (p endpointPatch) mergeHealth(config *domain.EndpointConfig, profile domain.Profile) (err error) {
	if p.Success.Set && !p.Success.Null && len(p.Success.Value) == 0 {
		return domain.Invalid("success", "names at least one status; null: those of the profile")
	}
	p.Success.Apply(&config.Success, nil)
	var handshake string
	if p.Handshake.Set {
		p.Handshake.Apply(&handshake, "")
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

// mergeRate merges a rate limit; null removes it.
func mergeRate(p rest.Patch[rateLimitPatch], have *domain.RateLimit) *domain.RateLimit {
	if p.Null {
		return nil
	}
	merged := domain.RateLimit{}
	if have != nil {
		merged = *have
	}
	p.Value.PerSecond.Apply(&merged.PerSecond, 0)
	p.Value.Burst.Apply(&merged.Burst, 0)
	return &merged
}

func (p retryPatch) merge(s domain.Schedule) (domain.Schedule, error) {
	shown := showRetry(s)
	in := retryIn(shown)
	p.Schedule.Apply(&in.Schedule, nil)
	p.First.Apply(&in.First, "")
	p.Factor.Apply(&in.Factor, 0)
	p.MaxInterval.Apply(&in.MaxInterval, "")
	p.MaxElapsed.Apply(&in.MaxElapsed, "")
	p.Jitter.Apply(&in.Jitter, 0)
	return in.schedule()
}

// merge applies the patch to the credential that there is. kept reports whether its secret stays: the value is a
// stand-in then.
func (p authPatch) merge(a *domain.EndpointAuth) (merged domain.Auth, kept bool, err error) {
	var in authIn
	if a != nil && (!p.Type.Set || p.Type.Value == a.Type) {
		in = authIn{Type: a.Type, In: a.In, Name: a.Name}
		switch a.Type {
		case "basic":
			in.Name, in.Username = "", a.Name
			kept = !p.Password.Set
		case "bearer":
			kept = !p.Token.Set
		default:
			kept = !p.Value.Set
		}
	}
	p.Type.Apply(&in.Type, "")
	p.In.Apply(&in.In, "")
	p.Name.Apply(&in.Name, "")
	p.Value.Apply(&in.Value, "")
	p.Username.Apply(&in.Username, "")
	p.Password.Apply(&in.Password, "")
	p.Token.Apply(&in.Token, "")
	if merged, err = in.auth(); err == nil && kept {
		merged.Value = standIn
	}
	return merged, kept, err
}

// patchedHeader is a custom header after the patch. Of a kept one the value is a stand-in; else the secret isn't named
// yet.
type patchedHeader struct {
	domain.SecretHeader
	value string
	kept  bool
}

// mergeHeaders merges custom headers by name; null removes one.
func mergeHeaders(
	c *call, p rest.Patch[map[string]*string], have []domain.SecretHeader,
) ([]patchedHeader, error) {
	if p.Null {
		return nil, nil
	}
	var merged []patchedHeader
	for _, h := range have {
		merged = append(merged, patchedHeader{h, standIn, true})
	}
	given := make(map[string]string)
	for name, value := range p.Value {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		merged = slices.DeleteFunc(merged, func(h patchedHeader) bool { return h.Name == canonical })
		if value != nil {
			given[name] = *value
		}
	}
	fresh, err := customHeaders(c, given)
	for _, h := range fresh {
		merged = append(merged, patchedHeader{domain.SecretHeader{Name: h.Name}, h.Value, false})
	}
	slices.SortFunc(merged, func(a, b patchedHeader) int { return strings.Compare(a.Name, b.Name) })
	return merged, err
}
