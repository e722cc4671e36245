package webhook

import (
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestSplitURL: what is parted comes together again to the byte, and nothing that looks like a credential is shown.
func TestSplitURL(t *testing.T) {
	t.Parallel()
	const segment = "aB3dE5fG7hI9jK1lM3nO5pQ7"
	for raw, want := range map[string]string{
		"https://r.example":                             "",
		"https://r.example/":                            "",
		"https://r.example/a%2Fb?":                      "",
		"https://r.example/incoming-webhook/v2":         "",
		"https://r.example?token":                       "https://r.example?[redacted]",
		"https://r.example:8443/a%2fb?x=y;z&?":          "https://r.example:8443/a%2fb?[redacted]",
		"http://[2001:db8::1]/services/" + segment:      "http://[2001:db8::1]/services/[redacted]",
		"https://r.example/" + segment + "/a?/b=" + "c": "https://r.example/[redacted]/a?[redacted]",
	} {
		shown, secret := SplitURL(raw)
		if want == "" {
			if shown != raw || secret != "" {
				t.Errorf("%s is parted into %s and %s", raw, shown, secret)
			}
			continue
		}
		if shown != want || JoinURL(shown, secret) != raw {
			t.Errorf("%s is shown as %s, want %s, and joined to %s", raw, shown, want, JoinURL(shown, secret))
		}
	}
	if got := JoinURL("https://r.example/a?k=%5Bredacted%5D", "k=v"); got != "https://r.example/a?k=v" {
		t.Errorf("what an earlier build kept becomes %s", got)
	}
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://r.example":                     "https://r.example",
		"https://r.example/":                    "https://r.example/",
		"https://r.example?":                    "https://r.example",
		"https://r.example/a?b":                 "https://r.example/a?[redacted]",
		"https://r.example/a%2Fb?token=x&y=z;k": "https://r.example/a%2Fb?[redacted]",
		"https://u:p@r.example/a":               "https://redacted@r.example/a",
		"https://r.example/services/T0AB1CD2E/B0FG3HI4J/aB3dE5fG7hI9jK1lM3nO5pQ7":                                                                                  "https://r.example/services/T0AB1CD2E/B0FG3HI4J/[redacted]",
		"https://r.example/webhookb2/0b2f6c1e-93d7-4d5c-8a0b-6f3e2d1c4b5a@1a2b3c4d-0000-1111-2222-333344445555/IncomingWebhook/0123456789abcdef0123456789abcdef/9": "https://r.example/webhookb2/[redacted]/IncomingWebhook/[redacted]/9",
		"https://r.example/hooks/catch/1234567/":               "https://r.example/hooks/catch/1234567/",
		"https://r.example/h/abcdefghijklmnop":                 "https://r.example/h/[redacted]",
		"https://r.example/h/ABCDEFGHIJKLMNOP":                 "https://r.example/h/[redacted]",
		"https://r.example/h/1234567890123456":                 "https://r.example/h/[redacted]",
		"https://r.example/h/aB3%64E5fG7hI9jK1m":               "https://r.example/h/[redacted]",
		"https://r.example/h/dGhpc19p-c19hX3Nl":                "https://r.example/h/[redacted]",
		"https://r.example/incoming-webhook-endpoint/v2":       "https://r.example/incoming-webhook-endpoint/v2",
		"https://r.example/customer_notifications_2024":        "https://r.example/customer_notifications_2024",
		"https://r.example/PaymentNotificationReceiver/oauth2": "https://r.example/PaymentNotificationReceiver/oauth2",
		"https://r.example/h/a.b%zz":                           redacted,
	} {
		if got := RedactURL(raw); got != want {
			t.Errorf("%s\n is shown as %s,\n      want %s", raw, got, want)
		}
	}
}

// Random segments of 16 characters and more are nearly always taken for secrets, whatever they are written in, and
// segments of words are not.
func TestLooksSecret(t *testing.T) {
	t.Parallel()
	const small, capital, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	const tries = 2000
	for name, alphabet := range map[string]string{
		"hex": digits + "abcdef", "decimal": digits, "base32": capital + "234567", "small": small, "letters": small + capital,
		"base62": small + capital + digits, "base64url": small + capital + digits + "-_",
	} {
		for length, most := range map[int]int{16: tries / 50, 22: tries / 200, 32: tries / 1000} {
			missed, random := 0, rand.New(rand.NewPCG(4, 2))
			for range tries {
				segment := make([]byte, length)
				for i := range segment {
					segment[i] = alphabet[random.IntN(len(alphabet))]
				}
				if !looksSecret(string(segment)) {
					missed++
				}
			}
			if missed > most {
				t.Errorf("%s of %d characters: %d of %d are shown", name, length, missed, tries)
			}
		}
	}
	for _, segment := range []string{
		"incoming-webhook-endpoint", "customer_notifications_2024", "PaymentNotificationReceiver", "order-status-callback",
		"hooktrail.receiver.events", "subscriptionsUpdated", "InsurancePolicyIssued", "ACCOUNT_STATEMENTS", "third-party-webhooks-v2",
		"shipment-tracking-updates", "stripe_webhook_listener", "GoogleCloudFunctions", "event-notifications",
	} {
		if looksSecret(segment) {
			t.Errorf("%s is hidden", segment)
		}
	}
}

// A receiver that gives back its own URL, whole or in parts, leaves nothing secret of it in what is recorded.
func TestSend_echoedURL(t *testing.T) {
	t.Parallel()
	const segment, query, bare = "aB3dE5fG7hI9jK1lM3nO5pQ7", "q-s3cret", "bare-s3cret"
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Uri", r.RequestURI)
		w.Header().Set("X-"+segment, "in a header's name")
		_, _ = io.WriteString(w, r.URL.Path+" "+r.URL.RawQuery+" "+base64.StdEncoding.EncodeToString([]byte(segment)))
	})
	target := sampleTarget(t, embeddedProfile(t, "standard-webhooks"), url+"/services/"+segment+"?k="+query+"&"+bare)
	request := mustBuild(t, target, sampleEvent(), Attempt{Number: 1})
	r := newSender(loopback(), nil, nil).Send(t.Context(), request, 1e10)
	told := request.URL + string(r.Body)
	for _, h := range r.Header {
		told += h.Name + h.Value
	}
	if r.StatusCode != 200 || !r.Masked {
		t.Fatalf("%+v", r)
	}
	for _, secret := range []string{segment, query, bare} {
		if leaks(told, secret) || strings.Contains(told, strings.ToLower(secret)) {
			t.Errorf("%s is told: %s", secret, told)
		}
	}
}

// Standard Webhooks has keys of 24 to 64 bytes.
func TestProfile_ParseKey_whsecLength(t *testing.T) {
	t.Parallel()
	p := embeddedProfile(t, "standard-webhooks")
	for length, want := range map[int]bool{0: false, 16: false, 23: false, 24: true, 32: true, 64: true, 65: false} {
		_, err := p.ParseKey(domain.UUID{}, prefixHMAC+base64.StdEncoding.EncodeToString(make([]byte, length)))
		var invalid *domain.InvalidError
		if (err == nil) != want || err != nil && (!errors.As(err, &invalid) || invalid.Field != "signing_key") {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// An operator's profile keeps a header for itself among its own endpoints alone.
func TestProfiles_CheckHeader_operatorsProfile(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	own, err := ParseProfile(
		[]byte(`{"name":"own","version":1,"transport":"http_or_https","content_type":"application/json",
		"envelope":{"data":"${data}"},"headers":{"X-Api-Key":"fixed","Authorization":"${id}"},"success":["2xx"],"retry":"default","honours_retry_after":false}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.With(own); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Api-Key", "Authorization"} {
		if err := set.CheckHeader("headers", name, "v"); err != nil {
			t.Errorf("an endpoint of another profile can't set %s: %v", name, err)
		}
		_, err := NewTarget(
			TargetConfig{
				Profile:   own,
				URL:       "https://r.example/",
				UserAgent: userAgent,
				Headers:   []domain.Header{{Name: name, Value: "v"}},
			},
		)
		var invalid *domain.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "headers" {
			t.Errorf("an endpoint of the profile itself sets %s: %v", name, err)
		}
	}
	if err := set.CheckHeader("headers", "X-Sparkbox-Signature", "v"); err == nil {
		t.Error("an embedded profile's signature can be set by hand")
	}
}

// The most that an answer can cost is what is read of it.
func TestSend_endlessBodyClosesTheConnection(t *testing.T) {
	t.Parallel()
	sent := make(chan int64, 1)
	url := rawReceiver(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		n, _ := io.Copy(c, endless{})
		sent <- n
	})
	r := send(t, newSender(loopback(), nil, nil), url)
	if r.BodyBytes != ReadBodyBytes || !r.Truncated || r.Incomplete || ReadBodyBytes > 64<<10 {
		t.Errorf("%d bytes read, truncated %v, incomplete %v", r.BodyBytes, r.Truncated, r.Incomplete)
	}
	if n := <-sent; n > 16<<20 { // what both ends' sockets may hold
		t.Errorf("the receiver could send %d bytes", n)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestMasks_utf16(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-ключ"
	big, little := utf16Forms(secret)
	for _, text := range []string{"\xfe\xff" + big + "\x00!", "\xff\xfe" + little + "!\x00"} {
		if got, hit := newMasks(
			[]string{secret},
		).text(text); !hit || strings.Contains(got, big[2:8]) ||
			strings.Contains(got, little[2:8]) {
			t.Errorf("%q stays in %q", secret, got)
		}
	}
}
