package guide

import (
	"embed"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/hooktrail/hooktrail/adapters/webhook"
)

//go:embed snippets/*.tmpl
var templates embed.FS

// Snippet is a program for a receiver, complete as it is.
type Snippet struct {
	ID       string // "go", "typescript", "python", "check", "try"
	Language string
	File     string // what to save it as
	Text     string // what it does
	Run      string // the command that runs it; "": the code says it
	Code     string
}

// programs are the snippets in the order of the page, and what each of them can do.
func programs() []Snippet {
	return []Snippet{
		{
			ID: "go", Language: "Go", File: "receiver.go", Text: "A receiver, with the standard library only.",
			Run: "WEBHOOK_KEY='…' go run receiver.go",
		},
		{
			ID: "typescript", Language: "TypeScript", File: "receiver.ts",
			Text: "A receiver without dependencies, for Node 22.18 or newer.", Run: "WEBHOOK_KEY='…' node receiver.ts",
		},
		{
			ID: "python", Language: "Python", File: "receiver.py", Text: "A receiver, with the standard library only.",
			Run: "WEBHOOK_KEY='…' python3 receiver.py",
		},
		{
			ID: "check", Language: "Shell with openssl", File: "check.sh",
			Text: "Checks one request by hand. It doesn't look at the time, since a saved request is old.",
		},
		{
			ID: "try", Language: "Shell with openssl and curl", File: "try.sh",
			Text: "Sends the example to a receiver under development.",
		},
	}
}

// Snippets writes the programs that verify requests of a description as it says, for a receiver that answers with a
// status. A program that can't be is left out: Python's standard library and the shell don't have Ed25519, and where
// nothing is to be verified only the example can be sent.
func Snippets(d webhook.Description, status int) ([]Snippet, error) {
	v := newVerification(d, status)
	parsed, err := template.New("").Funcs(v.functions()).ParseFS(templates, "snippets/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parse the snippets: %w", err)
	}
	var out []Snippet
	for _, s := range programs() {
		if !v.can(s.ID) {
			continue
		}
		var code strings.Builder
		if err := parsed.ExecuteTemplate(&code, s.File+".tmpl", v); err != nil {
			return nil, fmt.Errorf("write %s: %w", s.File, err)
		}
		s.Code = code.String()
		out = append(out, s)
	}
	return out, nil
}

// verification is what the templates know: a description's signature or API key, in the pieces that programs need.
type verification struct {
	Status    int
	CheckType string // of an ownership check's body
	Keyed     bool   // whether the receiver needs a secret at all

	Signs         bool
	HMAC          bool
	HMACPrefix    string
	Ed25519       bool
	Ed25519Prefix string
	Hex           bool
	Encoding      string // "hex" or "base64"
	Whsec         bool
	Header        string // of the signature, in lower case
	Separator     string
	TimeHeader    string
	BodyOnly      bool
	Before, After []webhook.SignedPart // around the body
	SignedHeaders []string             // each once

	KeyHeader string // of an API key where nothing is signed
	Body      string

	described []webhook.DescribedHeader
}

func newVerification(d webhook.Description, status int) *verification {
	v := &verification{Status: status, CheckType: webhook.OwnershipCheckType, Body: d.Body, described: d.Headers}
	if s := d.Signature; s != nil {
		v.Keyed, v.Signs, v.Encoding, v.Hex = true, true, s.Encoding, s.Encoding == "hex"
		v.Whsec, v.Header, v.Separator = s.KeyFormat == "whsec", strings.ToLower(s.Header), s.Separator
		v.algorithms(s)
		v.content(s)
	} else if d.Auth.Required && d.Auth.Header != "" && slices.Contains(d.Auth.Types, "api_key") {
		v.Keyed, v.KeyHeader = true, d.Auth.Header
	}
	return v
}

func (v *verification) algorithms(s *webhook.DescribedSignature) {
	for _, a := range s.Algorithms {
		switch a.Name {
		case "hmac-sha256":
			v.HMAC, v.HMACPrefix = true, a.Prefix
		case "ed25519":
			v.Ed25519, v.Ed25519Prefix = true, a.Prefix
		}
	}
}

func (v *verification) content(s *webhook.DescribedSignature) {
	parts := &v.Before
	for _, part := range s.Content {
		if part.Body {
			parts = &v.After
			continue
		}
		*parts = append(*parts, part)
		if part.Header != "" && !slices.Contains(v.SignedHeaders, part.Header) {
			v.SignedHeaders = append(v.SignedHeaders, part.Header)
		}
		if part.Time {
			v.TimeHeader = part.Header
		}
	}
	v.BodyOnly = len(v.Before)+len(v.After) == 0
}

// can reports whether a program makes sense for this description.
func (v *verification) can(program string) bool {
	switch program {
	case "try":
		return !v.Signs || v.HMAC
	case "check":
		return v.HMAC
	case "python":
		return v.Keyed && (!v.Signs || v.HMAC)
	}
	return v.Keyed
}

// GoImports lists what the Go program imports, in order.
func (v *verification) GoImports() []string {
	imports := []string{"cmp", "encoding/json", "errors", "io", "log", "net/http", "os"}
	add := func(needed bool, packages ...string) {
		if needed {
			imports = append(imports, packages...)
		}
	}
	add(v.HMAC, "crypto/hmac", "crypto/sha256")
	add(v.Ed25519, "crypto/ed25519")
	add(!v.Signs, "crypto/subtle")
	add(v.Signs && (!v.Hex || v.Whsec), "encoding/base64")
	add(v.Hex, "encoding/hex")
	add(v.TimeHeader != "", "strconv", "time")
	add(v.Separator != "" || v.Whsec, "strings")
	slices.Sort(imports)
	return imports
}

// NodeImports lists what the TypeScript program takes from node:crypto.
func (v *verification) NodeImports() string {
	var names []string
	if v.HMAC {
		names = append(names, "createHmac", "timingSafeEqual")
	}
	if v.Ed25519 {
		names = append(names, "createPublicKey", "verify as verifySignature")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// ShellEncode is the command that encodes a raw signature.
func (v *verification) ShellEncode() string {
	if v.Hex {
		return `od -An -tx1 -v | tr -d ' \n'`
	}
	return "openssl base64 -A"
}

// Headers lists curl's headers of the example as shell words. What is only sometimes sent is left out.
func (v *verification) Headers() []string {
	var words []string
	for _, h := range v.described {
		name := strings.ToLower(h.Name)
		switch {
		case name == v.Header:
			words = append(words, `"`+shellInside(h.Name)+`: $SIGNATURE"`)
		case name == v.KeyHeader:
			words = append(words, `"`+shellInside(h.Name)+`: $KEY"`)
		case slices.Contains(v.SignedHeaders, name):
			words = append(words, `"`+shellInside(h.Name)+`: ${`+shellVariable(name)+`}"`)
		case h.Required:
			words = append(words, shellQuote(h.Name+": "+h.Example))
		}
	}
	return words
}

func (v *verification) functions() template.FuncMap {
	join := func(parts []webhook.SignedPart, header string) string {
		var terms []string
		for _, p := range parts {
			if p.Header != "" {
				terms = append(terms, fmt.Sprintf(header, strconv.Quote(p.Header)))
			} else {
				terms = append(terms, strconv.Quote(p.Literal))
			}
		}
		return strings.Join(terms, " + ")
	}
	return template.FuncMap{
		"quote":    strconv.Quote, // of visible ASCII, which Go, JavaScript and Python read alike
		"jsText":   func(p []webhook.SignedPart) string { return join(p, "header(%s)") },
		"pyText":   func(p []webhook.SignedPart) string { return join(p, "header(%s)") },
		"goText":   func(p []webhook.SignedPart) string { return ending(join(p, "header.Get(%s)"), " + ") },
		"goMore":   func(p []webhook.SignedPart) string { return beginning(" + ", join(p, "header.Get(%s)")) },
		"add":      func(a, b int) int { return a + b },
		"variable": shellVariable,
		"shQuote":  shellQuote,
		"shInside": shellInside,
		"shText": func(text string) string {
			if text == "" {
				return ""
			}
			return shellQuote(text)
		},
		"shParts": shellParts,
		"example": v.example,
	}
}

// example is what a header of the sample holds.
func (v *verification) example(name string) string {
	for _, h := range v.described {
		if http.CanonicalHeaderKey(h.Name) == http.CanonicalHeaderKey(name) {
			return h.Example
		}
	}
	return ""
}

func ending(text, end string) string {
	if text == "" {
		return ""
	}
	return text + end
}

func beginning(start, text string) string {
	if text == "" {
		return ""
	}
	return start + text
}

// shellParts writes parts for the inside of a shell's double quotes.
func shellParts(parts []webhook.SignedPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Header != "" {
			b.WriteString("${" + shellVariable(p.Header) + "}")
		} else {
			b.WriteString(shellInside(p.Literal))
		}
	}
	return b.String()
}

// shellVariable names the variable that holds a header: in lower case, so that it is none of the scripts' own.
func shellVariable(header string) string {
	name := regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(header), "_")
	if name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

// shellQuote writes one word of a shell command.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// shellInside escapes a text for the inside of a shell's double quotes.
func shellInside(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(text)
}
