package rest

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
)

// Handler serves a mux, with problem documents for what the mux would answer itself (404, 405 and redirects), and 500
// where a handler panics: one request's defect mustn't end the process, and its stack is logged.
func Handler(mux *http.ServeMux, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
				panic(fault)
			}
			log.LogAttrs(r.Context(), slog.LevelError, "an operation panicked", slog.String("fault", fmt.Sprint(fault)),
				slog.String("stack", string(debug.Stack())))
			write(w, ProblemOf(fmt.Errorf("panic")))
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !isClean(r) {
			write(w, Refuse(http.StatusNotFound, "not_found", "The path has an empty, . or .. segment. "+
				"An event whose id can't be part of a path is found with ?id= of the list of events."))
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			if known := r.Header.Values("If-None-Match"); len(known) > 0 && isRead(r) {
				w = &conditional{ResponseWriter: w, known: strings.Join(known, ",")}
			}
			mux.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		p := NoPath()
		if answer.Code == http.StatusMethodNotAllowed {
			p = Refuse(answer.Code, "method_not_allowed", "The path has other methods.")
			p.Header = http.Header{"Allow": answer.Header()["Allow"]}
		}
		write(w, p)
	})
}

// ServeNoPath answers a request whose path isn't served.
func ServeNoPath(w http.ResponseWriter, _ *http.Request) { write(w, NoPath()) }

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// conditional answers 304 where the client has what would be sent: its If-None-Match names the answer's ETag.
type conditional struct {
	http.ResponseWriter
	known     string
	begun     bool // a status was sent
	unchanged bool // it was 304
}

// WriteHeader implements http.ResponseWriter.
func (c *conditional) WriteHeader(status int) {
	tag := c.Header().Get("ETag")
	c.begun = true
	if status == http.StatusOK && tag != "" && noneMatch(c.known, tag) {
		c.unchanged, status = true, http.StatusNotModified
		c.Header().Del("Content-Type")
		c.Header().Del("Content-Length")
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *conditional) Write(b []byte) (int, error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	if c.unchanged {
		return len(b), nil
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *conditional) Unwrap() http.ResponseWriter { return c.ResponseWriter }
