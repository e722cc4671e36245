package main

import (
	"bytes"
	"encoding/base64"
	endian "encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// search finds secrets in bytes, in every form in which one may have been written down. It looks at each place once,
// however many secrets there are.
type search struct {
	forms map[uint64][]form // by their first eight bytes
	seen  [1 << 10]uint64   // a bit for each hash of eight bytes that a form begins with
}

type form struct {
	what string
	text []byte
}

// shortest is the length below which a form would be found by chance.
const shortest = 10

func newSearch(secrets map[string]string) *search {
	s := &search{forms: map[uint64][]form{}}
	for what, secret := range secrets {
		for how, text := range formsOf(secret) {
			if len(text) < shortest {
				continue
			}
			begin := endian.LittleEndian.Uint64([]byte(text))
			s.forms[begin] = append(s.forms[begin], form{what + ", " + how, []byte(text)})
			bit := hash16(begin)
			s.seen[bit/64] |= 1 << (bit % 64)
		}
	}
	return s
}

func hash16(eight uint64) uint64 { return eight * 0x9e3779b97f4a7c15 >> 48 }

// in names what stands in b.
func (s *search) in(b []byte) (found []string) {
	for i := 0; i+8 <= len(b); i++ {
		begin := endian.LittleEndian.Uint64(b[i:])
		if bit := hash16(begin); s.seen[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		for _, f := range s.forms[begin] {
			if bytes.HasPrefix(b[i:], f.text) {
				found = append(found, f.what)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// encoded finds what may be base64 or hex, and quoted texts.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}`)

var jsonUnescaped = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\/`, `/`, `\u003c`, `<`, `\u003e`, `>`, `\u0026`, `&`)

// deep also looks into what is encoded in a text, three layers down.
func (s *search) deep(text []byte) []string {
	plain := jsonUnescaped.Replace(string(text)) // a text within a JSON text
	found := append(s.in(text), s.in([]byte(plain))...)
	layer := [][]byte{text}
	for range 3 {
		var next [][]byte
		for _, b := range layer {
			for _, token := range encoded.FindAll(b, -1) {
				for _, decode := range []func(string) ([]byte, error){base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, hex.DecodeString} {
					plain, err := decode(string(token))
					if err != nil { // something else follows
						plain, err = decode(string(token[:len(token)/4*4]))
					}
					if err == nil {
						found = append(found, s.in(plain)...)
						next = append(next, plain)
					}
				}
			}
		}
		layer = next
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// formsOf writes a secret down in all ways.
func formsOf(secret string) map[string]string {
	forms := map[string]string{
		"plain":                  secret,
		"as a query":             url.QueryEscape(secret),
		"as a path":              url.PathEscape(secret),
		"percent-encoded":        strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"),
		"hex":                    hex.EncodeToString([]byte(secret)),
		"HEX":                    strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"where UTF-8 was needed": strings.ToValidUTF8(secret, "\uFFFD"),
		"in Go's quotes": strings.Trim(
			strconv.Quote(secret),
			`"`,
		),
		"in ASCII quotes": strings.Trim(strconv.QuoteToASCII(secret), `"`),
	}
	if quoted, err := json.Marshal(secret); err == nil {
		inner := string(quoted[1 : len(quoted)-1])
		forms["in JSON"] = inner
		forms["in JSON, \\/"] = strings.ReplaceAll(inner, "/", `\/`)
		forms["in JSON, plain"] = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(inner)
	}
	for _, name := range []string{"as a query", "as a path", "percent-encoded"} {
		forms[name+", lower escapes"] = regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(forms[name], strings.ToLower)
	}
	for shift := range 3 { // the characters that depend on the secret alone, wherever it begins in what was encoded
		from, to := (shift*8+5)/6, (shift+len(secret))*8/6
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			forms[name+" at "+strconv.Itoa(shift)] = encoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))[from:to]
		}
	}
	return forms
}

// TestSearch: what the story of the secrets relies on finds each form, in the middle of anything.
func TestSearch(t *testing.T) {
	t.Parallel()
	const secret = "k3y/w+th odd=\"chars\" & <ü> \x01"
	s := newSearch(map[string]string{"key": secret})
	b64 := base64.StdEncoding.EncodeToString
	quoted, err := json.Marshal(map[string]string{"a": secret})
	if err != nil {
		t.Fatal(err)
	}
	for how, text := range map[string]string{
		"plain": "x" + secret + "y", "query": "?a=" + url.QueryEscape(secret), "path": "/" + url.PathEscape(secret) + "/", "JSON": string(quoted),
		"hex": "\\x00" + hex.EncodeToString([]byte(secret)), "base64": b64([]byte(secret)), "base64 of a pair": b64([]byte("user:" + secret)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte("ab" + secret + "c")), "base64 of base64": b64([]byte("said " + b64([]byte(secret)))),
		"base64 of hex": b64([]byte(hex.EncodeToString([]byte(secret)))), "Go": strconv.Quote(secret),
	} {
		if found := s.deep([]byte(text)); len(found) == 0 {
			t.Errorf("%s isn't found: %s", how, text)
		}
	}
	if found := s.deep([]byte("k3y/w+th odd= nothing " + b64([]byte("k3y/w+th")))); len(found) > 0 {
		t.Errorf("found %v in an innocent text", found)
	}
}
