package webhook

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// masked replaces the endpoint's own secrets in a captured answer.
const masked = "[masked]"

// Lengths below which a form of a secret is not looked for: it would hit ordinary text.
const (
	minMasked        = 4
	minMaskedEncoded = 6
)

// masks looks for an endpoint's secrets in what its receiver answered.
type masks struct {
	// shortest is a lower bound of what a form's length can be: most answers are shorter, and need no search.
	shortest int
	// forms lists what to look for, longest first. It is made when first needed and takes some kilobytes.
	forms func() []string
}

// newMasks looks for each secret as it is, percent-encoded, inside a JSON string or Go's quotes, in hex, and in base64
// at each of the three places that it can have in what is encoded (so it is found inside an encoded "user:secret" as
// well).
func newMasks(secrets []string) masks {
	m := masks{shortest: math.MaxInt, forms: sync.OnceValue(func() []string { return formsOf(secrets) })}
	for _, secret := range secrets {
		if len(secret) >= minMasked {
			m.shortest = min(m.shortest, len(secret)) // no encoding makes it shorter
		}
	}
	return m
}

// and looks for one secret more.
func (m masks) and(secret string) masks {
	return masks{shortest: min(m.shortest, len(secret)), forms: sync.OnceValue(func() []string {
		return longestFirst(append(slices.Clone(m.forms()), secretForms(secret)...))
	})}
}

// formsOf lists the forms of all secrets, each once.
func formsOf(secrets []string) []string {
	var forms []string
	for _, secret := range secrets {
		forms = append(forms, secretForms(secret)...)
	}
	return longestFirst(forms)
}

// longestFirst sorts forms and drops repeats: a form that holds another must be found before it.
func longestFirst(forms []string) []string {
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(forms)
}

func secretForms(secret string) []string {
	if len(secret) < minMasked {
		return nil
	}
	forms := []string{secret}
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	every := percentAll(secret)
	forms = append(forms, query, lowerEscapes(query), path, lowerEscapes(path), every, lowerEscapes(every))
	forms = append(forms, jsonForms(secret)...)
	quoted := strconv.Quote(secret) // as net/http quotes an answer that it can't read
	forms = append(forms, quoted[1:len(quoted)-1])
	big, little := utf16Forms(secret)
	forms = append(forms, big, little)
	if len(secret) >= minMaskedEncoded {
		forms = append(forms, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))))
		forms = append(forms, base64Forms(secret)...)
	}
	return forms
}

// utf16Forms are a secret's characters in UTF-16, in both orders of bytes.
func utf16Forms(secret string) (big, little string) {
	var be, le []byte
	for _, unit := range utf16.Encode([]rune(secret)) {
		be = binary.BigEndian.AppendUint16(be, unit)
		le = binary.LittleEndian.AppendUint16(le, unit)
	}
	return string(be), string(le)
}

// percentAll escapes every byte that isn't unreserved (RFC 3986 §2.3); QueryEscape writes a space as "+".
func percentAll(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// lowerEscapes writes the hexadecimal digits of escapes in lower case, as some encoders do.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// jsonForms are the ways in which encoders write a text inside a JSON string: escaping as little as possible, <, > and
// & too, the slash, or everything that isn't ASCII. They replace each byte of a key that isn't UTF-8.
func jsonForms(s string) []string {
	least := string(appendPart(nil, string([]rune(s))))
	forms := []string{least}
	if html, err := json.Marshal(s); err == nil {
		forms = append(forms, string(html[1:len(html)-1]))
	}
	var ascii strings.Builder
	for _, r := range least {
		if r < utf8.RuneSelf {
			ascii.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			ascii.WriteString(`\u`)
			ascii.WriteString(hex.EncodeToString([]byte{byte(unit >> 8), byte(unit)}))
		}
	}
	forms = append(forms, ascii.String())
	for _, form := range forms {
		forms = append(forms, strings.ReplaceAll(form, "/", `\/`))
	}
	return forms
}

// base64Forms are the characters that depend on the secret alone, for each of the three ways in which its bytes can
// fall into base64's groups, in both alphabets; and those with "/" escaped as in JSON.
func base64Forms(secret string) []string {
	var forms []string
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		first := (shift*8 + 5) / 6   // characters that also hold bits from before
		whole := len(padded) * 8 / 6 // characters without bits from behind
		standard := base64.RawStdEncoding.EncodeToString(padded)[first:whole]
		address := base64.RawURLEncoding.EncodeToString(padded)[first:whole]
		if len(standard) < minMaskedEncoded {
			continue
		}
		forms = append(forms, standard, address, strings.ReplaceAll(standard, "/", `\/`), percentAll(standard))
	}
	return forms
}

// apply replaces the secrets in a text and reports whether there were any. Without any it returns b itself.
func (m masks) apply(b []byte) ([]byte, bool) {
	if len(b) < m.shortest {
		return b, false
	}
	hit := false
	for _, form := range m.forms() {
		if len(form) <= len(b) && bytes.Contains(b, []byte(form)) {
			b, hit = bytes.ReplaceAll(b, []byte(form), []byte(masked)), true
		}
	}
	return b, hit
}

// text is apply for a text.
func (m masks) text(s string) (string, bool) {
	if len(s) < m.shortest {
		return s, false
	}
	hit := false
	for _, form := range m.forms() {
		if len(form) <= len(s) && strings.Contains(s, form) {
			s, hit = strings.ReplaceAll(s, form, masked), true
		}
	}
	return s, hit
}

// name masks a header's name, whose letters net/http and HTTP/2 change the case of.
func (m masks) name(lower string) (string, bool) {
	if len(lower) < m.shortest {
		return lower, false
	}
	hit := false
	for _, form := range m.forms() {
		if form = strings.ToLower(form); strings.Contains(lower, form) {
			lower, hit = strings.ReplaceAll(lower, form, masked), true
		}
	}
	return lower, hit
}
