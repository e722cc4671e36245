package webhook

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hooktrail/hooktrail/domain"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700137999, 0)
	for _, name := range []string{"standard-webhooks", "sparkfly", "sparkbox", "stashfin", "cloudevents", "cloudevents-structured"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := embeddedProfile(t, name)
			key, other := mustKey(t, p, p.NewSigningKey()), mustKey(t, p, p.NewSigningKey())
			r := mustBuild(
				t,
				mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/", Keys: []*Key{key}}),
				sampleEvent(),
				Attempt{Number: 1, At: now},
			)
			check := func(what string, want error, keys []*Key, h http.Header, body []byte, at time.Time) {
				if err := Verify(p, keys, h, body, at, 5*time.Minute); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			check("as sent", nil, []*Key{key}, r.Header, r.Body, now)
			check("one of two keys", nil, []*Key{other, key}, r.Header, r.Body, now)
			check("another key", ErrBadSignature, []*Key{other}, r.Header, r.Body, now)
			check("no key", ErrBadSignature, nil, r.Header, r.Body, now)
			check("a changed body", ErrBadSignature, []*Key{key}, r.Header, append(bytes.Clone(r.Body), ' '), now)
			bare := r.Header.Clone()
			bare.Del(p.signature.header)
			check("no signature", ErrUnsigned, []*Key{key}, bare, r.Body, now)
			if p.headerOf(fieldTimestamp) == "" {
				return
			}
			check("old", ErrStale, []*Key{key}, r.Header, r.Body, now.Add(6*time.Minute))
			check("early", ErrStale, []*Key{key}, r.Header, r.Body, now.Add(-6*time.Minute))
			forged := r.Header.Clone()
			forged.Set("webhook-id", "another")
			check("another id", ErrBadSignature, []*Key{key}, forged, r.Body, now)
			forged = r.Header.Clone()
			forged.Del("webhook-id")
			check("no id", ErrUnsigned, []*Key{key}, forged, r.Body, now)
		})
	}
}

func TestVerify_ed25519(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "standard-webhooks")
	now := time.Now()
	key := mustKey(t, p, NewEd25519Key())
	if !strings.HasPrefix(key.PublicKey(), "whpk_") {
		t.Fatalf("public key %q", key.PublicKey())
	}
	public, err := p.ParseVerifyingKey(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	r := mustBuild(
		t,
		mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/", Keys: []*Key{key}}),
		sampleEvent(),
		Attempt{Number: 1, At: now},
	)
	if !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1a,") {
		t.Errorf("signature %q", r.Header.Get("webhook-signature"))
	}
	if err := Verify(p, []*Key{public}, r.Header, r.Body, now, time.Minute); err != nil {
		t.Error(err)
	}
	if err := Verify(p, []*Key{public}, r.Header, r.Body[1:], now, time.Minute); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a changed body: %v", err)
	}
	if _, err := NewTarget(
		TargetConfig{Profile: p, URL: "https://r.example/", Keys: []*Key{public}, UserAgent: userAgent},
	); err == nil {
		t.Error("a target signs with a public key")
	}
}

// During an overlap both keys sign where the format can carry two signatures; else the old one does until it ends.
func TestBuild_rotation(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, name := range []string{"standard-webhooks", "stashfin", "cloudevents", "sparkfly", "sparkbox"} {
		p := embeddedProfile(t, name)
		before, after := mustKey(t, p, p.NewSigningKey()), mustKey(t, p, p.NewSigningKey())
		target := mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/", Keys: []*Key{after, before}})
		r := mustBuild(t, target, sampleEvent(), Attempt{Number: 1, At: now})
		want := []domain.UUID{after.ID, before.ID}
		if p.signature.separator == "" {
			want = want[1:]
		} else if err := Verify(p, []*Key{after}, r.Header, r.Body, now, time.Minute); err != nil {
			t.Errorf("%s: the new key: %v", name, err)
		}
		if err := Verify(p, []*Key{before}, r.Header, r.Body, now, time.Minute); err != nil {
			t.Errorf("%s: the old key: %v", name, err)
		}
		if got := target.KeyIDs(); len(got) != len(want) || got[0] != want[0] {
			t.Errorf("%s: signs with %v, want %v", name, got, want)
		}
	}
}

// The format's own library must accept what we send, also with two keys and after Verify's rules were met.
func TestStandardWebhooksLibraryVerifies(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"standard-webhooks", "stashfin", "cloudevents", "cloudevents-structured"} {
		p := embeddedProfile(t, name)
		texts := []string{p.NewSigningKey(), p.NewSigningKey()}
		keys := []*Key{mustKey(t, p, texts[0]), mustKey(t, p, texts[1])}
		r := mustBuild(
			t,
			mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/", Keys: keys}),
			sampleEvent(),
			Attempt{Number: 1, At: time.Now()},
		)
		for _, text := range texts {
			library, err := standardwebhooks.NewWebhook(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := library.Verify(r.Body, r.Header); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := library.Verify(append([]byte(" "), r.Body...), r.Header); err == nil {
				t.Errorf("%s: the library accepts another body", name)
			}
		}
	}
}

// The CloudEvents SDK must read back every attribute, in both modes. In binary mode it hands headers over without the
// percent-decoding that the binding asks of receivers, so the test does that for it.
func TestCloudEventsSDKReceives(t *testing.T) {
	t.Parallel()
	e := sampleEvent()
	e.Source, e.Subject, e.DataSchema = "/shop/a", "Größe \"1\" 100%", "https://schemas.example/order"
	e.Extensions = map[string]domain.Extension{
		"comexample":   domain.ExtensionText("a b ü"),
		"partitionkey": domain.ExtensionText("7"),
	}
	for _, name := range []string{"cloudevents", "cloudevents-structured"} {
		r := build(t, name, e)
		in, err := http.NewRequest(r.Method, "https://r.example/", bytes.NewReader(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		in.Header = r.Header
		got, err := cehttp.NewEventFromHTTPRequest(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkCloudEvent(t, name, got, e)
	}
}

func checkCloudEvent(t *testing.T, name string, got *cloudevents.Event, want *Event) {
	t.Helper()
	if err := got.Validate(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	pairs := map[string][2]string{
		"id":         {got.ID(), want.ID},
		"source":     {got.Source(), want.Source},
		"type":       {got.Type(), want.Type},
		"subject":    {got.Subject(), want.Subject},
		"dataschema": {got.DataSchema(), want.DataSchema},
		"time": {
			domain.FormatTime(got.Time()),
			domain.FormatTime(want.OccurredAt),
		},
		"specversion":     {got.SpecVersion(), "1.0"},
		"datacontenttype": {got.DataContentType(), "application/json"},
		"data":            {string(got.Data()), string(want.Data)},
	}
	for extension, value := range want.Extensions {
		text, _ := got.Extensions()[extension].(string)
		pairs[extension] = [2]string{text, value.String()}
	}
	for attribute, pair := range pairs {
		if decoded, err := url.PathUnescape(pair[0]); err == nil && name == "cloudevents" && attribute != "data" {
			pair[0] = decoded
		}
		if pair[0] != pair[1] {
			t.Errorf("%s: %s is %q, want %q", name, attribute, pair[0], pair[1])
		}
	}
}

// A format may sign with Ed25519 alone, and then needs no prefix to tell it from HMAC.
func TestProfile_ed25519Alone(t *testing.T) {
	t.Parallel()
	p, err := ParseProfile(
		[]byte(strings.NewReplacer(`{"hmac-sha256": ""}`, `{"ed25519": ""}`, `"text"`, `"whsec"`).Replace(valid)),
	)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	key := mustKey(t, p, p.NewSigningKey())
	r := mustBuild(
		t,
		mustTarget(t, TargetConfig{Profile: p, URL: "https://r.example/", Keys: []*Key{key}}),
		sampleEvent(),
		Attempt{Number: 1, At: now},
	)
	public, err := p.ParseVerifyingKey(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(p, []*Key{public}, r.Header, r.Body, now, time.Minute); err != nil {
		t.Error(err)
	}
	text := strings.Replace(valid, `{"hmac-sha256": ""}`, `{"ed25519": ""}`, 1)
	if _, err := ParseProfile([]byte(text)); err == nil {
		t.Error("Ed25519 with keys that are text is accepted")
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	enc := base64.StdEncoding.EncodeToString
	whsec := embeddedProfile(t, "standard-webhooks")
	text := embeddedProfile(t, "sparkbox")
	private := NewEd25519Key()
	tests := []struct {
		name string
		p    *Profile
		key  string
		ok   bool
	}{
		{"generated", whsec, whsec.NewSigningKey(), true},
		{"24 bytes", whsec, "whsec_" + enc(make([]byte, 24)), true},
		{"short", whsec, "whsec_" + enc(make([]byte, 15)), false},
		{"long", whsec, "whsec_" + enc(make([]byte, 513)), false},
		{"no prefix", whsec, enc(make([]byte, 32)), false},
		{"not base64", whsec, "whsec_????????????????????????????", false},
		{"empty", whsec, "", false},
		{"Ed25519", whsec, private, true},
		{"Ed25519 seed", whsec, "whsk_" + enc(make([]byte, 32)), true},
		{"Ed25519, halves that don't belong together", whsec, "whsk_" + enc(make([]byte, 64)), false},
		{"Ed25519 to a format without it", embeddedProfile(t, "stashfin"), private, false},
		{"public key", whsec, "whpk_" + enc(make([]byte, 32)), false},
		{"text", text, "sécret with spaces", true},
		{"text with a line break", text, "a\nb", false},
		{"empty text", text, "", false},
		{"unsigned format", embeddedProfile(t, "firespring"), "x", false},
	}
	for _, tt := range tests {
		key, err := tt.p.ParseKey(domain.UUID{}, tt.key)
		var invalid *domain.InvalidError
		if tt.ok != (err == nil) || !tt.ok && !errors.As(err, &invalid) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && len(tt.key) > 1 && strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: the error holds the key", tt.name)
		}
		if key != nil && strings.Contains(key.String(), tt.key) {
			t.Errorf("%s: the key prints itself", tt.name)
		}
	}
	if a, b := text.NewSigningKey(), text.NewSigningKey(); a == b || len(a) != 43 {
		t.Errorf("generated %q and %q", a, b)
	}
}
