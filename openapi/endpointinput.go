package openapi

import (
	"strconv"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// endpointIn is an endpoint as clients send it.
type endpointIn struct {
	Name         string            `json:"name" minLength:"1" maxLength:"255" doc:"For people." example:"orders at Acme"`
	URL          string            `json:"url" maxLength:"2048" doc:"Where requests go: http or https, any port that isn't denied. Values in its query are kept as secrets." example:"https://receiver.example/hooks"`
	Profile      string            `json:"profile,omitempty" maxLength:"64" doc:"The wire format; standard-webhooks by default." example:"standard-webhooks"`
	SigningKey   string            `json:"signing_key,omitempty" maxLength:"1024" doc:"In the profile's own form; made by the server by default. Standard Webhooks: whsec_ and the base64 of 24 to 64 bytes (HMAC-SHA256), or whsk_ and the base64 of an Ed25519 private key, its seed of 32 bytes or the 64 of seed and public key; the endpoint then shows its public_key, whpk_ and base64. Other profiles: any text." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
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

// authIn is a credential as clients send it: each type has members of its own.
type authIn struct {
	Type     string `json:"type" enum:"api_key,basic,bearer" doc:"The kind of credential." example:"api_key"`
	In       string `json:"in,omitempty" enum:"header,query" doc:"Where an API key goes; header by default." example:"header"`
	Name     string `json:"name,omitempty" maxLength:"128" doc:"The header or parameter of an API key; some profiles have a default." example:"X-Api-Key"`
	Value    string `json:"value,omitempty" maxLength:"4096" doc:"The API key." example:"7hJk3nQx"`
	Username string `json:"username,omitempty" maxLength:"255" doc:"Of basic." example:"hooktrail"`
	Password string `json:"password,omitempty" maxLength:"4096" doc:"Of basic." example:"correct horse battery staple"`
	Token    string `json:"token,omitempty" maxLength:"4096" doc:"Of bearer." example:"eyJhbGciOiJIUzI1NiJ9.e30.x"`
}

// auth reads a credential; nil is none. Members of another type are refused, so that none is silently ignored.
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
		return a, domain.Invalid("auth",
			"api_key has in, name and value; basic has username and password; bearer has token")
	}
	return a, nil
}

type retryIn struct {
	Schedule    []string `json:"schedule,omitempty" maxItems:"100" doc:"The gaps between attempts. Each is at least 100ms; only the first 3 may be shorter than 1s, and the least gap doubles with each further one up to 1m. Either these, or first, factor and max_elapsed." example:"[\"5s\",\"5m\"]"`
	First       string   `json:"first,omitempty" maxLength:"32" doc:"The first gap." example:"1m"`
	Factor      float64  `json:"factor,omitempty" minimum:"0" maximum:"100" doc:"How many times the gap before a gap is." example:"2"`
	MaxInterval string   `json:"max_interval,omitempty" maxLength:"32" doc:"The longest gap; no limit by default." example:"1h"`
	MaxElapsed  string   `json:"max_elapsed,omitempty" maxLength:"32" doc:"How long it is tried." example:"72h"`
	Jitter      float64  `json:"jitter,omitempty" minimum:"0" maximum:"0.5" doc:"By how much of itself each gap varies at random." example:"0.1"`
}

// schedule reads a schedule; nil is the zero one, which means the defaults.
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

// duration reads a duration; "" is 0.
func duration(field, text string) (domain.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, domain.Invalid(field, `is a duration such as "30s", "5m" or "72h"`)
	}
	if field == "timeout" && d == 0 { // the domain's word for none given
		return 0, domain.Invalid(field, "lies between 100ms and 120s")
	}
	return domain.Duration(d), nil
}

// checkOrdered refuses what isn't kept: an endpoint that is said to be ordered and isn't would mislead its receiver.
func checkOrdered(asked bool) error {
	if asked {
		return domain.Invalid("ordered", "isn't available in this version of the server: leave it out, or send false")
	}
	return nil
}

// rateLimit is how many requests are sent.
type rateLimit struct {
	PerSecond float64 `json:"per_second" minimum:"0.01" maximum:"1000000" doc:"Requests a second." example:"50"`
	Burst     int     `json:"burst" minimum:"1" maximum:"1000000" doc:"Requests at once after a pause." example:"100"`
}
