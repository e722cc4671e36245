package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Request is one attempt's request or a handshake's, to the byte.
type Request struct {
	Method string      // POST; OPTIONS for CloudEvents' handshake
	URL    string      // for the log: its query and what looks like a secret in its path redacted
	Header http.Header // as sent: it holds credentials, and values shared with other requests
	Body   []byte

	target    *Target
	masks     masks      // what must not be recorded of its answer
	handshake *Handshake // nil: an attempt
}

// BodySHA256 is the hash of the body in hex.
func (r *Request) BodySHA256() string {
	sum := sha256.Sum256(r.Body)
	return hex.EncodeToString(sum[:])
}

// LogHeader returns the headers as they may be recorded: in order of name, in lower case, credentials and custom values
// redacted. Signatures stay: they are part of the evidence, and say nothing about the key.
func (r *Request) LogHeader() []domain.Header {
	list := make([]domain.Header, 0, len(r.Header))
	for name, values := range r.Header {
		for _, value := range values {
			if r.target.secret[name] {
				value = redacted
			}
			list = append(list, domain.Header{Name: strings.ToLower(name), Value: value})
		}
	}
	sortHeader(list)
	return list
}

// sortHeader sorts by name; lines of one name keep their order.
func sortHeader(list []domain.Header) {
	slices.SortStableFunc(list, func(a, b domain.Header) int { return strings.Compare(a.Name, b.Name) })
}

// http makes the request that net/http sends. A bytes.Reader lets it write header and body in one piece. There is a
// body even when it has no bytes, and never a GetBody: net/http could repeat a request by itself if it could have the
// body again, and one attempt is one request.
func (r *Request) http(ctx context.Context) *http.Request {
	out := r.target.template.WithContext(ctx)
	out.Method, out.Header = r.Method, r.Header
	out.ContentLength = int64(len(r.Body))
	out.Body = io.NopCloser(bytes.NewReader(r.Body))
	return out
}
