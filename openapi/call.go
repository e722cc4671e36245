package openapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/domain"
)

// call is one request that was let in: who asks for what, in which tenant, and what an operation may use to answer.
type call struct {
	*Server
	operation   string
	key         domain.Key      // zero where no key is needed
	tenant      domain.TenantID // "" for what concerns the instance
	request     *http.Request
	body        []byte    // the call's own: nothing reuses it
	contentType string    // of the body, without parameters
	digest      [32]byte  // of path, query and body; only with an idempotency key
	idempotency string    // the key; "" for none
	validator   Validator // the request's, once it has validated anything
}

// access says who may call an operation and what it takes.
type access struct {
	roles    []domain.Role // none: no key is needed
	instance bool          // the operator may also ask it of the instance's own log, under the name _instance
	byHand   bool          // the operation reads its body itself
}

type callKey struct{}

// gate is the middleware before every operation. Its order matters: see the decisions in doc.go.
func (a *api) gate(hc huma.Context, next func(huma.Context)) {
	op := hc.Operation()
	who, ok := op.Metadata[accessKey].(access)
	if !ok {
		next(hc)
		return
	}
	request, w := humago.Unwrap(hc)
	c := &call{Server: a.server, operation: op.OperationID, request: request}
	if p := a.letIn(hc, c, who); p != nil {
		writeProblem(w, p)
		return
	}
	if c.idempotency != "" {
		leave, ok := a.flights.enter(c.scope(), c.idempotency)
		if !ok {
			writeProblem(w, refuse(http.StatusConflict, "idempotency_in_progress", "A request with this Idempotency-Key is being worked on.",
				fault{"header.Idempotency-Key", "stands in a request that isn't answered yet"}))
			return
		}
		defer leave()
	}
	next(huma.WithValue(hc, callKey{}, c))
}

func (a *api) letIn(hc huma.Context, c *call, who access) *problem {
	if len(who.roles) > 0 {
		if p := c.identify(hc, who); p != nil {
			return p
		}
	}
	if p := checkTarget(c.request.URL); p != nil {
		return p
	}
	if op := hc.Operation(); op.RequestBody != nil {
		if p := c.readBody(op.RequestBody); p != nil {
			return p
		}
		if p := c.checkBody(who); p != nil {
			return p
		}
	}
	if hc.Method() == http.MethodPost {
		return c.readIdempotencyKey()
	}
	return nil
}

// identify finds out who calls, whether the tenant is theirs, and whether their role allows it.
func (c *call) identify(hc huma.Context, who access) (p *problem) {
	ctx := hc.Context()
	if c.key, p = c.authenticate(ctx, hc.Header("Authorization")); p != nil {
		return p
	}
	c.tenant = domain.TenantID(hc.Param("tenant"))
	own := c.tenant == domain.InstanceTenant && who.instance && c.key.Role == domain.RoleOperator
	if c.tenant != "" && !own && c.key.Role != domain.RoleMonitor {
		if p = c.Server.tenant(ctx, c.key, c.tenant); p != nil {
			return p
		}
	}
	if !slices.Contains(who.roles, c.key.Role) {
		return refuse(http.StatusForbidden, "forbidden", "The key's role doesn't allow this; the document names the roles that do.")
	}
	return nil
}

// readBody takes the whole body in before anything looks at it, so that it can be hashed, and kept byte for byte.
func (c *call) readBody(want *huma.RequestBody) *problem {
	if p := checkEncoding(c.request.Header.Values("Content-Encoding")); p != nil {
		return p
	}
	limit := int64(c.Limits.BodyBytes)
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "body_too_large", "The request's body is larger than the server takes.")
	r := c.request
	if r.ContentLength > limit {
		return tooLarge
	}
	var err error
	if r.ContentLength >= 0 {
		c.body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, c.body)
	} else {
		c.body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "body_incomplete", "The request's body ended early or came too slowly.")
	}
	if int64(len(c.body)) > limit {
		return tooLarge
	}
	if len(c.body) == 0 && !want.Required {
		return nil
	}
	return c.checkContentType(want)
}

// checkEncoding refuses a compressed body. Inflating what strangers send would need a second limit, and a third for time.
func checkEncoding(codings []string) *problem {
	for _, coding := range codings {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			message := "isn't sent: bodies are taken as they are, uncompressed"
			p := refuse(http.StatusUnsupportedMediaType, "unsupported_content_encoding", "Content-Encoding "+message+".",
				fault{"header.Content-Encoding", message})
			p.header = http.Header{"Accept-Encoding": {"identity"}} // RFC 9110 §15.5.16
			return p
		}
	}
	return nil
}

func (c *call) checkContentType(want *huma.RequestBody) *problem {
	header := c.request.Header.Get("Content-Type")
	c.contentType = header
	if want.Content[header] == nil { // the usual case needs no parsing
		base, params, err := mime.ParseMediaType(header)
		if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
			base = ""
		}
		c.contentType = base
	}
	if want.Content[c.contentType] == nil {
		types := make([]string, 0, len(want.Content))
		for name := range want.Content {
			types = append(types, name)
		}
		slices.Sort(types)
		detail := "Send the body, in UTF-8, with Content-Type: " + strings.Join(types, " or ")
		return refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", detail+".", fault{"header.Content-Type", "is " + strings.Join(types, " or ")})
	}
	c.request.Body = io.NopCloser(bytes.NewReader(c.body)) // for Huma, which reads and validates it
	return nil
}

// checkBody refuses JSON with more than one meaning: encoding/json would choose one.
func (c *call) checkBody(who access) *problem {
	if who.byHand || len(c.body) == 0 {
		return nil
	}
	if err := domain.CheckJSON("", c.body); err != nil {
		return problemOf(ambiguous("body", err))
	}
	return nil
}

// readIdempotencyKey takes the key and the digest by which a repetition is told from another request.
func (c *call) readIdempotencyKey() *problem {
	values := c.request.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil
	}
	c.idempotency = values[0]
	if len(values) > 1 || domain.ValidateEventID("", c.idempotency) != nil {
		message := "is given once, as 1 to 256 visible ASCII characters"
		return refuse(http.StatusBadRequest, "invalid_idempotency_key", "Idempotency-Key "+message+".", fault{"header.Idempotency-Key", message})
	}
	h := sha256.New()
	io.WriteString(h, c.request.URL.RequestURI()) //nolint:errcheck // hash.Hash never returns an error
	h.Write([]byte{0})
	h.Write(c.body)
	h.Sum(c.digest[:0])
	return nil
}

// by says who does what this call leads to.
func (c *call) by() domain.Actor {
	return domain.Actor{Principal: c.key.PrincipalID, Credential: c.key.ID}
}

// scope is what an idempotency key is unique in.
func (c *call) scope() string { return "idempotency/" + c.key.ID.String() + "/" + c.operation }

// receiver is the endpoint to which a receiver's key is bound; zero for every other role.
func (c *call) receiver() domain.UUID {
	if c.key.Role != domain.RoleReceiver {
		return domain.UUID{}
	}
	return c.key.Endpoint
}

// opens says whether the key may see things of an endpoint.
func (c *call) opens(endpoint domain.UUID) bool {
	return c.key.Role != domain.RoleReceiver || c.key.Endpoint == endpoint
}

// callOf returns what gate found out; it stands in the context only between there and the operation.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		panic("openapi: an operation was registered without access rules")
	}
	return c
}

// failed turns an operation's error into the answer, and logs what only the operator may read.
func (c *call) failed(ctx context.Context, err error) error {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError && !errors.Is(ctx.Err(), context.Canceled) {
		c.Logger.LogAttrs(ctx, slog.LevelError, "operation failed", slog.String("operation", c.operation),
			slog.String("tenant", string(c.tenant)), slog.Any("error", err))
	}
	return p
}
