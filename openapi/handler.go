package openapi

import (
	"fmt"
	"log/slog"
	"net/http"
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
	mux := http.NewServeMux()
	doc, err := registerAll(&s, mux)
	if err != nil {
		return nil, err
	}
	if err := serveDocument(mux, Document{doc}); err != nil {
		return nil, err
	}
	if err := serveDocs(mux); err != nil {
		return nil, err
	}
	return rest.Handler(mux, s.Logger), nil
}

// serveDocument serves the document in all its forms, each written once.
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
