package openapi

import (
	"net/url"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// redacted stands for each value in the query of an endpoint's URL, of which some receivers make a credential.
const redacted = "[redacted]"

// splitURL parts a URL into what the log may hold of it and the query that is kept as a secret, which is empty if no
// parameter has a value. Whether it is a URL at all is judged elsewhere.
func splitURL(raw string) (shown, query string, err error) {
	base, query, _ := strings.Cut(raw, "?")
	params := strings.Split(query, "&")
	secret := false
	for i, param := range params {
		name, value, ok := strings.Cut(param, "=")
		if !ok || value == "" {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil && plain == redacted {
			return "", "", domain.Invalid("url", "holds the placeholder of a value that isn't shown: give the URL with its values")
		}
		params[i], secret = name+"="+url.QueryEscape(redacted), true
	}
	if !secret {
		return raw, "", nil
	}
	return base + "?" + strings.Join(params, "&"), query, nil
}

// patchURL applies a new URL. The URL as it is shown stands for the one that there is.
func (p endpointPatch) patchURL(config *domain.EndpointConfig, secrets *secretValues) (given string, err error) {
	secrets.query = ""
	if !p.URL.Set || p.URL.Value == config.URL {
		return config.URL, nil
	}
	config.Query = nil
	config.URL, secrets.query, err = splitURL(p.URL.Value)
	return p.URL.Value, err
}
