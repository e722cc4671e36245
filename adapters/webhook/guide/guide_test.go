package guide

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

func render(t *testing.T, g Guide) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, g); err != nil {
		t.Fatalf("%s: %v", g.Profile.Name, err)
	}
	return out.String()
}

// preformatted returns the text of a page's <pre> with an id.
func preformatted(text, id string) (string, bool) {
	found := regexp.MustCompile(`(?s)<pre(?: class="wrap")? id="` + id + `"[^>]*><code>(.*?)</code></pre>`).
		FindStringSubmatch(text)
	if found == nil {
		return "", false
	}
	return html.UnescapeString(found[1]), true
}

func profile(t *testing.T, name string) *webhook.Profile {
	t.Helper()
	for _, p := range profiles(t) {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no profile %s", name)
	return nil
}

// Every page is whole, and everything in it works without scripts and from nowhere else.
func TestWrite_selfContained(t *testing.T) {
	t.Parallel()
	for _, p := range profiles(t) {
		text := render(t, Guide{Profile: p, Type: "order.paid", Description: "An order was <paid>."})
		checkWellFormed(t, p.Name, text)
		for _, banned := range []string{"<script", " src=", " style=", " onclick=", "@import", "url(", "ZgotmplZ", "<no value>", "<paid>"} {
			if strings.Contains(text, banned) {
				t.Errorf("%s: %q stands in the page", p.Name, banned)
			}
		}
		ids := map[string]bool{}
		for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if ids[id[1]] {
				t.Errorf("%s: the id %s stands twice", p.Name, id[1])
			}
			ids[id[1]] = true
		}
		for _, link := range regexp.MustCompile(` (?:href|aria-labelledby)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if !ids[strings.TrimPrefix(link[1], "#")] {
				t.Errorf("%s: nothing is at %s", p.Name, link[1])
			}
		}
		styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(text, -1)
		if len(styles) != 1 || styles[0][1] != style {
			t.Errorf("%s: the style isn't the one that the policy names", p.Name)
		}
	}
	if !strings.HasPrefix(Policy(), "default-src 'none'; style-src 'sha256-") {
		t.Errorf("policy %s", Policy())
	}
}

// checkWellFormed reads a page to its end with every element closed.
func checkWellFormed(t *testing.T, name, text string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(regexp.MustCompile(`(<meta[^>]*)>`).ReplaceAllString(text, "$1/>")))
	dec.Entity = xml.HTMLEntity
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

// A page says all that the profile's description says.
func TestWrite_saysEverything(t *testing.T) {
	t.Parallel()
	for _, p := range profiles(t) {
		d, err := p.Describe(webhook.Sample{Type: "order.paid"})
		if err != nil {
			t.Fatal(err)
		}
		text := render(t, Guide{Profile: p, Type: "order.paid"})
		if example, ok := preformatted(text, "example"); !ok || example != d.Body {
			t.Errorf("%s: the example is %q, want %q", p.Name, example, d.Body)
		}
		plain := html.UnescapeString(text)
		said := []string{d.Text, d.Transport, d.Success + " within " + d.Timeout, d.Retries.Text, d.Retries.Total, p.Digest}
		for _, h := range d.Headers {
			said = append(said, h.Name, h.Text, h.Example)
		}
		for _, a := range d.Answers {
			said = append(said, a.Text)
		}
		for _, gap := range d.Retries.Gaps {
			said = append(said, "<td>"+gap+"</td>")
		}
		if d.Signature != nil {
			said = append(said, d.Signature.Text, d.Signature.ExampleKey)
		}
		for _, m := range members(d.BodySchema) {
			said = append(said, "<code>"+m.Path+"</code>", m.Text)
		}
		for _, one := range said {
			if !strings.Contains(plain, one) {
				t.Errorf("%s: the page doesn't say %q", p.Name, one)
			}
		}
	}
}

func TestWrite_ofAnEndpoint(t *testing.T) {
	t.Parallel()
	success, err := webhook.ParseSuccess([]string{"202", "201"})
	if err != nil {
		t.Fatal(err)
	}
	text := html.UnescapeString(render(t, Guide{
		Profile:       profile(t, "firespring"),
		Type:          "order.paid",
		Description:   "An order was paid.",
		SchemaVersion: "v3",
		Schema: []byte(
			`{"type":"object","required":["z"],"properties":{"z":{"type":"string","description":"Last letter."},"a":{"type":["number","null"]},"list":{"type":"array","items":{"type":"object","properties":{"inner":{"enum":["x","y"]}}}},"any":true,"ref":{"$ref":"#/$defs/r"}}}`,
		),
		Example:    []byte(`{"z":"Ω <&>"}`),
		EndpointID: "e-77",
		URL:        "https://receiver.example/hook?token=[redacted]",
		Success:    success,
		Timeout:    90 * time.Second,
		Retry:      domain.Schedule{Gaps: []domain.Duration{domain.Duration(7 * time.Second)}, Jitter: 0.2},
		Events:     "https://hooks.bank.example/v1/tenants/acme/events/",
	}))
	for _, want := range []string{
		"An order was paid.", "e-77", "token=[redacted]", "201 or 202 within 1 min 30 s", "One retry, 7 s", "±20 %",
		`"payload":{"z":"Ω <&>"},"version":"v3"}`, "'https://hooks.bank.example/v1/tenants/acme/events/by-sequence/4711'", "Last letter.",
		"<code>list[].inner</code>", `One of "x", "y".`, "number or null", "see the schema", "with the number that arrived",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't say %q", want)
		}
	}
	if z, a := strings.Index(text, "<code>z</code>"), strings.Index(text, "<code>a</code>"); z < 0 || a < z {
		t.Error("the data's members don't stand in the schema's order")
	}
}

// An example that the format can't carry is refused before anything is written.
func TestWrite_refuses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := Write(
		&out,
		Guide{Profile: profile(t, "coherent-spark"), Type: "SparkLogin", Example: []byte(`{"FolderName":[]}`)},
	)
	var refused *webhook.RefusedError
	if !errors.As(err, &refused) || out.Len() > 0 {
		t.Errorf("%v, and %d bytes", err, out.Len())
	}
}

// What a type's author writes is text to the page, wherever it stands.
func TestWrite_escapes(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script>`
	quoted := `\"><script>alert(1)</script>`
	for _, p := range profiles(t) {
		g := Guide{
			Profile: p, Type: "order.paid", Description: evil, URL: "javascript:" + evil, EndpointID: evil, Events: evil,
			Schema: []byte(`{"properties":{"` + quoted + `":{"description":"` + quoted + `","enum":["` + quoted + `"]}}}`),
		}
		if text := render(t, g); strings.Contains(text, "<script") {
			t.Errorf("%s: a script got in", p.Name)
		}
	}
}
