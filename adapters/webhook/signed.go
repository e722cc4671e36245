package webhook

import (
	"cmp"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// DescribedSignature is how a format's requests are signed: all that a receiver needs to verify one.
type DescribedSignature struct {
	Header     string
	Content    []SignedPart // one after the other; exactly one is the body
	Encoding   string       // "hex" or "base64"
	Algorithms []SignedAlgorithm
	Separator  string // between the signatures of several keys; "": a request carries only one
	KeyFormat  string // "text": the key is its own UTF-8 bytes; "whsec": base64 behind whsec_ (HMAC), whpk_ (Ed25519)
	Text       string // all of it in words
	ExampleKey string // verifies the sample's signature; anybody may know it
}

// SignedPart is a piece of what is signed: a text, what a header holds, or the body.
type SignedPart struct {
	Literal string
	Header  string
	Time    bool // the header holds the attempt's time in Unix seconds
	Body    bool
}

// SignedAlgorithm is one way in which a signature can be made.
type SignedAlgorithm struct {
	Name   string // "hmac-sha256" or "ed25519"
	Prefix string // what its signatures begin with
}

// describeSignature writes out the rule that a document's node was compiled to; nil if the format signs nothing.
func describeSignature(p *Profile, n *node) (*DescribedSignature, error) {
	if p.signature == nil {
		return nil, nil
	}
	key, err := p.ParseKey(domain.UUID{}, exampleKey(p))
	if err != nil {
		return nil, err
	}
	s := &DescribedSignature{
		Header: n.member("header").text, Encoding: "base64", Separator: p.signature.separator,
		KeyFormat: string(p.keyFormat), ExampleKey: cmp.Or(key.PublicKey(), exampleKey(p)),
	}
	if p.signature.hex {
		s.Encoding = "hex"
	}
	for _, part := range p.signature.content {
		if part.literal != "" {
			s.Content = append(s.Content, SignedPart{Literal: part.literal})
		}
		switch part.field {
		case fieldNone:
		case fieldBody:
			s.Content = append(s.Content, SignedPart{Body: true})
		default:
			s.Content = append(s.Content, SignedPart{
				Header: strings.ToLower(p.headerOf(part.field)),
				Time:   part.field == fieldTimestamp,
			})
		}
	}
	for _, algorithm := range []algorithm{hmacSHA256, ed25519Alg} {
		if prefix, ok := p.signature.prefixes[algorithm]; ok {
			s.Algorithms = append(s.Algorithms, SignedAlgorithm{string(algorithm), prefix})
		}
	}
	s.Text = s.words()
	return s, nil
}

// words says all of a signature in sentences.
func (s *DescribedSignature) words() string {
	var content []string
	for _, part := range s.Content {
		switch {
		case part.Body:
			content = append(content, "the raw body")
		case part.Header != "":
			content = append(content, "the header "+part.Header)
		default:
			content = append(content, `"`+part.Literal+`"`)
		}
	}
	var made []string
	for _, a := range s.Algorithms {
		name := map[string]string{string(hmacSHA256): "HMAC-SHA256", string(ed25519Alg): "Ed25519"}[a.Name]
		if a.Prefix == "" {
			made = append(made, name)
		} else {
			made = append(made, name+` behind "`+a.Prefix+`"`)
		}
	}
	said := "The header " + s.Header + " holds, in " + s.Encoding + ", " + strings.Join(made, " or ") + " over " +
		strings.Join(content, ", then ") + "."
	if s.Separator != "" {
		said += ` While a key is being replaced it holds two signatures, separated by "` + s.Separator +
			`", and one that fits is enough.`
	}
	if s.KeyFormat == string(keyText) {
		return said + " The key is the UTF-8 bytes of the text that was shown."
	}
	return said + " The key is what base64 decodes to behind whsec_ (behind whpk_ the public key, where the endpoint has an Ed25519 key)."
}
