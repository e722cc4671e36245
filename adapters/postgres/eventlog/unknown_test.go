package eventlog_test

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// lossyProxy passes bytes to the database until it sees a COMMIT, of which it takes either the request or the answer
// away.
type lossyProxy struct {
	net.Listener
	target  string
	swallow atomic.Int32 // swallowRequest, swallowAnswer or 0
}

const (
	swallowRequest = 1
	swallowAnswer  = 2
)

func newLossyProxy(t *testing.T, db string) (p *lossyProxy, through string) {
	t.Helper()
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &lossyProxy{Listener: listener, target: u.Host}
	t.Cleanup(func() { _ = listener.Close() })
	go p.serve()
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *lossyProxy) serve() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		go p.pass(client, server)
		go func() {
			_, _ = io.Copy(client, server)
			_ = client.Close()
		}()
	}
}

// pass copies what the client sends. The connection with the COMMIT is cut before or after it was handed on.
func (p *lossyProxy) pass(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		cut := int32(0)
		if strings.Contains(string(buf[:n]), "hooktrail_log") { // the notification's channel goes with the COMMIT
			cut = p.swallow.Swap(0)
		}
		if cut == swallowRequest {
			return
		}
		if cut == swallowAnswer {
			_ = client.Close()
		}
		if _, err := server.Write(buf[:n]); err != nil || cut != 0 {
			waitForEOF(server)
			return
		}
	}
}

// waitForEOF lets the server finish what it was sent: it closes when it finds the client gone.
func waitForEOF(server net.Conn) {
	if tcp, ok := server.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_ = server.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.Copy(io.Discard, server)
}

// TestLog_UnknownOutcome loses the connection during the COMMIT, before and after the database got it.
func TestLog_UnknownOutcome(t *testing.T) {
	t.Parallel()
	direct := open(t)
	proxy, through := newLossyProxy(t, direct.db.URL)
	db := direct.db
	db.URL = through
	log := reopen(t, db, direct.key)
	log.mustAppend(t, group(event(`{}`)))
	for _, swallow := range []int32{swallowRequest, swallowAnswer} {
		for i := range 5 {
			before := head(t, direct)
			proxy.swallow.Store(swallow)
			entries := log.mustAppend(t, group(event(`{}`), event(`{}`)))
			if proxy.swallow.Load() != 0 {
				t.Fatal("no COMMIT passed the proxy")
			}
			if entries[0].Position != before+1 || head(t, direct) != before+2 {
				t.Errorf("round %d: appended at %d, the head is %d, expected two entries after %d", i, entries[0].Position, head(t, direct), before)
			}
			page, err := direct.Page(t.Context(), before, 10)
			if err != nil || len(page) != 2 || string(page[0].Leaf) != string(entries[0].Leaf) {
				t.Errorf("round %d: the log holds %+v, %v", i, page, err)
			}
			direct.check(t)
		}
	}
}
