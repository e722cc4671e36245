package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener hands out one end of pipes.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// One place, which somebody has. Who comes next gets it when the one before doesn't read, sends nothing, or keeps it for
// later.
func TestClientListener_placesAreTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asks  string
		reads bool
		waits time.Duration
	}{
		"doesn't read": {asks: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", waits: stallBound},
		"rests":        {asks: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", reads: true, waits: restBound},
		"says nothing": {waits: restBound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pipes := pipeListener{make(chan net.Conn)}
				clients := newClientListener(pipes, 1)
				web := &http.Server{
					WriteTimeout: answerBound, ReadHeaderTimeout: 10 * time.Second, ConnState: clients.note,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }),
				}
				go func() { _ = web.Serve(clients) }()
				connect := func() net.Conn {
					ours, theirs := net.Pipe()
					pipes.conns <- theirs
					return ours
				}
				first := connect()
				if c.reads {
					go func() { _, _ = io.Copy(io.Discard, first) }()
				}
				if _, err := io.WriteString(first, c.asks); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				began := time.Now()
				next := connect() // waits for its place
				if _, err := io.WriteString(next, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited < c.waits || waited > c.waits+2*restBound {
					t.Errorf("the next client waited %v", waited)
				}
				if n, err := io.Copy(io.Discard, next); err != nil || n < 1<<20 {
					t.Errorf("the next client got %d bytes, %v", n, err)
				}
				close(pipes.conns)
				_, _ = first.Close(), web.Close()
			})
		})
	}
}

// A client that is asking, and reads, keeps its place while others come.
func TestClientListener_busyClientsStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pipes := pipeListener{make(chan net.Conn)}
		clients := newClientListener(pipes, 1)
		web := &http.Server{
			ReadHeaderTimeout: 10 * time.Second, ConnState: clients.note,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(30 * time.Second) // as an append that waits for the log does
				_, _ = io.WriteString(w, "done")
			}),
		}
		go func() { _ = web.Serve(clients) }()
		ours, theirs := net.Pipe()
		pipes.conns <- theirs
		if _, err := io.WriteString(ours, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_, beside := net.Pipe()
		pipes.conns <- beside
		if answer, err := io.ReadAll(ours); err != nil || !strings.HasSuffix(string(answer), "done") {
			t.Errorf("the answer is %q, %v", answer, err)
		}
		close(pipes.conns)
		_ = web.Close()
	})
}

// A deadline that was set holds, if it comes first.
func TestClientListener_deadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		c := &clientConn{Conn: theirs}
		began := time.Now()
		_ = c.SetWriteDeadline(began.Add(time.Second))
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		_ = c.SetDeadline(time.Time{})
		began = time.Now()
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != writeBound {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestShareDescriptors(t *testing.T) {
	t.Parallel()
	if _, err := shareDescriptors(200); err == nil {
		t.Error("200 files are enough")
	}
	for _, limit := range []uint64{256, 700, 1024, 1 << 16, 1 << 40, 1<<64 - 1} {
		share, err := shareDescriptors(limit)
		if err != nil || share.api < 50 || share.attempts < 50 {
			t.Errorf("%d files: %+v, %v", limit, share, err)
		}
		if used := share.api + 2*share.attempts + reservedDescriptors; uint64(used) > limit {
			t.Errorf("%d files: %+v takes %d", limit, share, used)
		}
	}
}
