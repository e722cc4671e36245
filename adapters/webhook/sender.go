package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"
)

// Sender sends requests over one pool of connections. It is safe for concurrent use; how many requests an endpoint may
// have under way is its caller's business.
type Sender struct {
	transport *http.Transport
	buffers   sync.Pool // of *[]byte, for reading answers
}

// SenderConfig configures a Sender.
type SenderConfig struct {
	Guard *Guard
	// ExtraCAs are trusted besides the system's authorities; nil: none.
	ExtraCAs []*x509.Certificate
}

// Of the pool of connections. Receivers close idle ones after 5 to 75 s; closing first avoids sending into a closed one.
const (
	idlePerHost   = 1024
	idleTimeout   = 30 * time.Second
	pingAfter     = 15 * time.Second // HTTP/2: a connection that died quietly must not swallow attempts for minutes
	pingTimeout   = 5 * time.Second
	readBufferLen = 32 << 10
)

// NewSender makes a Sender. It goes through no proxy, follows no redirect and asks for no compression, so that what is
// kept of an answer is what came.
func NewSender(c SenderConfig) (*Sender, error) {
	if c.Guard == nil {
		return nil, errors.New("make a webhook sender: it needs an egress guard")
	}
	roots, err := authorities(c.ExtraCAs)
	if err != nil {
		return nil, err
	}
	return newSender(c.Guard, nil, roots), nil
}

// authorities returns the system's and the extra ones; nil stands for the system's alone.
func authorities(extra []*x509.Certificate) (*x509.CertPool, error) {
	if len(extra) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, errors.Join(errors.New("read the system's certificate authorities"), err)
	}
	for _, ca := range extra {
		roots.AddCert(ca)
	}
	return roots, nil
}

func newSender(guard *Guard, resolver *net.Resolver, roots *x509.CertPool) *Sender {
	d := &dialer{guard: guard, resolver: resolver, tls: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(1024),
	}}
	return &Sender{
		transport: &http.Transport{
			DialContext: d.dial, DialTLSContext: d.dialTLS, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeaderBytes,
			HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		},
		buffers: sync.Pool{New: func() any { b := make([]byte, readBufferLen); return &b }},
	}
}

// Close drops idle connections. Requests under way go on.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// exchange is one request under way. It is not pooled: net/http may call its hook late.
type exchange struct {
	trace httptrace.ClientTrace
	conn  *conn
	first bool // whether the connection was made for this request
	got   time.Time
}

func (x *exchange) gotConn(info httptrace.GotConnInfo) {
	x.got = time.Now()
	if x.conn = connOf(info.Conn); x.conn != nil {
		x.first = !x.conn.used.Swap(true)
	}
}

// Send sends a request and reads the answer, all within the timeout. What goes wrong is part of the result. If ctx is
// done already, or the timeout isn't positive, nothing is sent.
func (s *Sender) Send(ctx context.Context, r *Request, timeout time.Duration) Result {
	result := Result{Started: time.Now()}
	m := r.masks
	ctx, cancel := context.WithDeadline(ctx, result.Started.Add(timeout))
	defer cancel()
	if err := ctx.Err(); err != nil {
		result.fail(err, m)
		result.Finished = time.Now()
		return result
	}
	x := &exchange{}
	x.trace.GotConn = x.gotConn
	answer, err := s.transport.RoundTrip(r.http(httptrace.WithClientTrace(ctx, &x.trace)))
	answered := time.Now()
	if x.conn != nil {
		result.connected(x, answered)
	}
	if err != nil {
		result.fail(err, m)
	} else {
		s.read(&result, answer, r, answered)
	}
	result.Finished = time.Now()
	return result
}

// connected records the connection that the request went over.
func (r *Result) connected(x *exchange, answered time.Time) {
	r.RemoteAddr, r.TLS = x.conn.remote, x.conn.tls
	if x.first {
		r.Timings = x.conn.timings
	}
	r.Timings.FirstByte = max(answered.Sub(x.got).Microseconds(), 1)
}

func (r *Result) fail(err error, m masks) {
	code, text := classify(err, r.RemoteAddr)
	text, hit := m.text(text)
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	r.ErrorCode, r.Error, r.Masked = code, text, r.Masked || hit
}

// read takes what is kept of an answer.
func (s *Sender) read(r *Result, answer *http.Response, sent *Request, now time.Time) {
	r.StatusCode = answer.StatusCode
	r.captureHeader(answer.Header, sent.masks)
	sent.handshake.notice(r, answer.Header)
	r.RetryAfter = retryAfter(answer.Header, now)
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		r.ErrorCode, r.Error = Redirect, "the receiver answered with a redirect, which is not followed: change the endpoint's URL"
	case http.StatusSwitchingProtocols:
		_ = answer.Body.Close() // it is the raw connection, and nobody is going to speak
		return
	}
	buffer, _ := s.buffers.Get().(*[]byte)
	r.readBody(answer.Body, *buffer, sent)
	s.buffers.Put(buffer)
	_ = answer.Body.Close() // unread bytes cost the connection, nothing else
}

// readBody fills the buffer, which holds what is kept and enough beyond it to find a secret that would be cut in two,
// and goes on hashing up to a bound.
func (r *Result) readBody(body io.Reader, buffer []byte, sent *Request) {
	if body == http.NoBody {
		return
	}
	n, err := io.ReadFull(body, buffer)
	r.BodyBytes = int64(n)
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if ended {
		sent.handshake.noticeBody(r, buffer[:n])
	}
	sum := sha256.Sum256(buffer[:n])
	if err == nil {
		sum, ended, err = r.hashRest(body, buffer[:n])
	}
	if !ended && err != nil {
		code, _ := classify(err, r.RemoteAddr)
		r.BodyError = string(code)
	}
	kept, hit := sent.masks.apply(buffer[:n])
	r.Truncated = !ended || len(kept) > KeptBodyBytes || r.BodyBytes > int64(n)
	r.Body = bytes.Clone(kept[:min(len(kept), KeptBodyBytes)])
	if hit {
		r.Masked, sum = true, sha256.Sum256(r.Body)
	}
	if r.BodyBytes > 0 {
		r.BodySHA256 = hex.EncodeToString(sum[:])
	}
}

// hashRest reads on after the first part, with a buffer of its own: this is rare.
func (r *Result) hashRest(body io.Reader, first []byte) (sum [sha256.Size]byte, ended bool, err error) {
	var h hash.Hash = sha256.New()
	_, _ = h.Write(first) // hash.Hash never returns an error
	n, err := io.Copy(h, io.LimitReader(body, ReadBodyBytes-int64(len(first))))
	r.BodyBytes += n
	return [sha256.Size]byte(h.Sum(nil)), err == nil && r.BodyBytes < ReadBodyBytes, err
}
