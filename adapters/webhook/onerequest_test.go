package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
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
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/hooktrail/hooktrail/domain"
)

// misbehaviour is what a receiver does with a request that it has read. Over HTTP/2 a stream is what one gets refused.
type misbehaviour string

const (
	answers        misbehaviour = "answers"
	refusesStream  misbehaviour = "refuses"                     // REFUSED_STREAM; over HTTP/1 a 503
	refusesLate    misbehaviour = "answers in part and refuses" // 200, some of its body, then REFUSED_STREAM
	goesAway       misbehaviour = "goes away"                   // GOAWAY for this stream and all later ones
	goesAwayAfter  misbehaviour = "goes away after this one"    // GOAWAY, and the connection's end without an answer
	drains         misbehaviour = "drains"                      // GOAWAY, then the answer
	breaksProtocol misbehaviour = "PROTOCOL_ERROR"              // which net/http repeats once, from a peer
	informs        misbehaviour = "1xx"
	informsRefuses misbehaviour = "1xx and refuses"
	misdirects     misbehaviour = "421"
	redirects      misbehaviour = "307" // to where the request went
	authenticates  misbehaviour = "401" // asks for other credentials
	timesOut       misbehaviour = "408" // after its answer, as servers do before they close an idle connection
	hangsUp        misbehaviour = "hangs up"
	resets         misbehaviour = "resets"
	resetsInPart   misbehaviour = "answers in part and resets"
	closesAfter    misbehaviour = "answers and closes" // so that the next request may meet a closed connection
)

func misbehaviours() []misbehaviour {
	return []misbehaviour{
		answers, refusesStream, refusesLate, goesAway, goesAwayAfter, drains, breaksProtocol, informs, informsRefuses,
		misdirects, redirects, authenticates, timesOut, hangsUp, resets, resetsInPart, closesAfter,
	}
}

// refuses reports whether an HTTP/2 receiver says by it that it did nothing with the request.
func (m misbehaviour) refuses() bool {
	return m == refusesStream || m == goesAway || m == informsRefuses
}

// answersWith is the status that a sender gets from it; 0: none.
func (m misbehaviour) answersWith(http2 bool) int {
	switch m {
	case refusesStream, informsRefuses, goesAway, breaksProtocol:
		if http2 {
			return 0
		}
		return http.StatusServiceUnavailable
	case hangsUp, resets, goesAwayAfter:
		return 0
	case misdirects:
		return http.StatusMisdirectedRequest
	case redirects:
		return http.StatusTemporaryRedirect
	case authenticates:
		return http.StatusUnauthorized
	}
	return http.StatusOK
}

// wireReceiver speaks HTTP/1 or HTTP/2 over TLS by hand and counts each request whose header has arrived, by its path.
type wireReceiver struct {
	http2  bool
	silent bool // ends connections after the TLS handshake, and reads nothing
	does   func(path string) misbehaviour

	mu       sync.Mutex
	requests map[string]int // guarded by mu
}

// got counts a request and returns what to do with it.
func (w *wireReceiver) got(path string) misbehaviour {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.requests == nil {
		w.requests = map[string]int{}
	}
	w.requests[path]++
	return w.does(path)
}

func (w *wireReceiver) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[path]
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
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: donor.TLS.Certificates, NextProtos: []string{protocol}})
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
				switch secured, _ := c.(*tls.Conn); {
				case w.silent:
					_ = secured.Handshake() // whether it succeeds is the client's to notice
				case w.http2:
					w.speak2(c)
				default:
					w.speak1(c)
				}
			})
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	return "https://" + listener.Addr().String(), roots
}

// reset ends a connection without a word.
func reset(c net.Conn) {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	if plain, ok := c.(*net.TCPConn); ok {
		_ = plain.SetLinger(0)
	}
	_ = c.Close()
}

func (w *wireReceiver) speak1(c net.Conn) {
	reader := newRequestReader(c)
	for {
		head, err := reader.next()
		if err != nil {
			return
		}
		path := strings.Fields(head)[1]
		say := func(text string) { _, _ = io.WriteString(c, text) } // a client that hung up shows at the next read
		const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		switch does := w.got(path); does {
		case informs:
			say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok)
		case misdirects:
			say("HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n")
		case redirects:
			say("HTTP/1.1 307 Temporary Redirect\r\nLocation: " + path + "\r\nContent-Length: 0\r\n\r\n")
		case authenticates:
			say("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
		case timesOut:
			say(ok + "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			return
		case refusesStream, informsRefuses, goesAway, breaksProtocol: // HTTP/1's nearest: asking for a repetition
			say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
		case refusesLate, resetsInPart:
			say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabcde")
			reset(c)
			return
		case resets:
			reset(c)
			return
		case hangsUp, goesAwayAfter:
			return
		default:
			say(ok)
			if does == closesAfter || does == drains {
				return
			}
		}
	}
}

// Types and flags of HTTP/2's frames, and codes of its errors (RFC 9113 §6 and §7).
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway, frameWindow = 0, 1, 3, 4, 6, 7, 8
	flagAck, flagEndStream, flagEndHeaders                                                  = 1, 1, 4
	codeNone, codeProtocol, codeRefusedStream                                               = 0, 1, 7
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
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
	var path string
	names := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":path" {
			path = f.Value
		}
	})
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
		case frameData:
			if len(payload) > 0 {
				write(frame(frameWindow, 0, 0, code(uint32(len(payload)))))
			}
		case frameHeaders:
			if _, err := names.Write(payload); err != nil {
				return
			}
			if w.answer2(c, write, stream, w.got(path)) {
				return
			}
		}
	}
}

// answer2 does something with one stream, and reports whether the connection ends with it.
func (w *wireReceiver) answer2(c net.Conn, write func([]byte), stream uint32, does misbehaviour) (ends bool) {
	code := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	status := func(flags byte, status string, fields ...byte) { // HPACK's :status, written out
		write(frame(frameHeaders, flagEndHeaders|flags, stream, append(append([]byte{0x08, 3}, status...), fields...)))
	}
	switch does {
	case refusesStream:
		write(frame(frameReset, 0, stream, code(codeRefusedStream)))
	case refusesLate:
		status(0, "200")
		write(frame(frameData, 0, stream, []byte("abcde")))
		write(frame(frameReset, 0, stream, code(codeRefusedStream)))
	case breaksProtocol:
		write(frame(frameReset, 0, stream, code(codeProtocol)))
	case goesAway: // nothing of this stream was done, says the last one's number
		write(frame(frameGoAway, 0, 0, append(code(0), code(codeNone)...)))
		return true
	case goesAwayAfter: // something may have been done of this stream
		write(frame(frameGoAway, 0, 0, append(code(stream), code(codeNone)...)))
		return true
	case drains:
		write(frame(frameGoAway, 0, 0, append(code(1<<31-1), code(codeNone)...)))
		status(flagEndStream, "200")
	case informs:
		status(0, "103")
		status(0, "100")
		status(flagEndStream, "200")
	case informsRefuses:
		status(0, "103")
		write(frame(frameReset, 0, stream, code(codeRefusedStream)))
	case misdirects:
		status(flagEndStream, "421")
	case redirects:
		status(flagEndStream, "307", append([]byte{0x0f, 0x1f, 1}, '/')...) // location, of the static table
	case authenticates:
		status(flagEndStream, "401")
	case resets:
		reset(c)
		return true
	case resetsInPart:
		status(0, "200")
		write(frame(frameData, 0, stream, []byte("abcde")))
		reset(c)
		return true
	case hangsUp:
		return true
	default:
		status(flagEndStream, "200")
		return does == closesAfter || does == timesOut
	}
	return false
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

// check compares what an attempt says with what came of it. Where no other attempt shares its connection, nobody else's
// misbehaviour can end it.
func (w *wireReceiver) check(t *testing.T, path string, r *Result, alone bool) {
	t.Helper()
	does, came := w.does(path), w.count(path)
	report := func(text string) {
		t.Helper()
		t.Errorf("%s: attempt %s, the receiver %s: %d requests, status %d, %s: %s", text, path, does, came, r.StatusCode, r.ErrorCode, r.Error)
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
	case w.http2 && alone && came == 1 && does.refuses() && r.ErrorCode != RequestRefused:
		report("not called refused")
	case (does == refusesLate || does == resetsInPart) && r.StatusCode == http.StatusOK && !r.Incomplete:
		report("a part is taken for the whole")
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
	if r.ErrorCode != RequestRefused || !strings.Contains(r.Error, "REFUSED_STREAM") || w.count("/") != 1 || r.Duration() > 2*time.Second {
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
					t.Errorf("HTTP/2 %v, the receiver %s: %d handshakes are %d requests (%s)", two, does, sent, w.count("/"), r.ErrorCode)
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
