package webhook

import (
	"errors"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestCheckURL_good(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"https://r.example", "https://r.example/", "http://r.example/hook?x=1&y=%20", "HTTPS://R.Example:8443/a/b", "https://xn--bcher-kva.example/",
		"https://203.0.113.9/", "https://[2001:db8::1]:443/x", "http://localhost:9000/in", "https://a_b.example/", "https://r.example/~u/(a);b=c,d:@!$'*+",
		"https://1.example/", "https://r.example/?q=a/b?c", "https://0x.example/", "https://1e100.net/", "https://r.example:1/", "https://r.example:65535/",
	} {
		if err := CheckURL(raw, false); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if err := CheckURL("http://r.example/", true); err == nil {
		t.Error("http is accepted where https is asked for")
	}
}

// hostileURLs are refused when an endpoint is configured.
func hostileURLs() []string {
	return []string{
		"",
		" ",
		"/",
		"hook",
		"//r.example/",
		"r.example/hook",
		"https:",
		"https:/",
		"https://",
		"https:///hook",
		"https:r.example",
		"https://?x",
		"https://#",
		"ftp://r.example/",
		"file:///etc/passwd",
		"gopher://r.example/",
		"javascript:alert(1)",
		"ws://r.example/",
		"unix:///var/run/docker.sock",
		"data:,x",
		"http+unix://x/",
		"https://user@r.example/",
		"https://user:pw@r.example/",
		"https://@r.example/",
		"https://r.example@127.0.0.1/",
		"https://r.example:80@127.0.0.1/",
		"https://r.example/#frag",
		"https://r.example#@127.0.0.1/",
		"https://r.example/\\@127.0.0.1",
		"https://r.example\\.evil/",
		"https:\\\\r.example\\",
		"https://r.example/a b",
		" https://r.example/",
		"https://r.example/ ",
		"https://r.example/\r\nHost: x",
		"https://r.example/\x00",
		"https://r.example/\t",
		"https://r.exam\nple/",
		"https://bücher.example/",
		"https://ⓛocalhost/",
		"https://r。example/",
		"https://r.example/é",
		"https://127。0。0。1/",
		"https://0177.0.0.1/",
		"https://0x7f.0.0.1/",
		"https://0x7f000001/",
		"https://2130706433/",
		"https://017700000001/",
		"https://127.1/",
		"https://127.0.1/",
		"https://0/",
		"https://127.0.0.01/",
		"https://127.0.0.1./",
		"https://256.0.0.1/",
		"https://1.2.3.4.5/",
		"https://0xA9.0xFE.0xA9.0xFE/",
		"https://r.example.0x1/",
		"https://00000010.1.1.1/",
		"https://1.2.3.0x4/",
		"https://r.example./",
		"https://.example/",
		"https://r..example/",
		"https://-r.example/",
		"https://r-.example/",
		"https://r.example%2eevil/",
		"https://127.0.0.1%00.example/",
		"https://%31%32%37.0.0.1/",
		"https://[::1/",
		"https://::1/",
		"https://[fe80::1%25eth0]/",
		"https://[127.0.0.1]/",
		"https://[]/",
		"https://[::1]x/",
		"https://[v1.a]/",
		"https://r.example:/",
		"https://r.example:0/",
		"https://r.example:65536/",
		"https://r.example:-1/",
		"https://r.example:08/",
		"https://r.example:http/",
		"https://r.example:80:80/",
		"https://r!.example/",
		"https://r,s.example/",
		"https://*.example/",
		"https://r.example;x/",
		"https://r.example/<script>",
		"https://r.example/\"",
		"https://r.example/`id`",
		"https://r.example/|x",
		"https://r.example/{x}",
		"https://" + strings.Repeat(
			"a",
			64,
		) + ".example/",
		"https://" + strings.Repeat("a.", 130) + "example/",
		"https://r.example/" + strings.Repeat("a", 2048),
	}
}

func TestCheckURL_hostile(t *testing.T) {
	t.Parallel()
	for _, raw := range hostileURLs() {
		err := CheckURL(raw, false)
		var invalid *domain.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "url" {
			t.Errorf("%q: %v, want it refused", raw, err)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, raw := range hostileURLs() {
		f.Add(raw)
	}
	f.Add("https://r.example:8443/a?b=c")
	p := embeddedProfile(f, "firespring")
	f.Fuzz(func(t *testing.T, raw string) {
		if CheckURL(raw, false) != nil {
			return
		}
		target, err := NewTarget(TargetConfig{Profile: p, URL: raw, UserAgent: userAgent})
		if err != nil {
			t.Fatalf("%q is accepted and can't be used: %v", raw, err)
		}
		if u := target.template.URL; u.User != nil || u.Fragment != "" || u.Host == "" ||
			strings.ContainsAny(u.Host, " \r\n\\@/%") {
			t.Fatalf("%q becomes %#v", raw, u)
		}
	})
}

func TestNewTarget_refuses(t *testing.T) {
	t.Parallel()
	named, err := ParseProfile([]byte(strings.Replace(valid, `"X-Id"`, `"Authorization": "Mine", "X-Id"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	coherent, stashfin, sparkbox := embeddedProfile(
		t,
		"coherent-spark",
	), embeddedProfile(
		t,
		"stashfin",
	), embeddedProfile(
		t,
		"sparkbox",
	)
	firespring := embeddedProfile(t, "firespring")
	key := Auth{Type: "api_key", Value: "k"}
	query := Auth{Type: "api_key", In: "query", Value: "k"}
	tests := []struct {
		name  string
		c     TargetConfig
		field string
	}{
		{"http to an https-only format", TargetConfig{Profile: stashfin, URL: "http://r.example/"}, "url"},
		{
			"a key in the URL, header auth",
			TargetConfig{Profile: coherent, URL: "https://r.example/?api_key=1", Auth: key},
			"url",
		},
		{
			"a key in the URL, query auth",
			TargetConfig{Profile: coherent, URL: "https://r.example/?API_KEY=1", Auth: query},
			"url",
		},
		{
			"a key in the URL, escaped",
			TargetConfig{Profile: coherent, URL: "https://r.example/?x=1&%61pi_key=1", Auth: key},
			"url",
		},
		{
			"a key in the URL behind a semicolon",
			TargetConfig{Profile: coherent, URL: "https://r.example/?x=1;api_key=1", Auth: query},
			"url",
		},
		{
			"a key in the URL, own name",
			TargetConfig{
				Profile: coherent,
				URL:     "https://r.example/?token",
				Auth:    Auth{Type: "api_key", In: "query", Name: "token", Value: "k"},
			},
			"url",
		},
		{"no key where it is needed", TargetConfig{Profile: coherent, URL: "https://r.example/"}, "auth"},
		{
			"another kind of auth",
			TargetConfig{Profile: coherent, URL: "https://r.example/", Auth: Auth{Type: "bearer", Value: "k"}},
			"auth.type",
		},
		{
			"a token where the format has its own",
			TargetConfig{Profile: named, URL: "https://r.example/", Auth: Auth{Type: "bearer", Value: "k"}},
			"auth.type",
		},
		{
			"a password there",
			TargetConfig{Profile: named, URL: "https://r.example/", Auth: Auth{Type: "basic", Name: "u", Value: "k"}},
			"auth.type",
		},
		{
			"an unknown kind",
			TargetConfig{Profile: firespring, URL: "https://r.example/", Auth: Auth{Type: "digest", Value: "k"}},
			"auth.type",
		},
		{
			"an unknown place",
			TargetConfig{Profile: coherent, URL: "https://r.example/", Auth: Auth{Type: "api_key", In: "cookie", Value: "k"}},
			"auth.in",
		},
		{"no value", TargetConfig{Profile: coherent, URL: "https://r.example/", Auth: Auth{Type: "api_key"}}, "auth.value"},
		{
			"a line break in the key",
			TargetConfig{Profile: coherent, URL: "https://r.example/", Auth: Auth{Type: "api_key", Value: "k\r\nX: y"}},
			"auth.value",
		},
		{
			"the key as Host",
			TargetConfig{Profile: coherent, URL: "https://r.example/", Auth: Auth{Type: "api_key", Name: "host", Value: "k"}},
			"auth.name",
		},
		{
			"the key as a header of the format",
			TargetConfig{
				Profile: sparkbox,
				URL:     "https://r.example/",
				Auth:    Auth{Type: "api_key", Name: "x-hook-uuid", Value: "k"},
			},
			"auth.name",
		},
		{"an API key without a name", TargetConfig{Profile: sparkbox, URL: "https://r.example/", Auth: key}, "auth.name"},
		{
			"a query parameter's odd name",
			TargetConfig{
				Profile: coherent,
				URL:     "https://r.example/",
				Auth:    Auth{Type: "api_key", In: "query", Name: "a&b", Value: "k"},
			},
			"auth.name",
		},
		{
			"a colon in a user name",
			TargetConfig{Profile: sparkbox, URL: "https://r.example/", Auth: Auth{Type: "basic", Name: "a:b", Value: "k"}},
			"auth.username",
		},
		{
			"a space in a token",
			TargetConfig{Profile: sparkbox, URL: "https://r.example/", Auth: Auth{Type: "bearer", Value: "a b"}},
			"auth.value",
		},
		{
			"a key for an unsigned format",
			TargetConfig{Profile: firespring, URL: "https://r.example/", Keys: []*Key{mustKey(t, sparkbox, "secret")}},
			"signing_key",
		},
		{
			"a custom header twice",
			TargetConfig{
				Profile: firespring,
				URL:     "https://r.example/",
				Headers: []domain.Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}},
			},
			"headers",
		},
		{
			"a custom header over the auth",
			TargetConfig{
				Profile: firespring,
				URL:     "https://r.example/",
				Auth:    Auth{Type: "bearer", Value: "k"},
				Headers: []domain.Header{{Name: "authorization", Value: "2"}},
			},
			"headers",
		},
		{
			"a custom header of the format",
			TargetConfig{
				Profile: sparkbox,
				URL:     "https://r.example/",
				Headers: []domain.Header{{Name: "x-event-type", Value: "1"}},
			},
			"headers",
		},
		{
			"a hop-by-hop header",
			TargetConfig{
				Profile: firespring,
				URL:     "https://r.example/",
				Headers: []domain.Header{{Name: "connection", Value: "close"}},
			},
			"headers",
		},
		{
			"a header with a line break",
			TargetConfig{
				Profile: firespring,
				URL:     "https://r.example/",
				Headers: []domain.Header{{Name: "X-A", Value: "1\r\nB: 2"}},
			},
			"headers",
		},
	}
	for _, tt := range tests {
		_, err := NewTarget(tt.c)
		var invalid *domain.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != tt.field {
			t.Errorf("%s: %v, want %s refused", tt.name, err, tt.field)
		}
	}
}

func TestProfiles_CheckHeader(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"Host", "connection", "Keep-Alive", "TE", "trailer", "Transfer-Encoding", "upgrade", "proxy-authorization", "Content-Length", "content-type", "Expect",
		"User-Agent", "Idempotency-Key", "webhook-id", "Webhook-Signature", "webhook-anything", "x-hmac-sha256-signature", "X-Sparkbox-Signature", "x-hook-uuid",
		"x-event-type", "X-Attempt-Number", "ce-id", "CE-whatever", "hooktrail-test", "", "a b", "a:b", "a\r\nb", "é", "(x)",
	} {
		if err := set.CheckHeader("headers", name, "v"); err == nil {
			t.Errorf("the header %q is accepted", name)
		}
	}
	for _, value := range []string{"", " v", "v ", "a\r\nb", "a\nb", "a\x00b", "é", strings.Repeat("a", maxHeaderValue+1)} {
		err := set.CheckHeader("headers", "X-Mine", value)
		if err == nil || len(value) > 2 && strings.Contains(err.Error(), value) {
			t.Errorf("the value %.20q: %v", value, err)
		}
	}
	for _, name := range []string{"Authorization", "X-Mine", "x-api-key", "Cookie"} {
		if err := set.CheckHeader("headers", name, "a  b=c; d"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
