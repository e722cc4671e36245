package webhook

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// TargetConfig is what an endpoint's configuration says about its requests, secrets included.
type TargetConfig struct {
	Profile    *Profile
	EndpointID string // as receivers see it, where their format names it
	URL        string
	// Keys sign. The current one is first; after it come those still in their overlap after a rotation.
	Keys      []*Key
	Auth      Auth
	Headers   []domain.Header // custom ones; their values are treated as secrets
	Success   []string        // statuses that succeed, as ParseSuccess reads them; none: the profile's
	UserAgent string          // "Hooktrail/1.2.3"
	// Origin goes with every request as WebHook-Request-Origin, as CloudEvents' Web Hooks ask for after a handshake in
	// which it was given (§4.1.2); "": no handshake.
	Origin string
}

// Target is one version of an endpoint's configuration, ready to build requests for. It is immutable and safe for
// concurrent use. Making one costs more than a request, so keep it as long as the configuration holds.
type Target struct {
	profile    *Profile
	success    Statuses
	endpointID string
	signers    []*Key
	constant   http.Header // of every request; its values are shared and never written to
	secret     map[string]bool
	loggedURL  string
	masks      masks
	template   *http.Request
}

// NewTarget joins a profile with an endpoint's configuration. What doesn't fit is refused with a *domain.InvalidError
// on the endpoint's field, and never quotes a secret; so it is also the check when an endpoint is configured.
func NewTarget(c TargetConfig) (*Target, error) {
	u, err := targetURL(c)
	if err != nil {
		return nil, err
	}
	if err := c.checkSecrets(); err != nil {
		return nil, err
	}
	success := c.Profile.success
	if len(c.Success) > 0 {
		if success, err = ParseSuccess(c.Success); err != nil {
			return nil, err
		}
	}
	auth := c.Profile.WithDefaults(c.Auth)
	t := &Target{
		profile: c.Profile, success: success, endpointID: c.EndpointID, signers: c.Profile.signers(c.Keys),
		secret: map[string]bool{},
	}
	t.constant = http.Header{"Content-Type": {c.Profile.ContentType}, "User-Agent": {c.UserAgent}}
	if name, value := authHeader(auth); name != "" {
		t.constant[name], t.secret[name] = []string{value}, true
	}
	if c.Origin != "" {
		if err := CheckOrigin(c.Origin); err != nil {
			return nil, err
		}
		t.constant[headerRequestOrigin] = []string{c.Origin}
	}
	if err := t.custom(c); err != nil {
		return nil, err
	}
	t.loggedURL = RedactURL(u.String())
	t.masks = newMasks(t.secrets(c, u))
	t.template = &http.Request{
		URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return t, nil
}

// checkSecrets refuses credentials and keys that the profile has no use for.
func (c TargetConfig) checkSecrets() error {
	if err := c.Profile.CheckAuth(c.Auth); err != nil {
		return err
	}
	if len(c.Keys) > 0 && c.Profile.signature == nil {
		return domain.Invalid("signing_key", "the profile %s doesn't sign: leave the key out", c.Profile.Name)
	}
	if slices.ContainsFunc(c.Keys, func(k *Key) bool { return k.algorithm == ed25519Alg && k.private == nil }) {
		return domain.Invalid("signing_key", "is a public key: signing needs the private one (whsk_)")
	}
	return nil
}

// targetURL checks the endpoint's URL and puts an API key into it where it goes there.
func targetURL(c TargetConfig) (*url.URL, error) {
	if err := CheckURL(c.URL, c.Profile.HTTPSOnly); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, domain.Invalid("url", "must be an absolute URL such as https://receiver.example/hooks")
	}
	auth := c.Profile.WithDefaults(c.Auth)
	inQuery := auth.Type == "api_key" && auth.In == "query"
	names := []string{c.Profile.auth.query}
	if inQuery {
		names = append(names, auth.Name)
	}
	if hasQuery(u, names...) {
		return nil, domain.Invalid("url", "holds the parameter that the API key goes into: give the key as auth instead")
	}
	if inQuery {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += url.QueryEscape(auth.Name) + "=" + url.QueryEscape(auth.Value)
	}
	return u, nil
}

// custom adds the endpoint's own headers.
func (t *Target) custom(c TargetConfig) error {
	for _, h := range c.Headers {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		reason := reservedHeader(name)
		switch {
		case reason != "":
			return domain.Invalid("headers", "%s %s", h.Name, reason)
		case t.profile.sets(name):
			return domain.Invalid("headers", "%s is set by the profile %s", h.Name, t.profile.Name)
		case t.constant[name] != nil:
			return domain.Invalid("headers", "%s is a duplicate, or carries the endpoint's auth", h.Name)
		case !headerText(h.Value):
			return domain.Invalid("headers", "the value of %s holds more than visible ASCII characters", h.Name)
		}
		t.constant[name], t.secret[name] = []string{h.Value}, true
	}
	return nil
}

// secrets lists everything that must not be recorded of an answer.
func (t *Target) secrets(c TargetConfig, u *url.URL) []string {
	var all []string
	for _, k := range c.Keys {
		all = append(all, k.secrets()...)
	}
	if c.Auth.Value != "" {
		all = append(all, c.Auth.Value)
	}
	for name := range t.secret {
		value := t.constant[name][0]
		if scheme, rest, ok := strings.Cut(value, " "); ok && (scheme == "Basic" || scheme == "Bearer") {
			value = rest
		}
		all = append(all, value)
	}
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	if u.RawQuery != "" {
		all = append(all, u.RawQuery)
	}
	for param := range strings.SplitSeq(u.RawQuery, "&") { // as it is sent: who encodes the request line encodes this
		name, value, ok := strings.Cut(param, "=")
		if ok {
			all = append(all, value)
		}
		if !ok || looksSecret(name) {
			all = append(all, name)
		}
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if looksSecret(segment) {
			all = append(all, segment)
			if plain, err := url.PathUnescape(segment); err == nil {
				all = append(all, plain)
			}
		}
	}
	return all
}

// KeyIDs names the keys that sign, the current one first.
func (t *Target) KeyIDs() []domain.UUID {
	ids := make([]domain.UUID, len(t.signers))
	for i, k := range t.signers {
		ids[i] = k.ID
	}
	return ids
}

// Profile returns the profile that the target's requests are written in.
func (t *Target) Profile() *Profile { return t.profile }

// signers picks from the keys in force. Where the format carries one signature only, the oldest signs until its overlap
// ends: the receiver may not know the new one yet.
func (p *Profile) signers(keys []*Key) []*Key {
	if len(keys) > 1 && p.signature != nil && p.signature.separator == "" {
		return keys[len(keys)-1:]
	}
	return keys
}
