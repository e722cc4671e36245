package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// echoes are receivers that send back everything that they were sent and what else they know of their endpoint, in
// every encoding that they can think of.
type echoes struct {
	t      testing.TB
	story  *secretStory
	server *httptest.Server
}

func newEchoes(t testing.TB, story *secretStory) *echoes {
	e := &echoes{t: t, story: story}
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	return e
}

func (e *echoes) url(path string) string { return e.server.URL + path }

// ServeHTTP implements http.Handler.
func (e *echoes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		e.t.Errorf("dump the request: %v", err)
	}
	said := [][]byte{dump}
	ending, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	for i, value := range append(sent(r), e.story.signingKeys(name)...) {
		for how, text := range echoForms(value) {
			if !strings.ContainsAny(text, "\r\n") && i < 6 {
				w.Header().Add(fmt.Sprintf("X-Echo-%d", i), how+"="+text)
			}
			said = append(said, []byte(how+": "+text))
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	status := map[string]int{"error": http.StatusInternalServerError, "redirect": http.StatusFound}[ending]
	if status == http.StatusFound {
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere?"+r.URL.RawQuery)
	}
	w.WriteHeader(max(status, http.StatusOK))
	_, _ = w.Write(bytes.Join(said, []byte("\n")))
}

// signingKeys are the endpoint's keys in force, in all the ways in which its receiver may hold them.
func (s *secretStory) signingKeys(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var values []string
	for _, key := range s.signing[name] {
		values = append(values, key)
		if _, encoded, ok := strings.Cut(key, "_"); ok {
			if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil {
				values = append(values, encoded, string(raw))
			}
		}
	}
	return values
}

// sent lists the credentials of a request.
func sent(r *http.Request) []string {
	var values []string
	for _, name := range []string{"Authorization", "X-Api-Key", "X-One", "X-Two"} {
		if value := r.Header.Get(name); value != "" {
			values = append(values, value)
		}
	}
	if _, password, ok := r.BasicAuth(); ok {
		values = append(values, password)
	}
	for _, of := range r.URL.Query() {
		values = append(values, of...)
	}
	return slices.DeleteFunc(append(values, r.URL.RawQuery), func(v string) bool { return len(v) < shortest })
}

// echoForms writes a value in the ways of as many programs.
func echoForms(value string) map[string]string {
	quoted, _ := json.Marshal(value) // of a text it can't fail
	b64 := base64.StdEncoding.EncodeToString
	return map[string]string{
		"plain": value,
		"query": url.QueryEscape(value),
		"path":  url.PathEscape(value),
		"json":  string(quoted),
		"hex":   hex.EncodeToString([]byte(value)),
		"base64": b64(
			[]byte(value),
		),
		"base64 at 1": b64([]byte("u" + value + "!!")),
		"base64 at 2": b64([]byte("u:" + value + "!")),
		"base64url":   base64.RawURLEncoding.EncodeToString([]byte(value)),
	}
}

// raw is the URL of a receiver that puts the request's credentials into an answer that isn't HTTP.
func (e *echoes) raw(answer string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed by the test's end
			}
			go answerRaw(conn, answer)
		}
	}()
	return "http://" + listener.Addr().String() + "/"
}

func answerRaw(conn net.Conn, answer string) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(
		conn,
		answer,
		strings.ReplaceAll(strings.Join(sent(r), "|"), " ", "|"),
	) // a sender that has gone needs no answer
}
