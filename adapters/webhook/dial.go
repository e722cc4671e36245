package webhook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hooktrail/hooktrail/domain"
)

// Bounds of making a connection; an attempt's own timeout may be shorter.
const (
	connectTimeout   = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	keepAlive        = 30 * time.Second
	// readOn is how long an HTTP/2 connection is read that can't be written to any more.
	readOn = 2 * time.Second
)

// dialer makes guarded connections and remembers what making them took.
type dialer struct {
	guard    *Guard
	resolver *net.Resolver // nil: the system's
	tls      *tls.Config
	// asked has the addresses whose last handshake asked for a client certificate. net/http doesn't say over which
	// connection a request failed that an HTTP/2 receiver ended at once.
	asked *lru.Cache[string, struct{}]
}

// maxAsked bounds the addresses that are remembered for asking for a client certificate.
const maxAsked = 1024

func newDialer(guard *Guard, resolver *net.Resolver, config *tls.Config) *dialer {
	asked, err := lru.New[string, struct{}](maxAsked)
	if err != nil { // only a size that isn't positive is an error
		panic("make a dialer: " + err.Error())
	}
	return &dialer{guard: guard, resolver: resolver, tls: config, asked: asked}
}

// asks reports whether the last handshake with a URL's receiver asked for a client certificate.
func (d *dialer) asks(u *url.URL) bool {
	return u.Scheme == "https" && d.asked.Contains(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
}

// conn is a connection to a receiver with what is recorded of it. All fields but used are set before net/http sees it.
type conn struct {
	net.Conn
	remote  string
	tls     *domain.TLSInfo // nil without TLS
	timings domain.AttemptTimings
	used    atomic.Bool // whether a request has gone over it: only the first one waited for it to be made
	// written counts the bytes that net/http has given to an HTTP/1 connection, before encryption. HTTP/1 has one
	// request under way at a time, so the count tells whether anything of it has left.
	written atomic.Int64
	// received counts the bytes that net/http has taken from an HTTP/1 connection, after decryption. receivedBefore is
	// what it was when the first byte of the last request was written; unwritten is set until then.
	received, receivedBefore atomic.Int64
	unwritten                atomic.Bool
	http2                    bool
	broken                   atomic.Bool // HTTP/2: a write has failed
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	if err != nil && c.broken.Load() {
		err = io.EOF // also where the deadline ended it: no attempt has run out of time
	}
	return n, err
}

// Write hides that an HTTP/2 connection can't be written to any more: many attempts share it, and net/http would close
// it at once, with what the receiver had said before (that it refused some of them, or answers) unread. So what can't be
// written is dropped, and the connection ends when all of that is read.
func (c *conn) Write(b []byte) (int, error) {
	if c.unwritten.CompareAndSwap(true, false) {
		c.receivedBefore.Store(c.received.Load())
	}
	if c.broken.Load() {
		return len(b), nil
	}
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	if err != nil && c.http2 {
		c.broken.Store(true)
		_ = c.SetReadDeadline(time.Now().Add(readOn)) // fails only if reading has ended already
		return len(b), nil
	}
	return n, err
}

// dial is http.Transport.DialContext.
func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.open(ctx, network, addr)
}

func (d *dialer) open(ctx context.Context, network, addr string) (*conn, error) {
	start := time.Now()
	var resolved atomic.Int64 // several addresses may be tried at once
	nd := net.Dialer{
		Timeout: connectTimeout, KeepAlive: keepAlive, Resolver: d.resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			resolved.CompareAndSwap(0, int64(time.Since(start)))
			return d.check(address)
		},
	}
	c, err := nd.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	dns := time.Duration(resolved.Load())
	return &conn{Conn: c, remote: c.RemoteAddr().String(), timings: domain.AttemptTimings{
		DNS: dns.Microseconds(), Connect: max((time.Since(start) - dns).Microseconds(), 1),
	}}, nil
}

// check asks the guard about the address that a socket is about to connect to.
func (d *dialer) check(address string) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is not an address", ErrAddressRefused, address)
	}
	return d.guard.Check(target)
}

// dialTLS is http.Transport.DialTLSContext: it shakes hands itself, so that time and certificate can be kept with the
// connection instead of being asked for with every request.
func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("read the address %q: %w", addr, err)
	}
	c, err := d.open(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	d.asked.Remove(addr)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		d.asked.Add(addr, struct{}{})
		return &tls.Certificate{}, nil // none
	}
	secured := tls.Client(c, config)
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secured.HandshakeContext(limited); err != nil {
		_ = c.Close() // the handshake's error is the one to report
		return nil, &handshakeError{c.remote, err}
	}
	c.timings.TLS = max(time.Since(start).Microseconds(), 1)
	state := secured.ConnectionState()
	c.tls = tlsInfo(state)
	if c.http2 = state.NegotiatedProtocol == "h2"; c.http2 {
		return secured, nil // net/http speaks HTTP/2 over a *tls.Conn only
	}
	return &conn{Conn: secured, remote: c.remote, tls: c.tls, timings: c.timings}, nil
}

func tlsInfo(state tls.ConnectionState) *domain.TLSInfo {
	sum := sha256.Sum256(state.PeerCertificates[0].Raw) // a verified handshake has at least one
	return &domain.TLSInfo{Version: tls.VersionName(state.Version), CertificateSHA256: hex.EncodeToString(sum[:])}
}

// handshakeError is a TLS handshake that failed.
type handshakeError struct {
	remote string
	err    error
}

func (e *handshakeError) Error() string {
	return "TLS handshake with " + e.remote + ": " + e.err.Error()
}
func (e *handshakeError) Unwrap() error { return e.err }

// connOf finds our connection under what net/http hands out.
func connOf(c net.Conn) *conn {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	own, _ := c.(*conn)
	return own
}
