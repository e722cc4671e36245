package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"
)

// Sender sends requests over one pool of connections. It is safe for concurrent use; the caller bounds how many
// requests an endpoint has in flight.
type Sender struct {
	transport *http.Transport
	dialer    *dialer
	buffers   sync.Pool // of *[]byte, for reading answers
	refusals  refusals
}

// SenderConfig configures a Sender.
type SenderConfig struct {
	Guard *Guard
	// ExtraCAs are trusted besides the system's authorities; nil: none.
	ExtraCAs []*x509.Certificate
	// Logger is told why an address was refused or unknown, which tenants aren't; nil: nothing is logged.
	Logger *slog.Logger
}

// Of the pool of connections. Receivers close idle ones after 5 to 75 s; closing first avoids sending into a closed
// one.
const (
	idlePerHost   = 1024
	idleTimeout   = 30 * time.Second
	pingAfter     = 15 * time.Second // HTTP/2: a connection that died quietly must not swallow attempts for minutes
	pingTimeout   = 5 * time.Second
	readBufferLen = ReadBodyBytes + 1
	// receiveBuffer is the HTTP/2 window of a stream: what a receiver can send, and we must hold, before anything is
	// read of it. net/http's own is 4 MiB, which answers have no use for.
	receiveBuffer = 64 << 10
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
	s := newSender(c.Guard, nil, roots)
	s.refusals.log = c.Logger
	return s, nil
}

// authorities returns the system's and the extra ones; nil means the system's alone.
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
	d := newDialer(guard, resolver, &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(1024),
	})
	return &Sender{
		dialer: d,
		transport: &http.Transport{
			DialContext: d.dial, DialTLSContext: d.dialTLS, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeaderBytes,
			HTTP2: &http.HTTP2Config{
				SendPingTimeout: pingAfter, PingTimeout: pingTimeout, MaxReceiveBufferPerStream: receiveBuffer,
			},
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
	// begun is what had been written to the connection before this request.
	begun int64
	// early reports that the answer began to come before the request was sent.
	early bool
}

func (x *exchange) gotConn(info httptrace.GotConnInfo) {
	x.got = time.Now()
	if x.conn = connOf(info.Conn); x.conn != nil {
		x.first = !x.conn.used.Swap(true)
		x.begun = x.conn.written.Load()
		x.conn.unwritten.Store(true)
	}
}

// untouched reports whether the request was given to a kept HTTP/1 connection that turned out to be closed before a
// single byte went out. HTTP/2 has no such case: net/http takes another connection by itself as long as no stream was
// begun, and no longer.
func (x *exchange) untouched() bool {
	return x.conn != nil && !x.first && !x.conn.http2 && x.conn.written.Load() == x.begun
}

// unasked reports whether the answer on a kept HTTP/1 connection had come before the first byte of the request was
// written, so that it answers nothing, or the request before once more. net/http drops such connections, unless a
// request is given to one a moment before it looks. HTTP/2 numbers its answers.
//
// It is to be asked when the answer begins: net/http gives a connection whose answer has no body to the next request
// before Send hears of the answer.
func (x *exchange) unasked() bool {
	c := x.conn
	return c != nil && !x.first && !c.http2 && (c.unwritten.Load() || c.received.Load() == c.receivedBefore.Load())
}

// Send sends a request and reads the answer, all within the timeout. What goes wrong is part of the result. If ctx is
// done already, or the timeout isn't positive, nothing is sent.
func (s *Sender) Send(ctx context.Context, r *Request, timeout time.Duration) Result {
	result := Result{Started: time.Now()}
	m := r.masks
	ctx, cancel := context.WithDeadline(ctx, result.Started.Add(timeout))
	defer cancel()
	if err := ctx.Err(); err != nil {
		result.fail(err, m, false)
		result.Finished = time.Now()
		return result
	}
	var x *exchange
	var answer *http.Response
	var err error
	for again := true; again; again = err != nil && ctx.Err() == nil && x.untouched() {
		x = &exchange{}
		x.trace.GotConn = x.gotConn
		x.trace.GotFirstResponseByte = func() { x.early = x.unasked() }
		answer, err = s.transport.RoundTrip(r.http(httptrace.WithClientTrace(ctx, &x.trace)))
	}
	answered := time.Now()
	if x.conn != nil {
		result.RemoteAddr, result.TLS = x.conn.remote, x.conn.tls
		if x.first {
			result.Timings = x.conn.timings
		}
		result.Timings.FirstByte = max(answered.Sub(x.got).Microseconds(), 1)
	}
	switch {
	case err == nil && x.early:
		_ = answer.Body.Close()
		_ = x.conn.Close() // whatever else came over it can't be believed
		result.ErrorCode, result.Error = ProtocolError, "what came over the connection had come before the request was sent"
	case err != nil:
		result.fail(err, m, (x.conn == nil || x.first) && s.dialer.asks(r.target.template.URL))
		if result.ErrorCode == AddressRefused {
			s.refusals.note(r, err)
		}
	default:
		s.read(&result, answer, r, answered)
	}
	result.Finished = time.Now()
	return result
}

// fail records what went wrong; asked as classify has it.
func (r *Result) fail(err error, m masks, asked bool) {
	code, text := classify(err, r.RemoteAddr, asked)
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
	if r.StatusCode < 100 { // net/http takes any three digits
		r.ErrorCode, r.Error = ProtocolError, fmt.Sprintf("the answer's status is %03d, which is not a status of HTTP",
			r.StatusCode)
		r.StatusCode = 0
	}
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		r.ErrorCode, r.Error = Redirect,
			"the receiver answered with a redirect, which is not followed: change the endpoint's URL"
	case http.StatusSwitchingProtocols:
		_ = answer.Body.Close() // it is the raw connection, which nothing will use
		return
	}
	buffer, _ := s.buffers.Get().(*[]byte)
	r.readBody(answer.Body, *buffer, sent)
	s.buffers.Put(buffer)
	_ = answer.Body.Close() // unread bytes cost the connection, nothing else
}

// readBody reads as much as the buffer holds: what is kept, enough beyond it to find a secret that would be cut in two,
// and one byte that tells whether more was coming. More is not read, so that an endless body costs a receiver's
// neighbours nothing.
func (r *Result) readBody(body io.Reader, buffer []byte, sent *Request) {
	if body == http.NoBody {
		return
	}
	n, err := 0, error(nil) // io.ReadFull would hide a body that is cut off behind the same error as one that is short
	for n < len(buffer) && err == nil {
		var more int
		more, err = body.Read(buffer[n:])
		n += more
	}
	switch {
	case errors.Is(err, io.EOF):
		sent.handshake.noticeBody(r, buffer[:n])
	case err != nil:
		code, _ := classify(err, r.RemoteAddr, false)
		r.BodyError, r.Incomplete = string(code), true
	}
	if n > ReadBodyBytes {
		n, r.Truncated = ReadBodyBytes, true
	}
	r.BodyBytes = int64(n)
	kept, hit := sent.masks.apply(buffer[:n])
	r.Truncated = r.Truncated || len(kept) > KeptBodyBytes || n > KeptBodyBytes
	r.Body = bytes.Clone(kept[:min(len(kept), KeptBodyBytes)])
	if n == 0 {
		return
	}
	sum := sha256.Sum256(buffer[:n])
	if hit {
		r.Masked, sum = true, sha256.Sum256(r.Body)
	}
	r.BodySHA256 = hex.EncodeToString(sum[:])
}
