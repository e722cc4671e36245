package domain

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// EndpointConfig is an endpoint's whole configuration at one version. Secrets are kept elsewhere, in a table from which
// they can be deleted; the log holds their ids and keyed fingerprints.
type EndpointConfig struct {
	Name          string            `json:"name"`
	URL           string            `json:"url"`            // what looks like a credential is redacted
	Query         *SecretQuery      `json:"query,omitzero"` // nil: nothing in the URL looks like one
	Profile       string            `json:"profile"`
	ProfileDigest string            `json:"profile_digest"` // the exact document: an upgrade never changes what is sent
	Keys          []SigningKey      `json:"keys,omitempty"` // the current one first, then those still in their overlap
	Auth          *EndpointAuth     `json:"auth,omitzero"`
	Headers       []SecretHeader    `json:"headers,omitempty"` // in order of name
	RateLimit     *RateLimit        `json:"rate_limit,omitzero"`
	Concurrency   int               `json:"concurrency"`
	Ordered       bool              `json:"ordered,omitzero"`
	Timeout       Duration          `json:"timeout"`
	Retry         Schedule          `json:"retry"`
	ExternalID    string            `json:"external_id,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Paused        bool              `json:"paused,omitzero"`
	Disabled      string            `json:"disabled,omitempty"` // why the product stopped delivering; empty: it didn't
	// Success overrides which statuses are a success, as a profile writes them ("2xx", "200"); none: the profile's.
	Success []string `json:"success,omitempty"`
	// DisableAfter is how long every attempt must have failed before the product stops delivering; 0: it never does.
	DisableAfter Duration `json:"disable_after,omitzero"`
	// Handshake is what the receiver must pass before its first delivery, and before its URL changes; empty: nothing.
	Handshake HandshakeKind `json:"handshake,omitempty"`
	// Unverified: the handshake isn't passed yet. Nothing is routed there until it is.
	Unverified bool `json:"unverified,omitzero"`
	// Registration is the key with which its receiver made the endpoint; none: an administrator made it.
	Registration UUID `json:"registration,omitzero"`
}

// Why the product stops delivering to an endpoint.
const (
	DisabledGone    = "gone"    // the receiver answered 410
	DisabledFailing = "failing" // nothing but failures for the configured time
)

// SigningKey names a key that signs for an endpoint.
type SigningKey struct {
	ID          UUID      `json:"id"`
	Fingerprint string    `json:"fingerprint"`          // keyed, so that a guessed key can't be confirmed
	PublicKey   string    `json:"public_key,omitempty"` // of an asymmetric key
	Until       time.Time `json:"until,omitzero"`       // end of its overlap; zero: the current key
}

// EndpointAuth says how the product authenticates itself to a receiver.
type EndpointAuth struct {
	Type        string `json:"type"`           // "api_key", "basic", "bearer"
	In          string `json:"in,omitempty"`   // of an api_key: "header" or "query"
	Name        string `json:"name,omitempty"` // of the header or query parameter; of a basic user
	Secret      UUID   `json:"secret"`
	Fingerprint string `json:"fingerprint"`
}

// SecretHeader is a custom header. Its value may be a credential, so it is kept as a secret.
type SecretHeader struct {
	Name        string `json:"name"`
	Secret      UUID   `json:"secret"`
	Fingerprint string `json:"fingerprint"`
}

// SecretQuery is an endpoint's URL from its path on, which is kept as a secret if it has a query or a segment that looks like a
// credential.
type SecretQuery struct {
	Secret      UUID   `json:"secret"`
	Fingerprint string `json:"fingerprint"`
}

// RateLimit is a token bucket.
type RateLimit struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
}

// Defaults and bounds of an endpoint.
const (
	DefaultConcurrency = 32
	MaxConcurrency     = 1024
	DefaultTimeout     = Duration(15 * time.Second)
	MinTimeout         = Duration(100 * time.Millisecond)
	MaxTimeout         = Duration(120 * time.Second)
	MaxURLBytes        = 2048
	MinDisableAfter    = Duration(time.Hour)
	MaxDisableAfter    = Duration(365 * 24 * time.Hour)
	maxPerSecond       = 1e6
	maxSuccess         = 100
	maxMetadata        = 32
	maxHeaders         = 16
)

// Endpoint is an endpoint at one version of its stream.
type Endpoint struct {
	ID      UUID
	Tenant  TenantID
	Version int
	Deleted bool
	EndpointConfig
}

// Active reports whether deliveries may be attempted now; those of a paused endpoint wait.
func (e Endpoint) Active() bool {
	return !e.Deleted && !e.Paused && e.Disabled == "" && !e.Unverified
}

// CreateEndpoint decides on a new endpoint. Secrets, profile digest and retry schedule are resolved by the caller;
// https says that the profile or the tenant allows nothing else.
func CreateEndpoint(config EndpointConfig, https bool) (*EndpointCreated, error) {
	config = config.withDefaults()
	config.Unverified = config.Handshake != ""
	if err := config.validate(https); err != nil {
		return nil, err
	}
	return &EndpointCreated{config}, nil
}

// Update decides on a changed configuration; nil where nothing changes. Keys, pause, disabling and handshake have operations of their own and stay.
// A verified endpoint that newly requires a handshake has to pass it; once it has, its URL changes only by a handshake.
func (e Endpoint) Update(config EndpointConfig, https bool) (*EndpointUpdated, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	config.Keys, config.Paused, config.Disabled, config.Registration = e.Keys, e.Paused, e.Disabled, e.Registration
	if config.Handshake == e.Handshake {
		config.Unverified = e.Unverified
	} else {
		config.Unverified = config.Handshake != ""
	}
	if config.Moved(e.EndpointConfig) && config.Handshake != "" && !config.Unverified {
		return nil, Invalid("url", "must be changed by a handshake with the new URL")
	}
	config = config.withDefaults()
	if err := config.validate(https); err != nil {
		return nil, err
	}
	if sameContent(&EndpointUpdated{config}, &EndpointUpdated{e.EndpointConfig}) {
		return nil, nil
	}
	return &EndpointUpdated{config}, nil
}

// Moved reports whether requests go elsewhere than they did under another configuration.
func (c EndpointConfig) Moved(from EndpointConfig) bool {
	if c.URL != from.URL || (c.Query == nil) != (from.Query == nil) {
		return true
	}
	return c.Query != nil && c.Query.Fingerprint != from.Query.Fingerprint
}

// RotateKey decides on a new signing key, the old ones staying valid for the overlap. Keys whose overlap has ended by
// now are dropped.
func (e Endpoint) RotateKey(key SigningKey, overlap time.Duration, now time.Time) (*EndpointKeyRotated, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	if overlap < 0 || overlap > time.Duration(MaxGap) {
		return nil, Invalid("overlap", "must be between 0s and 720h")
	}
	key.Until = time.Time{}
	config := e.EndpointConfig
	config.Keys = []SigningKey{key}
	until := now.Add(overlap).UTC().Truncate(time.Microsecond)
	for _, old := range e.SigningKeys(now) {
		if overlap == 0 {
			break
		}
		if old.Until.IsZero() || old.Until.After(until) {
			old.Until = until
		}
		config.Keys = append(config.Keys, old)
	}
	if len(config.Keys) > 4 {
		return nil, Invalid("overlap", "must not leave more than four keys in use at once: wait for the end of an earlier overlap")
	}
	return &EndpointKeyRotated{config}, nil
}

// SigningKeys returns the keys that sign at a time, the current one first.
func (c EndpointConfig) SigningKeys(now time.Time) []SigningKey {
	return slices.DeleteFunc(slices.Clone(c.Keys), func(k SigningKey) bool {
		return !k.Until.IsZero() && !now.Before(k.Until)
	})
}

// Pause decides to let deliveries wait; nil when they do already.
func (e Endpoint) Pause() (*EndpointPaused, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	if e.Paused {
		return nil, nil
	}
	e.Paused = true
	return &EndpointPaused{e.EndpointConfig}, nil
}

// Resume decides to deliver again, after a pause or a disabling; nil when nothing holds deliveries up.
func (e Endpoint) Resume() (*EndpointResumed, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	if !e.Paused && e.Disabled == "" {
		return nil, nil
	}
	e.Paused, e.Disabled = false, ""
	return &EndpointResumed{e.EndpointConfig}, nil
}

// Disable decides that the product itself stops delivering, for a reason that people will read; nil when it did already.
func (e Endpoint) Disable(reason string) (*EndpointDisabled, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	if err := ValidateText("reason", reason, 1, 255); err != nil {
		return nil, err
	}
	if e.Disabled != "" {
		return nil, nil
	}
	e.Disabled = reason
	return &EndpointDisabled{e.EndpointConfig}, nil
}

// Failed reports whether there were only failures for as long as the endpoint allows. The time counts from the first
// failure after the last success or from the last change of the configuration, whichever is later: whoever repairs an
// endpoint gets the whole time again.
func (e Endpoint) Failed(h Health, changed, now time.Time) bool {
	at := e.FailsAt(h, changed)
	return !at.IsZero() && !now.Before(at)
}

// FailsAt returns the time from which Failed reports true unless a success or a change comes first; zero: never.
func (e Endpoint) FailsAt(h Health, changed time.Time) time.Time {
	since := h.FailingSince
	if since.IsZero() || e.DisableAfter == 0 {
		return time.Time{}
	}
	if changed.After(since) {
		since = changed
	}
	return since.Add(time.Duration(e.DisableAfter))
}

// Health summarises the latest attempts at an endpoint. The zero value is that of an endpoint that was never tried. An
// attempt of unknown outcome doesn't change it.
type Health struct {
	LastSuccess  time.Time // recorded_at of the last success; zero: never
	FailingSince time.Time // recorded_at of the first failure after the last success; zero: the last attempt succeeded
	Failures     int64     // since the last success
}

// After returns the health after one more attempt's end.
func (h Health) After(outcome AttemptOutcome, at time.Time) Health {
	switch outcome {
	case OutcomeSucceeded:
		return Health{LastSuccess: at}
	case OutcomeFailed:
		if h.FailingSince.IsZero() {
			h.FailingSince = at
		}
		h.Failures++
	}
	return h
}

// Delete decides on the endpoint's end.
func (e Endpoint) Delete() (*EndpointDeleted, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	return &EndpointDeleted{e.EndpointConfig}, nil
}

func (c EndpointConfig) withDefaults() EndpointConfig {
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Retry.IsZero() {
		c.Retry = DefaultSchedule()
	}
	return c
}

func (c EndpointConfig) validate(https bool) error {
	if err := ValidateText("name", c.Name, 1, 255); err != nil {
		return err
	}
	if err := ValidateURL("url", c.URL, https); err != nil {
		return err
	}
	if err := c.Retry.Validate("retry"); err != nil {
		return err
	}
	if err := ValidateText("external_id", c.ExternalID, 0, 255); err != nil {
		return err
	}
	switch {
	case c.Profile == "" || c.ProfileDigest == "":
		return Invalid("profile", "must name a profile of this server")
	case c.Concurrency < 1 || c.Concurrency > MaxConcurrency:
		return Invalid("concurrency", "must be between 1 and %d", MaxConcurrency)
	case c.Timeout < MinTimeout || c.Timeout > MaxTimeout:
		return Invalid("timeout", "must be between 100ms and 120s")
	case c.RateLimit != nil && !(c.RateLimit.PerSecond >= 0.01 && c.RateLimit.PerSecond <= maxPerSecond): // so that NaN is refused
		return Invalid("rate_limit.per_second", "must be between 0.01 and 1000000")
	case c.RateLimit != nil && (c.RateLimit.Burst < 1 || c.RateLimit.Burst > 1e6):
		return Invalid("rate_limit.burst", "must be between 1 and 1000000")
	case len(c.Headers) > maxHeaders:
		return Invalid("headers", "must have at most %d custom headers", maxHeaders)
	case len(c.Success) > maxSuccess:
		return Invalid("success", "must have at most %d statuses", maxSuccess)
	case c.DisableAfter != 0 && (c.DisableAfter < MinDisableAfter || c.DisableAfter > MaxDisableAfter):
		return Invalid("disable_after", "must be between 1h and 8760h, or 0s for never")
	}
	if err := c.Handshake.Validate("handshake"); err != nil {
		return err
	}
	return validateMetadata(c.Metadata)
}

func validateMetadata(metadata map[string]string) error {
	if len(metadata) > maxMetadata {
		return Invalid("metadata", "must have at most %d members", maxMetadata)
	}
	for name, value := range metadata {
		if ValidateText("", name, 1, 64) != nil || ValidateText("", value, 0, 512) != nil {
			return Invalid("metadata",
				"must have names of 1 to 64 bytes and values of at most 512 bytes, without control characters")
		}
	}
	return nil
}

// ValidateURL refuses what can't be an endpoint's URL. Where it leads is checked when it is dialled, not here.
func ValidateURL(field, raw string, https bool) error {
	if len(raw) > MaxURLBytes {
		return Invalid(field, "must have at most %d bytes", MaxURLBytes)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return Invalid(field, "must be an absolute URL such as https://receiver.example/hooks")
	case u.Scheme != "https" && u.Scheme != "http":
		return Invalid(field, "must begin with https:// or http://")
	case https && u.Scheme != "https":
		return Invalid(field, "must begin with https:// (the tenant or the profile requires it)")
	case u.User != nil:
		return Invalid(field, "must not contain a user name or password: use auth")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return Invalid(field, "must not have a fragment")
	}
	for _, c := range []byte(raw) {
		if c <= ' ' || c > '~' {
			return Invalid(field, "must contain only visible ASCII characters: percent-encode the rest, write the host in punycode")
		}
	}
	return nil
}

// String names the endpoint for an error or a log line, without its URL.
func (e Endpoint) String() string { return fmt.Sprintf("endpoint %s version %d", e.ID, e.Version) }
