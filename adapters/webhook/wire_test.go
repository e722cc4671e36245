package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
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
	listener, err := tls.Listen(
		"tcp",
		"127.0.0.1:0",
		&tls.Config{Certificates: donor.TLS.Certificates, NextProtos: []string{protocol}},
	)
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
