package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// misbehaviour is what a receiver does with a request that it has read. Over HTTP/2 a stream is what one gets refused.
type misbehaviour string

const (
	answers        misbehaviour = "answers"
	refusesStream  misbehaviour = "REFUSED_STREAM"
	goesAway       misbehaviour = "GOAWAY"
	breaksProtocol misbehaviour = "PROTOCOL_ERROR" // which net/http repeats once, from a peer
	informs        misbehaviour = "1xx"
	misdirects     misbehaviour = "421"
	hangsUp        misbehaviour = "hangs up"
	closesAfter    misbehaviour = "answers and closes" // so that the next request may meet a closed connection
	hangsUpAtOnce  misbehaviour = "resets"
)

// wireReceiver speaks HTTP/1 or HTTP/2 over TLS by hand and counts each request whose header has arrived.
type wireReceiver struct {
	http2    bool
	next     func() misbehaviour
	requests atomic.Int64
}

// startWire returns the receiver's URL and who to trust for it.
func startWire(t *testing.T, w *wireReceiver) (string, *x509.CertPool) {
	t.Helper()
	donor := httptest.NewUnstartedServer(http.NotFoundHandler()) // for its certificate
	donor.StartTLS()
	t.Cleanup(donor.Close)
	protocol := "http/1.1"
	if w.http2 {
		protocol = "h2"
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: donor.TLS.Certificates, NextProtos: []string{protocol}}) //nolint:gosec // the default minimum is 1.2
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(wait.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	wait.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed by the test's end
			}
			wait.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				if w.http2 {
					w.speak2(c)
				} else {
					w.speak1(c)
				}
			})
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	return "https://" + listener.Addr().String() + "/", roots
}

func (w *wireReceiver) speak1(c net.Conn) {
	reader := newRequestReader(c)
	for {
		if _, err := reader.next(); err != nil {
			return
		}
		w.requests.Add(1)
		switch does := w.next(); does {
		case informs:
			_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		case misdirects:
			_, _ = io.WriteString(c, "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n")
		case refusesStream, goesAway, breaksProtocol: // HTTP/1's nearest: asking for a repetition
			_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
		case hangsUp, hangsUpAtOnce:
			return
		default:
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if does == closesAfter {
				return
			}
		}
	}
}

// Types and flags of HTTP/2's frames (RFC 9113 §6).
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway = 0, 1, 3, 4, 6, 7
	flagAck, flagEndStream, flagEndHeaders                                     = 1, 1, 4
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind)) //nolint:gosec // small
	return append(binary.BigEndian.AppendUint32(append(b, flags), stream), payload...)
}

func (w *wireReceiver) speak2(c net.Conn) {
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(c, preface); err != nil {
		return
	}
	write := func(b []byte) { _, _ = c.Write(b) } // a client that hung up shows at the next read
	write(frame(frameSettings, 0, 0, nil))
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:4])>>8)
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		stream := binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1)
		code := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
		switch head[3] {
		case frameSettings:
			if head[4]&flagAck == 0 {
				write(frame(frameSettings, flagAck, 0, nil))
			}
		case framePing:
			if head[4]&flagAck == 0 {
				write(frame(framePing, flagAck, 0, payload))
			}
		case frameHeaders:
			w.requests.Add(1)
			ok := frame(frameHeaders, flagEndHeaders|flagEndStream, stream, []byte{0x88}) // HPACK's :status 200
			switch does := w.next(); does {
			case refusesStream:
				write(frame(frameReset, 0, stream, code(7)))
			case breaksProtocol:
				write(frame(frameReset, 0, stream, code(1)))
			case goesAway: // nothing of this stream was done, says the last one's number
				write(frame(frameGoAway, 0, 0, append(code(0), code(0)...)))
				return
			case informs: // :status 103, written out
				write(frame(frameHeaders, flagEndHeaders, stream, append([]byte{0x08, 3}, "103"...)))
				write(ok)
			case misdirects:
				write(frame(frameHeaders, flagEndHeaders|flagEndStream, stream, append([]byte{0x08, 3}, "421"...)))
			case hangsUp, hangsUpAtOnce:
				return
			default:
				write(ok)
				if does == closesAfter {
					return
				}
			}
		}
	}
}

// requestReader takes HTTP/1 requests with a Content-Length from a connection.
type requestReader struct {
	c    net.Conn
	rest []byte
}

func newRequestReader(c net.Conn) *requestReader { return &requestReader{c: c} }

func (r *requestReader) next() (string, error) {
	more := func() error {
		b := make([]byte, 4096)
		n, err := r.c.Read(b)
		r.rest = append(r.rest, b[:n]...)
		return err
	}
	for !bytes.Contains(r.rest, []byte("\r\n\r\n")) {
		if err := more(); err != nil {
			return "", err
		}
	}
	head, rest, _ := strings.Cut(string(r.rest), "\r\n\r\n")
	length := 0
	for line := range strings.SplitSeq(head, "\r\n") {
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			for _, digit := range value {
				length = length*10 + int(digit-'0')
			}
		}
	}
	for r.rest = []byte(rest); len(r.rest) < length; {
		if err := more(); err != nil {
			return "", err
		}
	}
	r.rest = r.rest[length:]
	return head, nil
}

// Whatever a receiver does, it never gets more requests than there are attempts, and each attempt that was answered or
// refused is exactly one.
func TestSend_oneAttemptIsOneRequest(t *testing.T) {
	t.Parallel()
	all := []misbehaviour{answers, refusesStream, goesAway, breaksProtocol, informs, misdirects, hangsUp, closesAfter, hangsUpAtOnce}
	for name, two := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's
			var did misbehaviour
			w := &wireReceiver{http2: two, next: func() misbehaviour { did = all[random.IntN(len(all))]; return did }}
			url, roots := startWire(t, w)
			s := newSender(loopback(), nil, roots)
			defer s.Close()
			target := sampleTarget(t, embeddedProfile(t, "standard-webhooks"), url)
			for attempt := range 150 {
				before := w.requests.Load()
				did = "nothing, for nothing arrived"
				r := s.Send(t.Context(), mustBuild(t, target, sampleEvent(), Attempt{Number: 1, At: time.Now()}), 5*time.Second)
				came := w.requests.Load() - before
				answered := r.StatusCode != 0 || r.ErrorCode == RequestRefused
				if came > 1 || answered && came != 1 || (r.StatusCode == 0) == (r.ErrorCode == "") {
					t.Fatalf("attempt %d, the receiver %s: %d requests, status %d, %s: %s", attempt, did, came, r.StatusCode, r.ErrorCode, r.Error)
				}
				if two && (did == refusesStream || did == goesAway) && r.ErrorCode != RequestRefused {
					t.Fatalf("the receiver %s: %s: %s", did, r.ErrorCode, r.Error)
				}
				if r.Duration() > 2*time.Second {
					t.Fatalf("the receiver %s, and the attempt took %s", did, r.Duration())
				}
			}
			if w.requests.Load() == 0 {
				t.Error("nothing arrived")
			}
		})
	}
}

// A receiver that always refuses costs one request and no time (golang/go#20985).
func TestSend_refusedStreamEndsTheAttempt(t *testing.T) {
	t.Parallel()
	w := &wireReceiver{http2: true, next: func() misbehaviour { return refusesStream }}
	url, roots := startWire(t, w)
	s := newSender(loopback(), nil, roots)
	defer s.Close()
	r := send(t, s, url)
	if r.ErrorCode != RequestRefused || !strings.Contains(r.Error, "REFUSED_STREAM") || w.requests.Load() != 1 || r.Duration() > 2*time.Second {
		t.Errorf("%d requests in %s: %s: %s", w.requests.Load(), r.Duration(), r.ErrorCode, r.Error)
	}
}

// A kept connection that the receiver has closed meanwhile is no failed attempt as long as nothing was written to it.
func TestExchange_untouched(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer server.Close()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	c := &conn{Conn: client}
	c.used.Store(true)
	x := &exchange{conn: c}
	if !x.untouched() {
		t.Error("a kept connection without a byte counts as used")
	}
	if _, err := c.Write([]byte("P")); err != nil || x.untouched() {
		t.Errorf("one byte went out, and the request may be repeated (%v)", err)
	}
	for _, other := range []*exchange{{}, {conn: &conn{}, first: true}, {conn: &conn{http2: true}}} {
		if other.untouched() {
			t.Errorf("%+v may be repeated", other)
		}
	}
}

func TestSend_demandedClientCertificate(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, two := range []bool{false, true} {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.EnableHTTP2 = two
			server.Config.ErrorLog = nil
			server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: version, MaxVersion: version} //nolint:gosec // both are wanted
			server.StartTLS()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			if r := send(t, newSender(loopback(), nil, roots), server.URL); r.ErrorCode != TLSFailed {
				t.Errorf("%s, HTTP/2 %v: %s: %s", tls.VersionName(version), two, r.ErrorCode, r.Error)
			}
			server.Close()
		}
	}
}

func TestSend_cutOffAnswers(t *testing.T) {
	t.Parallel()
	const begin = "HTTP/1.1 200 OK\r\n"
	for text, want := range map[string]struct {
		body       string
		incomplete bool
	}{
		begin + "Content-Length: 100\r\n\r\nabcde":                                      {"abcde", true},
		begin + "Content-Length: 100\r\n\r\n":                                           {"", true},
		begin + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n":                      {"abcde", true},
		begin + "Transfer-Encoding: chunked\r\n\r\n5\r\nab":                             {"ab", true},
		begin + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n":             {"abcde", false},
		begin + "Content-Length: 5\r\n\r\nabcde":                                        {"abcde", false},
		"HTTP/1.0 200 OK\r\n\r\nabcde":                                                  {"abcde", false},
		begin + "Content-Length: 40000\r\n\r\n" + strings.Repeat("a", 39_000):           {strings.Repeat("a", KeptBodyBytes), false},
		begin + "Content-Length: " + "30000" + "\r\n\r\n" + strings.Repeat("a", 20_000): {strings.Repeat("a", KeptBodyBytes), true},
		begin + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabcde\r\n":                     {"", true},
	} {
		url := rawReceiver(t, func(c net.Conn) { _, _ = io.WriteString(c, text) })
		r := send(t, newSender(loopback(), nil, nil), url)
		if r.StatusCode != 200 || r.ErrorCode != "" || string(r.Body) != want.body || r.Incomplete != want.incomplete || (r.BodyError != "") != want.incomplete {
			t.Errorf("%.70q: status %d, %d bytes, incomplete %v, %q", text, r.StatusCode, len(r.Body), r.Incomplete, r.BodyError)
		}
	}
}

func TestSend_headerLinesStayApart(t *testing.T) {
	t.Parallel()
	url := rawReceiver(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-B: 1\r\nSet-Cookie: b=2; Expires=Sat, 28 Nov 2026\r\nset-cookie: a=1\r\nX-Raw: \xff\xfe!\r\nContent-Length: 0\r\n\r\n")
	})
	r := send(t, newSender(loopback(), nil, nil), url)
	var got []string
	for _, h := range r.Header {
		got = append(got, h.Name+": "+h.Value)
	}
	want := "content-length: 0\nset-cookie: b=2; Expires=Sat, 28 Nov 2026\nset-cookie: a=1\nx-b: 1\nx-raw;base64: //4h"
	if strings.Join(got, "\n") != want {
		t.Errorf("kept\n%s", strings.Join(got, "\n"))
	}
}
