package webhook

import (
	"encoding/base64"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Auth is how the product authenticates itself to a receiver. The zero value is none.
type Auth = domain.Auth

// authTypes are the kinds of credentials an endpoint can have.
func authTypes() []string { return []string{"api_key", "basic", "bearer"} }

// WithDefaults fills in what the profile says about an API key's place. It is what should be stored.
func (p *Profile) WithDefaults(a Auth) Auth {
	if a.Type != "api_key" {
		return a
	}
	if a.In == "" {
		a.In = "header"
	}
	if a.Name != "" {
		return a
	}
	if a.In == "query" {
		a.Name = p.auth.query
	} else {
		a.Name = strings.ToLower(p.auth.header)
	}
	return a
}

// CheckAuth refuses credentials that the profile or HTTP has no place for, and their absence where the profile needs
// some. The error is a *domain.InvalidError; it never holds a secret.
func (p *Profile) CheckAuth(a Auth) error {
	if a == (Auth{}) {
		if p.auth.required {
			return domain.Invalid("auth", "is needed: receivers of the profile %s know the sender by its %s", p.Name,
				strings.Join(p.auth.types, " or "))
		}
		return nil
	}
	allowed := authTypes()
	if len(p.auth.types) > 0 {
		allowed = p.auth.types
	}
	if !slices.Contains(allowed, a.Type) {
		return domain.Invalid("auth.type", "is one of %s", strings.Join(allowed, ", "))
	}
	if len(a.Value) == 0 || len(a.Value) > maxHeaderValue {
		return domain.Invalid("auth.value", "has 1 to %d bytes", maxHeaderValue)
	}
	if name, _ := authHeader(a); a.Type != "api_key" && p.sets(name) { // the profile's own would be sent in its place
		return domain.Invalid("auth.type", "goes into a header that the profile %s sets itself", p.Name)
	}
	switch a.Type {
	case "api_key":
		return p.checkAPIKey(p.WithDefaults(a))
	case "basic":
		if strings.Contains(a.Name, ":") || domain.ValidateText("", a.Name, 0, 255) != nil ||
			domain.ValidateText("", a.Value, 1, maxHeaderValue) != nil {
			return domain.Invalid("auth.username", "holds no colon, and neither user name nor password holds control characters")
		}
	case "bearer":
		if !headerText(a.Value) || strings.Contains(a.Value, " ") {
			return domain.Invalid("auth.value", "holds only visible ASCII characters, no space")
		}
	}
	return nil
}

func (p *Profile) checkAPIKey(a Auth) error {
	switch a.In {
	case "header":
		if reason := reservedHeader(textproto.CanonicalMIMEHeaderKey(a.Name)); reason != "" {
			return domain.Invalid("auth.name", "%s", reason)
		}
		if p.sets(textproto.CanonicalMIMEHeaderKey(a.Name)) {
			return domain.Invalid("auth.name", "is a header that the profile %s sets itself", p.Name)
		}
		if !headerText(a.Value) || strings.TrimSpace(a.Value) != a.Value {
			return domain.Invalid("auth.value", "holds only visible ASCII characters, with spaces only between them")
		}
	case "query":
		if !regexp.MustCompile(queryName).MatchString(a.Name) {
			return domain.Invalid("auth.name", "has 1 to 64 characters of A-Z, a-z, 0-9, _, . and -")
		}
		if domain.ValidateText("", a.Value, 1, maxHeaderValue) != nil {
			return domain.Invalid("auth.value", "is text without control characters")
		}
	default:
		return domain.Invalid("auth.in", "is header or query")
	}
	return nil
}

// sets reports whether a profile writes a header itself.
func (p *Profile) sets(canonical string) bool {
	if p.signature != nil && p.signature.header == canonical {
		return true
	}
	return slices.ContainsFunc(p.headers, func(h headerRule) bool {
		return h.name == canonical || h.spread && strings.HasPrefix(canonical, h.name)
	})
}

// authHeader returns the header that carries the credentials, "" where none does.
func authHeader(a Auth) (name, value string) {
	switch {
	case a.Type == "basic":
		return "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Name+":"+a.Value))
	case a.Type == "bearer":
		return "Authorization", "Bearer " + a.Value
	case a.Type == "api_key" && a.In == "header":
		return textproto.CanonicalMIMEHeaderKey(a.Name), a.Value
	}
	return "", ""
}
