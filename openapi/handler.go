package openapi

import (
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// NewHandler serves all operations, the document and its page. It sets no timeouts: the http.Server around it must have
// ReadHeaderTimeout, ReadTimeout and IdleTimeout, and no WriteTimeout, since a log may be followed for any length of
// time; its BaseContext must end at shutdown, since followers hold their requests open.
func NewHandler(s Server) (http.Handler, error) {
	s.Limits = s.Limits.withDefaults()
	if s.Clock == nil {
		s.Clock = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.CursorKey == nil {
		s.CursorKey = make([]byte, sha256.Size)
		_, _ = rand.Read(s.CursorKey) // never fails
	}
	mux := http.NewServeMux()
	doc, err := registerAll(&s, mux)
	if err != nil {
		return nil, err
	}
	serveDocument(mux, Document{doc}, s.Logger)
	if err := serveDocs(mux); err != nil {
		return nil, err
	}
	return rest.Handler(mux, s.Logger), nil
}

// serveDocument serves the document in all its forms, each written when it is first asked for: few processes ever are,
// and it takes longer than everything else here.
func serveDocument(mux *http.ServeMux, doc Document, log *slog.Logger) {
	for _, form := range []struct {
		path, contentType string
		write             func() ([]byte, error)
	}{
		{"/openapi.json", "application/openapi+json", doc.JSON},
		{"/openapi.yaml", "application/openapi+yaml", doc.YAML},
		{"/openapi-3.0.json", "application/openapi+json", doc.JSON30},
	} {
		written := sync.OnceValues(form.write)
		mux.HandleFunc("GET "+form.path, func(w http.ResponseWriter, r *http.Request) {
			text, err := written()
			if err != nil {
				log.LogAttrs(r.Context(), slog.LevelError, "the document can't be written", slog.Any("error", err))
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", form.contentType)
			_, _ = w.Write(text) // the client is gone: nothing is left to do
		})
	}
}
