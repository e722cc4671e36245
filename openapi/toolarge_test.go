package openapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestTooLarge_writesBeforeReading: a client that writes its whole request before it reads gets its 413.
func TestTooLarge_writesBeforeReading(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	body := bytes.Repeat([]byte(" "), 40<<20)
	for name, lines := range map[string]string{
		"length":  fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)),
		"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", len(body)),
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		head := "POST /v1/tenants/acme/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.operator + "\r\nContent-Type: application/json\r\n" + lines
		end := ""
		if name == "chunked" {
			end = "\r\n0\r\n\r\n"
		}
		for _, part := range []string{head, string(body), end} {
			if _, err := conn.Write([]byte(part)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("%s: status %d, close %t", name, resp.StatusCode, resp.Close)
		}
	}
}
