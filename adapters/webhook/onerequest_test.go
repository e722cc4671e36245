package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Whatever a receiver does, no attempt ever makes two requests, however many attempts share the connections.
func TestSend_oneAttemptIsOneRequest(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprintf("HTTP/2 %v, %d at once", two, workers), func(t *testing.T) {
				t.Parallel()
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				does := func(path string) misbehaviour { // by the attempt, so that the test knows it as well
					n, _ := strconv.ParseUint(path[1:], 10, 64)
					all := misbehaviours()
					return all[rand.New(rand.NewPCG(seed, n)).IntN(len(all))]
				}
				w := &wireReceiver{http2: two, does: does}
				url, roots := startWire(t, w)
				s := newSender(loopback(), nil, roots)
				defer s.Close()
				attempt := func(n int) {
					path := "/" + strconv.Itoa(n)
					target := sampleTarget(t, embeddedProfile(t, "standard-webhooks"), url+path)
					r := s.Send(t.Context(), mustBuild(t, target, sampleEvent(), Attempt{Number: 1, At: time.Now()}), 5*time.Second)
					w.check(t, path, &r, workers == 1)
				}
				var wait sync.WaitGroup
				for worker := range workers {
					wait.Go(func() {
						for n := range 320 / workers {
							attempt(n*workers + worker)
						}
					})
				}
				wait.Wait()
			})
		}
	}
}

// check compares what an attempt says with what came of it. A receiver that says GOAWAY to one request may refuse others
// with it that share the connection; what it refuses is called refused, unless another request has it reset the
// connection: a reset takes along what was said and not read yet.
func (w *wireReceiver) check(t *testing.T, path string, r *Result, alone bool) {
	t.Helper()
	does, came := w.does(path), w.count(path)
	report := func(text string) {
		t.Helper()
		t.Errorf(
			"%s: attempt %s, the receiver %s: %d requests, status %d, %s: %s",
			text,
			path,
			does,
			came,
			r.StatusCode,
			r.ErrorCode,
			r.Error,
		)
	}
	redirected := r.ErrorCode == Redirect
	switch {
	case came > 1:
		report("repeated")
	case r.StatusCode != 0 && came != 1:
		report("an answer to nothing")
	case (r.StatusCode == 0) == (r.ErrorCode == "") && !redirected:
		report("neither an answer nor an error, or both")
	case r.StatusCode != 0 && r.StatusCode != does.answersWith(w.http2):
		report("another answer than was given")
	case r.Duration() > 3*time.Second:
		report("slow")
	case w.http2 && r.ErrorCode == RequestRefused && came == 1 && alone && !does.refuses():
		report("called refused")
	case w.http2 && came == 1 && does.refuses() && r.ErrorCode != RequestRefused && (alone || r.ErrorCode != ConnectionReset):
		report("not called refused")
	case w.http2 && r.ErrorCode == ProtocolError && does != breaksProtocol: // over HTTP/1 also after an answer that came too early
		report("a connection that ended is called a protocol error")
	case (does == refusesLate || does == resetsInPart) && r.StatusCode == http.StatusOK && !r.Incomplete:
		report("a part is taken for the whole")
	}
}

// What a receiver said of an HTTP/2 connection's requests before it ended the connection counts, although another request
// couldn't be written to it any more.
func TestConn_readsOnAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	broken := &brokenWrites{Conn: client}
	c := &conn{Conn: broken, http2: true}
	go func() {
		_, _ = io.WriteString(server, "REFUSED_STREAM") // and then nothing, nor an end
	}()
	if n, err := c.Write([]byte("headers")); n != 7 || err != nil {
		t.Errorf("the write failed, and net/http would close the connection: %d, %v", n, err)
	}
	b := make([]byte, 64)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "REFUSED_STREAM" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	_ = client.SetReadDeadline(time.Now()) // sooner than in two seconds, for the test's sake
	if _, err := c.Read(b); !errors.Is(err, io.EOF) {
		t.Errorf("the connection ends with %v", err)
	}
	if c.Write([]byte("data")); broken.tried != 1 { //nolint:errcheck // it never fails
		t.Errorf("%d writes to a connection that is gone: the first gap must be the last", broken.tried)
	}
	alone := &conn{Conn: &brokenWrites{Conn: client}}
	if _, err := alone.Write([]byte("POST")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("HTTP/1: %v", err)
	}
}

// brokenWrites is a connection that can be read only.
type brokenWrites struct {
	net.Conn
	tried int
}

func (b *brokenWrites) Write([]byte) (int, error) { b.tried++; return 0, syscall.EPIPE }

// A request whose HTTP/2 connection ended before it was sent goes over another one: many wait for a connection that a
// receiver says GOAWAY to, and none of them was refused.
func TestExchange_unsent(t *testing.T) {
	t.Parallel()
	lost := errors.New("net/http: cannot rewind body after connection loss")
	for want, x := range map[bool]*exchange{true: {conn: &conn{http2: true}}, false: {conn: &conn{}}} {
		if x.unsent(lost) != want || x.unsent(io.EOF) {
			t.Errorf("HTTP/2 %v: unsent %v", want, x.unsent(lost))
		}
	}
	if (&exchange{}).unsent(lost) {
		t.Error("a request without a connection may be sent again")
	}
	if code, _ := classify(lost, "", false); code != ConnectionReset {
		t.Errorf("called %s", code)
	}
}

// A receiver that always refuses costs one request and no time (golang/go#20985).
func TestSend_refusedStreamEndsTheAttempt(t *testing.T) {
	t.Parallel()
	w := &wireReceiver{http2: true, does: func(string) misbehaviour { return refusesStream }}
	url, roots := startWire(t, w)
	s := newSender(loopback(), nil, roots)
	defer s.Close()
	r := send(t, s, url+"/")
	if r.ErrorCode != RequestRefused || !strings.Contains(r.Error, "REFUSED_STREAM") || w.count("/") != 1 ||
		r.Duration() > 2*time.Second {
		t.Errorf("%d requests in %s: %s: %s", w.count("/"), r.Duration(), r.ErrorCode, r.Error)
	}
}

// A receiver that ends the connection of a request that it had accepted may have acted on it: the request wasn't
// refused.
func TestSend_goAwayAfterTheRequest(t *testing.T) {
	t.Parallel()
	w := &wireReceiver{http2: true, does: func(string) misbehaviour { return goesAwayAfter }}
	url, roots := startWire(t, w)
	s := newSender(loopback(), nil, roots)
	defer s.Close()
	if r := send(t, s, url+"/"); r.ErrorCode != ConnectionReset || r.StatusCode != 0 {
		t.Errorf("status %d, %s: %s", r.StatusCode, r.ErrorCode, r.Error)
	}
}

// An answer that came before its request was sent answers another one, or nothing: it must never count.
func TestExchange_unasked(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer server.Close()
	go func() { _, _ = io.Copy(io.Discard, server) }()
	c := &conn{Conn: client}
	c.used.Store(true)
	take := func() *exchange { // as net/http does with a kept connection
		x := &exchange{}
		x.gotConn(httptrace.GotConnInfo{Conn: c})
		return x
	}
	write := func() {
		t.Helper()
		if _, err := c.Write([]byte("POST / HTTP/1.1")); err != nil {
			t.Fatal(err)
		}
	}
	read := func() {
		t.Helper()
		go func() { _, _ = server.Write([]byte("HTTP/1.1 200 OK")) }()
		if _, err := c.Read(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
	}
	x := take()
	if write(); !x.unasked() {
		t.Error("an answer counts although nothing has come since the request was sent")
	}
	if read(); x.unasked() {
		t.Error("an answer to what was sent doesn't count")
	}
	x = take()
	if read(); !x.unasked() {
		t.Error("an answer counts that came before anything was sent")
	}
	write()
	if !x.unasked() {
		t.Error("an answer counts that came before the request was sent")
	}
	write()
	if read(); x.unasked() {
		t.Error("an answer to a request in two pieces doesn't count")
	}
	x.first = true
	if x.unasked() {
		t.Error("the first answer of a connection doesn't count")
	}
}

// A handshake has no body that could be spent and, by its method, might be repeated: it is one request all the same.
func TestSend_handshakeIsOneRequest(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		for _, does := range []misbehaviour{refusesStream, goesAway, hangsUp, resets, breaksProtocol} {
			n := 0
			w := &wireReceiver{http2: two, does: func(string) misbehaviour {
				if n++; n == 1 {
					return answers // so that the next request goes over a kept connection
				}
				return does
			}}
			url, roots := startWire(t, w)
			s := newSender(loopback(), nil, roots)
			defer s.Close()
			target := sampleTarget(t, embeddedProfile(t, "cloudevents"), url+"/")
			for sent := 1; sent <= 2; sent++ {
				question := Handshake{Kind: domain.HandshakeCloudEvents, Origin: ourOrigin}
				request, err := target.BuildHandshake(question, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				if r := s.Send(t.Context(), request, 5*time.Second); w.count("/") != sent {
					t.Errorf(
						"HTTP/2 %v, the receiver %s: %d handshakes are %d requests (%s)",
						two,
						does,
						sent,
						w.count("/"),
						r.ErrorCode,
					)
				}
			}
		}
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

// A receiver that demands a client certificate is told apart from one that ends connections for another reason, and
// from one that only asks.
func TestSend_demandedClientCertificate(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, two := range []bool{false, true} {
			for demand, want := range map[tls.ClientAuthType]ErrorCode{tls.RequireAnyClientCert: ClientCertificate, tls.RequestClientCert: ""} {
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
				server.EnableHTTP2 = two
				server.Config.ErrorLog = log.New(io.Discard, "", 0)
				server.TLS = &tls.Config{ClientAuth: demand, MinVersion: version, MaxVersion: version}
				server.StartTLS()
				roots := x509.NewCertPool()
				roots.AddCert(server.Certificate())
				s := newSender(loopback(), nil, roots)
				for range 2 {
					if r := send(t, s, server.URL); r.ErrorCode != want || (r.StatusCode == http.StatusOK) != (want == "") {
						t.Errorf("%s, HTTP/2 %v, %s: %s: %s", tls.VersionName(version), two, demand, r.ErrorCode, r.Error)
					}
				}
				s.Close()
				server.Close()
			}
		}
	}
}

// A receiver that ends TLS connections at once without having asked for a certificate just ends them.
func TestSend_endedAtOnce(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		w := &wireReceiver{http2: two, does: func(string) misbehaviour { return hangsUp }, silent: true}
		url, roots := startWire(t, w)
		s := newSender(loopback(), nil, roots)
		defer s.Close()
		if r := send(t, s, url+"/"); r.ErrorCode != ConnectionReset {
			t.Errorf("HTTP/2 %v: %s: %s", two, r.ErrorCode, r.Error)
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
		if r.StatusCode != 200 || r.ErrorCode != "" || string(r.Body) != want.body || r.Incomplete != want.incomplete ||
			(r.BodyError != "") != want.incomplete {
			t.Errorf("%.70q: status %d, %d bytes, incomplete %v, %q", text, r.StatusCode, len(r.Body), r.Incomplete, r.BodyError)
		}
	}
}

func TestSend_headerLinesStayApart(t *testing.T) {
	t.Parallel()
	url := rawReceiver(t, func(c net.Conn) {
		_, _ = io.WriteString(
			c,
			"HTTP/1.1 200 OK\r\nX-B: 1\r\nSet-Cookie: b=2; Expires=Sat, 28 Nov 2026\r\nset-cookie: a=1\r\nX-Raw: \xff\xfe!\r\nContent-Length: 0\r\n\r\n",
		)
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

// Answers without a body free their connections for the next request before Send returns: none may be taken for one
// that came before its request.
func TestSender_kept(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	s := newSender(loopback(), nil, nil)
	defer s.Close()
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 100 {
				if r := send(t, s, server.URL+"/"); r.StatusCode != http.StatusOK || r.ErrorCode != "" {
					t.Errorf("status %d, %s: %s", r.StatusCode, r.ErrorCode, r.Error)
					return
				}
			}
		})
	}
	callers.Wait()
}
