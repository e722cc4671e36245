package webhook

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func receiver(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

// rawReceiver answers each connection, once its request's header has begun to arrive, as a function likes.
func rawReceiver(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed by the test's end
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					handle(c)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/"
}

func TestSend_whatArrives(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		got = r
		w.WriteHeader(http.StatusNoContent)
	})
	s := newSender(loopback(), nil, nil)
	p := embeddedProfile(t, "standard-webhooks")
	request := mustBuild(t, sampleTarget(t, p, url+"/a?b=c"), sampleEvent(), Attempt{Number: 1, At: time.Now()})
	r := s.Send(t.Context(), request, 10*time.Second)
	if r.StatusCode != 204 || r.ErrorCode != "" || r.Error != "" || r.Body != nil || r.BodySHA256 != "" || r.Truncated ||
		r.Masked {
		t.Fatalf("result %+v", r)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/a?b=c" || string(body) != string(request.Body) ||
		got.ContentLength != int64(len(body)) ||
		len(got.TransferEncoding) > 0 {
		t.Errorf("%s %s arrived with %d bytes, %v", got.Method, got.RequestURI, len(body), got.TransferEncoding)
	}
	if err := Verify(p, []*Key{mustKey(t, p, sampleKey(p))}, got.Header, body, time.Now(), time.Minute); err != nil {
		t.Error(err)
	}
	delete(got.Header, "Content-Length")
	if len(got.Header) != len(request.Header) {
		t.Errorf("arrived with headers %v, built with %v", got.Header, request.Header)
	}
	if r.RemoteAddr != strings.TrimPrefix(url, "http://") || r.TLS != nil || r.Timings.Connect <= 0 ||
		r.Timings.FirstByte <= 0 ||
		r.Duration() <= 0 {
		t.Errorf("recorded %s %v %+v", r.RemoteAddr, r.TLS, r.Timings)
	}
	if again := s.Send(
		t.Context(),
		request,
		10*time.Second,
	); again.Timings.Connect != 0 || again.Timings.FirstByte <= 0 ||
		again.RemoteAddr != r.RemoteAddr {
		t.Errorf("over the kept connection: %s %+v", again.RemoteAddr, again.Timings)
	}
}

func TestSend_answersBody(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		w.WriteHeader(http.StatusAccepted)
		for i := range n {
			_, _ = fmt.Fprintf(w, "%c", 'a'+i%26)
		}
	})
	s := newSender(loopback(), nil, nil)
	for _, n := range []int{0, 1, 100, KeptBodyBytes, KeptBodyBytes + 1, readBufferLen - 1, readBufferLen, readBufferLen + 1, 100_000} {
		whole := make([]byte, min(n, ReadBodyBytes)) // as far as it is read
		for i := range whole {
			whole[i] = byte('a' + i%26)
		}
		r := send(t, s, url+"?n="+strconv.Itoa(n))
		sum := sha256.Sum256(whole)
		want := hex.EncodeToString(sum[:])
		if n == 0 {
			want = ""
		}
		if r.StatusCode != 202 || string(r.Body) != string(whole[:min(len(whole), KeptBodyBytes)]) || r.BodySHA256 != want ||
			r.BodyBytes != int64(len(whole)) ||
			r.Incomplete ||
			r.Truncated != (n > KeptBodyBytes) ||
			r.BodyError != "" {
			t.Errorf(
				"%d bytes: status %d, kept %d of %d, hash right: %v, truncated %v, %q",
				n,
				r.StatusCode,
				len(r.Body),
				r.BodyBytes,
				r.BodySHA256 == want,
				r.Truncated,
				r.BodyError,
			)
		}
	}
}

func TestSend_endlessBodyIsBounded(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 64<<10); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	r := send(t, newSender(loopback(), nil, nil), url)
	if r.StatusCode != 200 || r.ErrorCode != "" || !r.Truncated || r.BodyBytes != ReadBodyBytes ||
		len(r.Body) != KeptBodyBytes {
		t.Errorf(
			"status %d %s, %d bytes read, %d kept, truncated %v",
			r.StatusCode,
			r.ErrorCode,
			r.BodyBytes,
			len(r.Body),
			r.Truncated,
		)
	}
}

// An endless answer costs little more than what is read of it, over HTTP/2 too, where net/http would take in 4 MiB
// unread.
func TestSend_endlessBodyIsNotTakenIn(t *testing.T) {
	t.Parallel()
	wrote := make(chan int, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		total := 0
		for block := make([]byte, 1<<10); ; {
			n, err := w.Write(block)
			if total += n; err != nil {
				wrote <- total
				return
			}
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	r := send(t, newSender(loopback(), nil, roots), server.URL)
	if total := <-wrote; total > 256<<10 || r.BodyBytes != ReadBodyBytes || !r.Truncated || r.Incomplete {
		t.Errorf(
			"the receiver could send %d bytes; %d were read, truncated %v, incomplete %v",
			total,
			r.BodyBytes,
			r.Truncated,
			r.Incomplete,
		)
	}
}

func TestSend_slowReceivers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	arrived := make(chan struct{}, 1)
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cancel" {
			arrived <- struct{}{}
		}
		if r.URL.Path == "/body" {
			_, _ = w.Write([]byte("begun"))
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the receiver is closed
	s := newSender(loopback(), nil, nil)
	build := func(path string) *Request {
		return mustBuild(t, sampleTarget(t, embeddedProfile(t, "sparkfly"), url+path), sampleEvent(), Attempt{Number: 1})
	}
	if r := s.Send(
		t.Context(),
		build("/header"),
		100*time.Millisecond,
	); r.ErrorCode != Timeout || r.StatusCode != 0 || r.RemoteAddr == "" ||
		r.Duration() > 5*time.Second {
		t.Errorf("no answer: %+v", r)
	}
	if r := s.Send(
		t.Context(),
		build("/body"),
		200*time.Millisecond,
	); r.ErrorCode != "" || r.StatusCode != 200 || string(r.Body) != "begun" || r.BodyError != string(Timeout) || !r.Incomplete ||
		r.Truncated {
		t.Errorf("half a body: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := s.Send(ctx, build("/header"), time.Second); r.ErrorCode != Cancelled || r.RemoteAddr != "" {
		t.Errorf("cancelled before: %+v", r)
	}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if r := s.Send(ctx, build("/cancel"), 10*time.Second); r.ErrorCode != Cancelled || r.RemoteAddr == "" {
		t.Errorf("cancelled meanwhile: %+v", r)
	}
	if r := s.Send(t.Context(), build("/header"), -time.Second); r.ErrorCode != Timeout || r.RemoteAddr != "" {
		t.Errorf("too late: %+v", r)
	}
}

func TestSend_redirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	elsewhere := receiver(t, func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	s := newSender(loopback(), nil, nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere)
			w.WriteHeader(status)
		})
		if r := send(t, s, url); r.StatusCode != status || r.ErrorCode != Redirect || r.Error == "" {
			t.Errorf("%d: %+v", status, r)
		}
	}
	if followed.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestSend_brokenReceivers(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	answer := func(text string) string {
		return rawReceiver(t, func(c net.Conn) { _, _ = io.WriteString(c, text) })
	}
	tests := []struct {
		name, url string
		want      ErrorCode
		status    int
	}{
		{"nobody listens", "http://" + closed.Addr().String(), ConnectionRefused, 0},
		{"reset", rawReceiver(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), ConnectionReset, 0},
		{"closed without a word", answer(""), ConnectionReset, 0},
		{"closed in the status line", answer("HTTP/1.1 20"), ProtocolError, 0},
		{"closed in the header", answer("HTTP/1.1 200 OK\r\nX: y\r\n"), ConnectionReset, 0},
		{"not HTTP", answer("SSH-2.0-OpenSSH_9.2 whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\r\n"), ProtocolError, 0},
		{"bad status", answer("HTTP/1.1 abc\r\n\r\n"), ProtocolError, 0},
		{"bad length", answer("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), ProtocolError, 0},
		{
			"huge header",
			answer("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 2*maxHeaderBytes) + "\r\n\r\n"),
			ProtocolError,
			0,
		},
		{
			"another protocol",
			answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
			"",
			101,
		},
		{"status 000", answer("HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n"), ProtocolError, 0},
		{"status 042", answer("HTTP/1.1 042 Nothing\r\nContent-Length: 0\r\n\r\n"), ProtocolError, 0},
		{"cut off in the body", answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc"), "", 200},
		{
			"TLS spoken by nobody",
			strings.Replace(answer("HTTP/1.1 400 Bad Request\r\n\r\n"), "http:", "https:", 1),
			TLSFailed,
			0,
		},
	}
	s := newSender(loopback(), nil, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := send(t, s, tt.url)
			if r.ErrorCode != tt.want || r.StatusCode != tt.status || (r.Error == "") != (tt.want == "") {
				t.Errorf("status %d, %q: %q", r.StatusCode, r.ErrorCode, r.Error)
			}
			if len(r.Error) > 2*maxErrorText || strings.Contains(r.Error, "AQIDBAUG") {
				t.Errorf("error %q", r.Error)
			}
		})
	}
}

func TestSend_TLS(t *testing.T) {
	t.Parallel()
	var proto atomic.Int32
	start := func(h2 bool) *httptest.Server {
		s := httptest.NewUnstartedServer(
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proto.Store(int32(r.ProtoMajor)) }),
		)
		s.EnableHTTP2 = h2
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	two, one := start(true), start(false)
	roots := x509.NewCertPool()
	roots.AddCert(two.Certificate())
	if r := send(
		t,
		newSender(loopback(), nil, nil),
		two.URL,
	); r.ErrorCode != TLSFailed ||
		!strings.Contains(r.Error, "unknown authority") {
		t.Errorf("self-signed: %+v", r)
	}
	s := newSender(loopback(), nameServer(t, func(int) []string { return []string{"127.0.0.1"} }), roots)
	sum := sha256.Sum256(two.Certificate().Raw)
	for version, server := range map[int32]*httptest.Server{2: two, 1: one} {
		for range 2 { // the second request goes over the same connection
			r := send(t, s, server.URL)
			if r.StatusCode != 200 || proto.Load() != version || r.TLS == nil || r.TLS.Version != "TLS 1.3" ||
				r.TLS.CertificateSHA256 != hex.EncodeToString(sum[:]) ||
				r.RemoteAddr != server.Listener.Addr().String() {
				t.Errorf("HTTP/%d spoken, want %d: %+v %+v", proto.Load(), version, r, r.TLS)
			}
		}
	}
	_, port, _ := net.SplitHostPort(two.Listener.Addr().String())
	if r := send(
		t,
		s,
		"https://other.test:"+port,
	); r.ErrorCode != TLSFailed ||
		!strings.Contains(r.Error, "another host") {
		t.Errorf("another host's certificate: %+v", r)
	}
}

func TestNewSender_extraCA(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	s, err := NewSender(SenderConfig{Guard: loopback(), ExtraCAs: []*x509.Certificate{server.Certificate()}})
	if err != nil {
		t.Fatal(err)
	}
	if r := send(t, s, server.URL); r.StatusCode != 200 || r.Timings.TLS <= 0 {
		t.Errorf("%+v", r)
	}
	if _, err := NewSender(SenderConfig{}); err == nil {
		t.Error("a sender without a guard is made")
	}
}

func TestSend_retryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "0": 0, "-5": 0, "soon": 0, "999999999": maxRetryAfter, "2147483648": maxRetryAfter, "9999999999999999999999": maxRetryAfter, "1.5": 0, "+5": 0,
	} {
		url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		if r := send(t, newSender(loopback(), nil, nil), url); r.RetryAfter != want {
			t.Errorf("%q: %s, want %s", value, r.RetryAfter, want)
		}
	}
	now := time.Now()
	at := http.Header{"Retry-After": {now.Add(90 * time.Second).UTC().Format(http.TimeFormat)}}
	if got := retryAfter(at, now); got < 88*time.Second || got > 91*time.Second {
		t.Errorf("a date 90 s ahead: %s", got)
	}
	if got := retryAfter(at, now.Add(time.Hour)); got != 0 {
		t.Errorf("a date gone by: %s", got)
	}
}
