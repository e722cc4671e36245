package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/domain"
)

// Gate is the middleware in front of every operation. It is safe for concurrent use.
type Gate struct {
	sources   Sources
	bodyBytes int

	mu       sync.Mutex // guards underWay
	underWay map[repeatable]struct{}
}

// NewGate returns a gate that reads bodies of at most bodyBytes.
func NewGate(s Sources, bodyBytes int) *Gate {
	s.ends, s.scans, s.turns = newHeadLookups(), NewSlots(), NewTurns()
	return &Gate{sources: s, bodyBytes: bodyBytes, underWay: make(map[repeatable]struct{})}
}

// repeatable names a request with an Idempotency-Key.
type repeatable struct{ scope, key string }

// Access is what an operation demands of its callers.
type Access struct {
	Roles    []domain.Role // none: no key is needed
	Instance bool          // the operator may also ask it of the instance's own log, under the name _instance
	ByHand   bool          // the operation checks the JSON of its body itself
	Streams  []string      // content types whose bodies the operation reads itself, as they come
	Accepts  Accepts       // nil: the operation takes the content types that its document lists, and no others
}

// Accepts reports whether an operation takes a body of a content type that its document doesn't list.
type Accepts func(contentType string, header http.Header, body []byte) bool

// accessKey is where an operation's metadata has its Access.
const accessKey = "access"

// Handle lets a request in or answers it. Its order matters: who may do what is decided before anything of the request
// but its path and key is looked at, so that a stranger learns nothing from the later refusals.
func (g *Gate) Handle(hc huma.Context, next func(huma.Context)) {
	op := hc.Operation()
	access, ok := op.Metadata[accessKey].(Access)
	if !ok {
		next(hc)
		return
	}
	request, w := humago.Unwrap(hc)
	if hc.Method() != http.MethodGet { // it may show a secret, once
		w.Header().Set("Cache-Control", "no-store")
	}
	r := &Request{
		Sources: &g.sources, Operation: op.OperationID, HTTP: request,
		Tenant: domain.TenantID(hc.Param("tenant")),
	}
	for _, name := range []string{"Authorization", "Content-Type", "If-Match", "If-None-Match"} {
		values := request.Header.Values(name)
		if len(values) > 1 { // which of them counts would be a guess
			const message = "is given more than once: send it once"
			write(w, Refuse(http.StatusBadRequest, "repeated_header", name+" "+message+".", Fault{"header." + name, message}))
			return
		}
		if len(values) == 1 && values[0] == "" && strings.HasPrefix(name, "If-") { // not the same as no condition
			const message = "is empty: send an ETag, or leave it out"
			write(w, Refuse(http.StatusBadRequest, "empty_header", name+" "+message+".", Fault{"header." + name, message}))
			return
		}
	}
	if len(access.Roles) > 0 {
		if p := r.identify(hc.Context(), access); p != nil {
			write(w, p)
			return
		}
	}
	if p := checkURL(request.URL); p != nil {
		write(w, p)
		return
	}
	r.Hold = Hold{budget: g.sources.Budget, tenant: r.Tenant}
	defer r.Hold.release()
	if op.RequestBody != nil && !r.streams(w, access) {
		if p := r.readBody(op.RequestBody, access.Accepts, int64(g.bodyBytes)); p != nil {
			if p.Status == http.StatusRequestEntityTooLarge {
				readOn(w, request)
			}
			write(w, p)
			return
		}
		// encoding/json would choose one of several meanings.
		if len(r.Body) > 0 && !access.ByHand {
			if err := domain.CheckJSON("", r.Body); err != nil {
				write(w, ProblemOf(Ambiguous("body", err)))
				return
			}
		}
	}
	if hc.Method() == http.MethodPost {
		if p := r.readIdempotencyKey(); p != nil {
			write(w, p)
			return
		}
	}
	if r.Repeatable() {
		leave, ok := g.enter(repeatable{r.scope(), r.idempotency})
		if !ok {
			write(w, Refuse(http.StatusConflict, "idempotency_in_progress",
				"A request with this Idempotency-Key is being worked on.",
				Fault{"header.Idempotency-Key", "is used by a request that isn't answered yet"}))
			return
		}
		defer leave()
	}
	next(huma.WithValue(hc, requestKey{}, r))
}

// What is read of a body that is too large, and for how long.
const (
	readOnBytes = 64 << 20
	readOnTime  = 5 * time.Second
)

// readOn reads a body that is refused, within bounds, and has the connection closed: a client that writes all of its
// request before it reads sees the answer instead of a broken pipe. One that waits for 100 Continue sends nothing.
func readOn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if r.Header.Get("Expect") != "" {
		return
	}
	// A server without deadlines is bounded by bytes alone.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readOnTime))
	_, _ = io.CopyN(io.Discard, r.Body, readOnBytes) // whatever ends it, the answer is the same
}

// enter reserves an Idempotency-Key in this process until leave is called; it reports false when the key is reserved.
// Between processes the log decides: it refuses the second append with a key.
func (g *Gate) enter(name repeatable) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, taken := g.underWay[name]; taken {
		return nil, false
	}
	g.underWay[name] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.underWay, name)
	}, true
}

// identify finds out who calls (401), whether the tenant is theirs (404), and whether their role allows it (403). What
// it looks up may have been made a moment ago by another process, so a miss is looked up again after the directory
// caught up.
func (r *Request) identify(ctx context.Context, access Access) *Problem {
	scheme, token, ok := strings.Cut(r.HTTP.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return unauthorized("Send Authorization: Bearer <key>.")
	}
	hash := HashKey(strings.TrimSpace(token))
	key, ok := r.Directory.KeyByHash(hash)
	if !ok {
		if err := r.CatchUp(ctx); err != nil {
			return ProblemOf(err)
		}
		key, ok = r.Directory.KeyByHash(hash)
	}
	if !ok || !key.Valid(r.Clock()) {
		return unauthorized(opensNothing)
	}
	r.Key = key.Key

	instance := r.Tenant == domain.InstanceTenant && access.Instance && r.Key.Role == domain.RoleOperator
	if r.Tenant != "" && !instance && r.Key.Role != domain.RoleMonitor {
		// Another tenant's things are as absent as things that never were.
		if !r.Key.Instance && r.Key.Tenant != r.Tenant || r.Tenant.Validate() != nil {
			return NotFound()
		}
		_, ok := r.Directory.Tenant(r.Tenant)
		if !ok {
			if err := r.CatchUp(ctx); err != nil {
				return ProblemOf(err)
			}
			_, ok = r.Directory.Tenant(r.Tenant)
		}
		if !ok {
			return NotFound()
		}
	}
	if !slices.Contains(access.Roles, r.Key.Role) {
		return Refuse(http.StatusForbidden, "forbidden",
			"The key's role doesn't allow this; the document names the roles that do.")
	}
	return nil
}

// opensNothing is what is told of a key, whatever became of it.
const opensNothing = "The key is unknown, expired or revoked."

// StillOpens reports whether the request's key opens anything at this moment: what waits mustn't outlive a revocation.
func (r *Request) StillOpens() bool {
	if len(r.Key.Hash) != sha256.Size { // no key is needed
		return true
	}
	key, ok := r.Directory.KeyByHash([sha256.Size]byte(r.Key.Hash))
	return ok && key.Valid(r.Clock())
}

// Waiting calls wait, which waits for something, at most for so long and as long as the request's key opens anything.
func Waiting(ctx context.Context, r *Request, most time.Duration, wait func(ctx context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, most)
	defer stop()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		look := time.NewTicker(lookAgain)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				if !r.StillOpens() {
					stop()
				}
			}
		}
	}()
	err := wait(ctx)
	stop()
	<-watched // nothing of the request outlives it
	if !r.StillOpens() {
		return unauthorized(opensNothing)
	}
	return err
}

// lookAgain is how long a request may wait under a key that was revoked.
const lookAgain = time.Second

func unauthorized(detail string) *Problem {
	p := Refuse(http.StatusUnauthorized, "unauthorized", detail)
	p.Header = http.Header{"Www-Authenticate": {`Bearer realm="hooktrail"`}}
	return p
}

// readBody reads the whole body before anything looks at it, so that it can be hashed, and kept byte for byte.
// Compressed bodies are refused: inflating what strangers send would need a second limit, and a third for time.
func (r *Request) readBody(want *huma.RequestBody, also Accepts, limit int64) *Problem {
	for _, coding := range r.HTTP.Header.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			const message = "must be absent: bodies are read as they are, uncompressed"
			p := Refuse(http.StatusUnsupportedMediaType, "unsupported_content_encoding",
				"Content-Encoding "+message+".", Fault{"header.Content-Encoding", message})
			p.Header = http.Header{"Accept-Encoding": {"identity"}} // RFC 9110 §15.5.16
			return p
		}
	}
	tooLarge := Refuse(http.StatusRequestEntityTooLarge, "body_too_large",
		"The request's body is larger than the server accepts.")
	var err error
	switch size := r.HTTP.ContentLength; {
	case size > limit:
		return tooLarge
	case size >= 0:
		if !r.Hold.Grow(int(size)) { // from the first byte on, however slowly the others come
			return Full()
		}
		r.Body = make([]byte, size)
		_, err = io.ReadFull(r.HTTP.Body, r.Body)
	default:
		r.Body, err = readHeld(&r.Hold, io.LimitReader(r.HTTP.Body, limit+1))
	}
	var full *Problem
	if errors.As(err, &full) {
		return full
	}
	if err != nil {
		return Refuse(http.StatusBadRequest, "body_incomplete", "The request's body ended early or came too slowly.")
	}
	if int64(len(r.Body)) > limit {
		return tooLarge
	}
	if len(r.Body) == 0 && !want.Required {
		return nil
	}
	header := r.HTTP.Header.Get("Content-Type")
	r.ContentType = header
	if want.Content[header] == nil { // the usual case needs no parsing
		base, params, err := mime.ParseMediaType(header)
		if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
			base = ""
		}
		r.ContentType = base
	}
	if want.Content[r.ContentType] == nil && (also == nil || !also(r.ContentType, r.HTTP.Header, r.Body)) {
		types := make([]string, 0, len(want.Content))
		for name := range want.Content {
			types = append(types, name)
		}
		slices.Sort(types)
		allowed := strings.Join(types, " or ")
		return Refuse(http.StatusUnsupportedMediaType, "unsupported_media_type",
			"Send the body, in UTF-8, with Content-Type: "+allowed+".", Fault{"header.Content-Type", "is " + allowed})
	}
	r.HTTP.Body = io.NopCloser(bytes.NewReader(r.Body)) // for Huma, which reads and validates it
	return nil
}

// readHeld reads everything into a buffer that the hold knows of before it grows.
func readHeld(h *Hold, r io.Reader) ([]byte, error) {
	const least = 4 << 10
	var body []byte
	for {
		if len(body) == cap(body) {
			more := max(least, cap(body))
			if !h.Grow(more) {
				return nil, Full()
			}
			body = append(make([]byte, 0, cap(body)+more), body...)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// readIdempotencyKey reads the key, and computes the digest by which a repetition is told from another request.
func (r *Request) readIdempotencyKey() *Problem {
	values := r.HTTP.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil
	}
	message := "is given more than once: send it once"
	if len(values) == 1 {
		message = "has 1 to 256 visible ASCII characters"
	}
	if len(values) > 1 || domain.ValidateEventID("", values[0]) != nil {
		return Refuse(http.StatusBadRequest, "invalid_idempotency_key", "Idempotency-Key "+message+".",
			Fault{"header.Idempotency-Key", message})
	}
	r.idempotency = values[0]
	h := sha256.New()
	_, _ = io.WriteString(h, r.HTTP.URL.RequestURI()) // hash.Hash never returns an error
	h.Write([]byte{0})
	h.Write(r.Body)
	h.Sum(r.digest[:0])
	return nil
}
