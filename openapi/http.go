package openapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"time"
)

// NewHandler serves all operations, the document and its page. It sets no timeouts: the http.Server around it must have
// ReadHeaderTimeout, ReadTimeout and IdleTimeout, and no WriteTimeout, since a log is followed for as long as one likes; its
// BaseContext must end at shutdown, since followers hold their requests open.
func NewHandler(s Server) (http.Handler, error) {
	s.Limits = s.Limits.withDefaults()
	if s.Clock == nil {
		s.Clock = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.heads, s.probes, s.turns = newHeads(), newProbes(), newTurns()
	mux := &router{ServeMux: http.NewServeMux()}
	a, err := newAPI(&s, mux)
	if err != nil {
		return nil, err
	}
	doc := Document{a.huma.OpenAPI()}
	if err := serveDocument(mux.ServeMux, doc); err != nil {
		return nil, err
	}
	if err := serveDocs(mux.ServeMux); err != nil {
		return nil, err
	}
	return a.recovered(problems(mux.ServeMux)), nil
}

// serveDocument serves the document in all its forms, written once.
func serveDocument(mux *http.ServeMux, doc Document) error {
	forms := []struct {
		path, contentType string
		write             func() ([]byte, error)
	}{
		{"/openapi.json", "application/openapi+json", doc.JSON},
		{"/openapi.yaml", "application/openapi+yaml", doc.YAML},
		{"/openapi-3.0.json", "application/openapi+json", doc.JSON30},
	}
	for _, form := range forms {
		text, err := form.write()
		if err != nil {
			return fmt.Errorf("write %s: %w", form.path, err)
		}
		mux.HandleFunc("GET "+form.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", form.contentType)
			_, _ = w.Write(text) // the client is gone: nothing is left to do
		})
	}
	return nil
}

// problems turns the mux's own 404, 405 and redirects into problem documents.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !clean(r) {
			writeProblem(w, unclean())
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		p := noPath()
		if rec.Code == http.StatusMethodNotAllowed {
			p = refuse(rec.Code, "method_not_allowed", "The path has other methods.")
			p.header = http.Header{"Allow": rec.Header()["Allow"]}
		}
		writeProblem(w, p)
	})
}

// recovered answers 500 when an operation panics: one request's defect mustn't end the process, and its stack is logged.
func (a *api) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
				panic(fault)
			}
			a.panicked(r.Context(), fault)
			writeProblem(w, problemOf(fmt.Errorf("panic")))
		}()
		next.ServeHTTP(w, r)
	})
}

func (a *api) panicked(ctx context.Context, fault any) {
	a.server.Logger.LogAttrs(ctx, slog.LevelError, "an operation panicked", slog.String("fault", fmt.Sprint(fault)),
		slog.String("stack", string(debug.Stack())))
}
