package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
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

// A client that doesn't read holds its place for writeBound, and one that comes meanwhile gets it then.
func TestClientListener_clientsThatDontRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pipes := pipeListener{make(chan net.Conn)}
		web := &http.Server{WriteTimeout: answerBound, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })}
		go func() { _ = web.Serve(clientListener(pipes, 1)) }()
		connect := func() net.Conn {
			ours, theirs := net.Pipe()
			pipes.conns <- theirs
			return ours
		}
		began := time.Now()
		deaf := connect()
		if _, err := io.WriteString(deaf, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		next := connect() // waits for its place
		if _, err := io.WriteString(next, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < writeBound || waited > writeBound+time.Second {
			t.Errorf("the next client waited %v", waited)
		}
		if n, err := io.Copy(io.Discard, next); err != nil || n < 1<<20 {
			t.Errorf("the next client got %d bytes, %v", n, err)
		}
		close(pipes.conns)
		_, _ = deaf.Close(), web.Close()
	})
}

// A deadline that was set holds, if it comes first.
func TestClientListener_deadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		c := &impatientConn{Conn: theirs}
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
