package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTail_ServerGone: a tail says once that its server went away, goes on behind the last whole entry when it is back,
// and fails when it stays away.
func TestTail_ServerGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	address := freeAddress(t)
	var asked lockedBuffer // what each connection asked for
	serve := func(stream string) *http.Server {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(&asked, "<%s>", r.Header.Get("Last-Event-ID"))
			w.Header().Set("Hooktrail-Sequence", "6")
			_, _ = fmt.Fprint(w, stream)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})}
		go func() { _ = server.Serve(listener) }()
		return server
	}
	var out, said lockedBuffer
	first := serve(": the log\n\n")
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"tail", "--url", "http://" + address, "--key", "k", "--retry-for", "3s"}, process{stdout: &out, stderr: &said})
	}()
	eventually(t, 10*time.Second, "the first stream is open", func() bool { return asked.String() == "<>" })
	_ = first.Close()
	second := serve("id: 7\nevent: a.b\ndata: {\"sequence\":7}\n\nid: 8\nevent: a.b\ndata: {\"sequ")
	eventually(t, 10*time.Second, "the second stream is printed", func() bool { return out.String() != "" })
	_ = second.Close()
	third := serve("id: 8\ndata: {\"sequence\":8}\n\n")
	eventually(
		t,
		10*time.Second,
		"the third stream is printed",
		func() bool { return strings.Contains(out.String(), `:8}`) },
	)
	_ = third.Close()
	if code := <-ended; code != exitFailed || !strings.Contains(said.String(), "hasn't come back within 3s") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	if got, want := out.String(), "{\"sequence\":7}\n{\"sequence\":8}\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := asked.String(), "<><6><7>"; got != want {
		t.Errorf("asked for what comes behind %s, want %s", got, want)
	}
	if n := strings.Count(said.String(), "the stream ended"); n != 3 {
		t.Errorf("said %d times that a stream ended:\n%s", n, said.String())
	}
}
