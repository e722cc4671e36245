package guide

import (
	"bytes"
	"go/format"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// operators are formats that an operator might write, with everything that the embedded ones don't have.
var operators = []string{
	`{"name": "own-hex", "version": 1, "transport": "https", "content_type": "application/json",
  "envelope": {"what's new": "${type}", "data": "${data}"},
  "headers": {"X-Id": "${id}", "X-Time": "${timestamp}", "X-Cost": "100% $5 \"net\""},
  "signature": {"header": "X-Sig~1", "content": "v0:$1\"${timestamp}'${body}\\${id}", "encoding": "hex", "algorithms": {"hmac-sha256": "v0,$="}, "separator": ", "},
  "key": {"format": "text", "generated": true}, "success": ["201", "202"], "retry": "default", "honours_retry_after": true}`,
	`{"name": "own-ed25519", "version": 1, "transport": "https", "content_type": "application/json",
  "envelope": "${data}", "headers": {"1-Id": "${id}"},
  "signature": {"header": "Signature", "content": "${body}.${id}", "encoding": "hex", "algorithms": {"ed25519": ""}, "separator": "|"},
  "key": {"format": "whsec", "generated": true}, "success": ["2xx"], "retry": "default", "honours_retry_after": true}`,
}

// profiles are the embedded ones and the operators'.
func profiles(t *testing.T) []*webhook.Profile {
	t.Helper()
	set, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	all := set.All()
	for _, document := range operators {
		p, err := webhook.ParseProfile([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// snippets reads the programs off a page, as a developer does.
func snippets(t *testing.T, p *webhook.Profile) map[string]Snippet {
	t.Helper()
	text := render(t, Guide{Profile: p, Type: "order.paid"})
	out := map[string]Snippet{}
	for _, s := range programs() {
		if code, ok := preformatted(text, "code-"+s.ID); ok {
			s.Code = code
			out[s.ID] = s
		}
	}
	return out
}

// TestSnippets_offered: every format has a program in each language that can serve it.
func TestSnippets_offered(t *testing.T) {
	t.Parallel()
	all := []string{"check", "go", "python", "try", "typescript"}
	special := map[string][]string{
		"firespring": {"try"}, "coherent-spark": {"go", "python", "try", "typescript"}, "own-ed25519": {"go", "typescript"},
	}
	for _, p := range profiles(t) {
		want := all
		if those, ok := special[p.Name]; ok {
			want = those
		}
		var got []string
		for id, s := range snippets(t, p) {
			got = append(got, id)
			if strings.Contains(s.Code, "<no value>") || strings.HasPrefix(s.Code, "\n") ||
				strings.Contains(s.Code, "\n\n\n\n") {
				t.Errorf("%s: %s", p.Name, s.Code)
			}
			if formatted, err := format.Source([]byte(s.Code)); id == "go" && (err != nil || string(formatted) != s.Code) {
				t.Errorf("%s: %s isn't formatted (%v)", p.Name, s.File, err)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", p.Name, got, want)
		}
	}
}

// TestSnippets_run runs the programs of every format against requests that are really built: they must let those in and
// refuse any other.
func TestSnippets_run(t *testing.T) {
	t.Parallel()
	all := &prepared{programs: map[string]*program{}}
	t.Cleanup(func() {
		for _, p := range all.programs {
			if p != nil {
				_ = os.RemoveAll(p.dir)
			}
		}
	})
	for _, p := range profiles(t) {
		programs := snippets(t, p)
		for _, id := range []string{"go", "typescript", "python"} {
			if s, ok := programs[id]; ok {
				t.Run(p.Name+"/"+s.Language, func(t *testing.T) {
					t.Parallel()
					if ready := all.prepare(t, s); ready != nil {
						checkReceiver(t, p, id, ready)
					}
				})
			}
		}
		if s, ok := programs["check"]; ok {
			t.Run(p.Name+"/check.sh", func(t *testing.T) {
				t.Parallel()
				if ready := all.prepare(t, s); ready != nil {
					checkScript(t, p, ready)
				}
			})
		}
		if s, ok := programs["try"]; ok {
			t.Run(p.Name+"/try.sh", func(t *testing.T) {
				t.Parallel()
				if ready := all.prepare(t, s); ready != nil {
					checkTry(t, p, ready)
				}
			})
		}
	}
}

// trial is a receiver that runs.
type trial struct {
	*testing.T
	url string
}

// answers posts a request and wants a status.
func (c trial) answers(want int, what string, h http.Header, body []byte) {
	c.Helper()
	if got, _ := post(c.T, c.url, h, body); got != want {
		c.Errorf("%s: answered %d, want %d", what, got, want)
	}
}

// proves sends an ownership check: only one that is genuine gets its challenge back.
func (c trial) proves(from sender, want int) {
	c.Helper()
	h := webhook.Handshake{Kind: domain.HandshakeOwnership, ID: domain.NewUUID(), Challenge: webhook.NewChallenge()}
	r, err := from.target(c.T).BuildHandshake(h, time.Now())
	if err != nil {
		c.Fatal(err)
	}
	status, said := post(c.T, c.url, r.Header, r.Body)
	if status != want || (said == h.Challenge) != (want == http.StatusOK) {
		c.Errorf("an ownership check is answered %d with %q, want %d", status, said, want)
	}
}

// checkReceiver runs a receiver that knows two keys, the second one with Ed25519 where format and program have it.
func checkReceiver(t *testing.T, p *webhook.Profile, id string, receiver *program) {
	first, firstShown := newKey(t, p, false)
	second, secondShown := newKey(t, p, id != "python")
	stranger, _ := newKey(t, p, false)
	c := trial{t, receiver.serve(t, "WEBHOOK_KEY="+firstShown, "WEBHOOK_OLD_KEY="+secondShown)}
	success, now := Guide{Profile: p}.status(), time.Now()
	r := newSender(t, p, first).build(t, now)
	c.answers(success, "as sent", r.Header, r.Body)
	old := newSender(t, p, second).build(t, now)
	c.answers(success, "with the second key", old.Header, old.Body)
	strange := newSender(t, p, stranger).build(t, now)
	c.answers(http.StatusUnauthorized, "with an unknown key", strange.Header, strange.Body)
	c.answers(http.StatusUnauthorized, "without any header", http.Header{"Content-Type": {"application/json"}}, r.Body)
	c.proves(newSender(t, p, second), http.StatusOK)
	c.proves(newSender(t, p, stranger), http.StatusUnauthorized)
	if !p.Signs() {
		return
	}
	changed := bytes.Clone(r.Body)
	changed[len(changed)/2] ^= 1
	c.answers(http.StatusUnauthorized, "a changed byte", r.Header, changed)
	c.answers(http.StatusUnauthorized, "a byte more", r.Header, append(bytes.Clone(r.Body), '\n'))
	d, err := p.Describe(webhook.Sample{})
	if err != nil {
		t.Fatal(err)
	}
	c.checkHeaders(d, newSender(t, p, first))
	if d.Signature.Separator != "" {
		both := newSender(t, p, first, stranger).build(t, now)
		c.answers(success, "two signatures, the first one known", both.Header, both.Body)
		both = newSender(t, p, stranger, second).build(t, now)
		c.answers(success, "two signatures, the last one known", both.Header, both.Body)
	}
	if public, ok := strings.CutPrefix(secondShown, "whpk_"); ok && len(d.Signature.Algorithms) == 2 {
		c.answers(http.StatusUnauthorized, "an HMAC keyed with the public key", forged(t, r, public), r.Body)
	}
}

// checkHeaders: whatever is signed with the body can't be changed, and a signed time is looked at.
func (c trial) checkHeaders(d webhook.Description, from sender) {
	c.Helper()
	r := from.build(c.T, time.Now())
	for _, part := range d.Signature.Content {
		if part.Header == "" {
			continue
		}
		h := r.Header.Clone()
		h.Set(part.Header, h.Get(part.Header)+"0")
		c.answers(http.StatusUnauthorized, "another "+part.Header, h, r.Body)
		h.Del(part.Header)
		c.answers(http.StatusUnauthorized, "no "+part.Header, h, r.Body)
	}
	if newVerification(d, http.StatusNoContent).TimeHeader == "" {
		return
	}
	for _, away := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
		r := from.build(c.T, time.Now().Add(away))
		c.answers(http.StatusUnauthorized, "signed "+away.String()+" from now", r.Header, r.Body)
	}
}

// checkScript runs check.sh on saved requests.
func checkScript(t *testing.T, p *webhook.Profile, script *program) {
	d, err := p.Describe(webhook.Sample{})
	if err != nil {
		t.Fatal(err)
	}
	key, other := p.NewSigningKey(), p.NewSigningKey()
	keys := []string{key}
	if d.Signature.Separator != "" {
		keys = []string{other, key}
	}
	r := newSender(t, p, keys...).build(t, time.Unix(1700137999, 0))
	var headers []string
	for _, name := range newVerification(d, http.StatusNoContent).SignedHeaders {
		headers = append(headers, r.Header.Get(name))
	}
	headers = append(headers, r.Header.Get(d.Signature.Header))
	check := func(what string, want bool, key string, body []byte) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "body.json")
		write(t, file, string(body))
		output, code := script.run(t, []string{"WEBHOOK_KEY=" + key}, append([]string{file}, headers...)...)
		if (code == 0) != want || want && output != "genuine\n" {
			t.Errorf("%s: exit code %d, %s", what, code, output)
		}
	}
	check("as sent", true, key, r.Body)
	check("another key", false, p.NewSigningKey(), r.Body)
	check("a changed byte", false, key, append(bytes.Clone(r.Body), '\n'))
}

// checkTry runs try.sh against a receiver that verifies with the product's own code.
func checkTry(t *testing.T, p *webhook.Profile, script *program) {
	d, err := p.Describe(webhook.Sample{Type: "order.paid"})
	if err != nil {
		t.Fatal(err)
	}
	text := "an api key"
	var keys []*webhook.Key
	if p.Signs() {
		text = p.NewSigningKey()
		keys = newSender(t, p, text).keys
	}
	got := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && p.Signs() {
			err = webhook.Verify(p, keys, r.Header, body, time.Now(), time.Minute)
		}
		if string(body) != d.Body {
			t.Errorf("%q arrived, want %q", body, d.Body)
		}
		for _, h := range d.Headers {
			if h.Required && r.Header.Get(h.Name) == "" {
				t.Errorf("no header %s", h.Name)
			}
		}
		if p.AuthRequired() && r.Header.Get(d.Auth.Header) != text {
			t.Errorf("the API key is %q", r.Header.Get(d.Auth.Header))
		}
		got <- err
	}))
	t.Cleanup(server.Close)
	output, code := script.run(t, []string{"WEBHOOK_KEY=" + text}, server.URL)
	if code != 0 {
		t.Fatalf("exit code %d, %s", code, output)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}
