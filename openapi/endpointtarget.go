package openapi

import (
	"errors"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// targetOf is where an endpoint's requests go as it is, its secrets kept. Nobody has those in hand: what is checked has
// a stand-in for each, which passes every check and goes no further.
func targetOf(config domain.EndpointConfig) domain.Target {
	t := domain.Target{Profile: config.ProfileDigest, URL: config.URL, Success: config.Success}
	if a := config.Auth; a != nil {
		t.Auth = domain.Auth{Type: a.Type, In: a.In, Name: a.Name, Value: standIn}
	}
	for _, h := range config.Headers {
		t.Headers = append(t.Headers, domain.Header{Name: h.Name, Value: standIn})
	}
	return t
}

// standIn is what is checked in place of a secret that is kept.
const standIn = "kept"

// judgeTarget has the profile judge a target, and names the credential's member as this API does.
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

// redacted is in a URL as it is shown in place of what is kept as a secret.
const redacted = "[redacted]"

// splitURL parts a URL into what the log may hold of it and what is kept as a secret, which is empty if nothing looks like
// one. Whether it is a URL at all is judged elsewhere.
func splitURL(c *call, raw string) (shown, secret string, err error) {
	plain, err := url.PathUnescape(raw)
	if err != nil {
		plain = raw
	}
	if strings.Contains(plain, redacted) {
		return "", "", domain.Invalid("url", "has the placeholder of what isn't shown: give the whole URL")
	}
	shown, secret = c.Profiles.SplitURL(raw)
	return shown, secret, nil
}
