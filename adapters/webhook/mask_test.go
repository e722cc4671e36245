package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// echoes writes a secret in every way in which a receiver may send it back.
func echoes(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	b64 := base64.StdEncoding.EncodeToString
	return map[string]string{
		"plain":        "you sent " + secret + "!",
		"json":         string(quoted),
		"json slashes": strings.ReplaceAll(string(quoted), "/", `\/`),
		"query": url.QueryEscape(
			secret,
		),
		"path":          url.PathEscape(secret),
		"lower percent": lowerEscapes(url.QueryEscape(secret)),
		"base64": b64(
			[]byte(secret),
		),
		"base64 shifted by 1": b64([]byte("x" + secret + "yz")),
		"base64 shifted by 2": b64([]byte("user:" + secret + "!")),
		"base64 address": base64.RawURLEncoding.EncodeToString(
			[]byte("a" + secret),
		),
		"hex": hex.EncodeToString([]byte(secret)),
	}
}

// leaks reports whether a secret, or enough of its encoding to know it, still stands in a text.
func leaks(text, secret string) bool {
	if strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), hex.EncodeToString([]byte(secret))) {
		return true
	}
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			whole := enc.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			if strings.Contains(text, whole[4:len(whole)-2]) {
				return true
			}
		}
	}
	unescaped, err := url.QueryUnescape(text)
	return err == nil && strings.Contains(unescaped, secret)
}

func TestMasks(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"abcdef12345", "p/w+x=y&z <q>\"\\", "sk_sparkfly_5f1d0c", "gehéim-ключ", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="} {
		m := newMasks([]string{secret})
		for how, text := range echoes(secret) {
			got, hit := m.text(text)
			if !hit || leaks(got, secret) || !strings.Contains(got, masked) {
				t.Errorf("%s of %q: %q becomes %q", how, secret, text, got)
			}
		}
		if got, hit := m.text(`{"ok":true,"id":"01939f2e"}`); hit || got != `{"ok":true,"id":"01939f2e"}` {
			t.Errorf("an innocent text becomes %q", got)
		}
	}
}

func TestMasks_whsecWithoutItsPrefix(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "standard-webhooks")
	key := mustKey(t, p, sampleKey(p))
	m := newMasks(key.secrets())
	for _, text := range []string{sampleKey(p)[6:], string(key.secret), hex.EncodeToString(key.secret), base64.RawURLEncoding.EncodeToString(key.secret)} {
		if got, hit := m.text("key=" + text); !hit || leaks(got, string(key.secret)) {
			t.Errorf("%q stays in %q", text, got)
		}
	}
}

// A key's bytes are no UTF-8, and an Ed25519 key is encoded once more by who leaves its prefix away.
func TestMasks_keyBytes(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "standard-webhooks")
	for range 20 {
		text := NewEd25519Key()
		m := newMasks(mustKey(t, p, text).secrets())
		raw, err := base64.StdEncoding.DecodeString(text[5:])
		if err != nil {
			t.Fatal(err)
		}
		quoted, err := json.Marshal(string(raw[:32]))
		if err != nil {
			t.Fatal(err)
		}
		for _, echoed := range []string{string(quoted), strconv.Quote(string(raw[:32])), base64.StdEncoding.EncodeToString([]byte("u" + text[5:]))} {
			if got, hit := m.text(echoed); !hit || strings.Contains(got, strings.Trim(echoed, `"`)) {
				t.Errorf("%q stays in %q", echoed, got)
			}
		}
	}
}

// A receiver that sends back all that it was sent, in every encoding, leaves no secret in what is recorded.
func TestSend_echoingReceiver(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{
		"api key":       "k3y/with+odd=chars",
		"signing key":   "sk_sparkbox/secret token",
		"custom header": "cust0m-header-value",
		"query":         "t0ken-in-url",
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		for name, secret := range secrets {
			for how, text := range echoes(secret) {
				w.Header().Set("X-"+strings.ReplaceAll(name+" "+how, " ", "-"), text)
				body.WriteString(name + " " + how + ": " + text + "\n")
			}
		}
		body.WriteString(r.URL.RequestURI() + "\n")
		for how, text := range echoes(r.URL.RequestURI()) {
			body.WriteString("request line " + how + ": " + text + "\n")
		}
		body.WriteString(strings.Repeat("x", KeptBodyBytes-body.Len()-5) + secrets["api key"]) // cut in two by the bound
		_, _ = w.Write([]byte(body.String()))
	}))
	t.Cleanup(receiver.Close)
	p := embeddedProfile(t, "sparkbox")
	target := mustTarget(t, TargetConfig{
		Profile: p,
		URL:     receiver.URL + "/?token=" + secrets["query"],
		Keys:    []*Key{mustKey(t, p, secrets["signing key"])},
		Auth: Auth{
			Type:  "api_key",
			In:    "query",
			Name:  "key",
			Value: secrets["api key"],
		},
		Headers: []domain.Header{{Name: "X-Custom", Value: secrets["custom header"]}},
	})
	request := mustBuild(t, target, sampleEvent(), Attempt{Number: 1})
	r := newSender(loopback(), nil, nil).Send(t.Context(), request, 1e10)
	if r.StatusCode != 200 || !r.Masked || !r.Truncated && len(r.Body) > KeptBodyBytes {
		t.Fatalf("result %+v", r)
	}
	recorded, _ := json.Marshal([]any{r, request.LogHeader(), request.URL})
	for name, secret := range secrets {
		for _, text := range []string{string(r.Body), string(recorded)} {
			if leaks(text, secret) || leaks(text, url.QueryEscape(secret)) {
				t.Errorf("the %s stands in what is recorded", name)
			}
		}
	}
	if strings.HasSuffix(string(r.Body), secrets["api key"][:5]) {
		t.Error("the first part of a secret that the bound cuts in two is kept")
	}
}
