package openapi

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// registerAll registers every operation on a mux and returns the document.
func registerAll(s *Server, mux *http.ServeMux) (*huma.OpenAPI, error) {
	s.probes, s.registrants = newProbes(), rest.NewTurns()
	config := rest.HumaConfig("Hooktrail", s.Version)
	describe(config.OpenAPI)
	a := &api{server: s, huma: humago.New(&router{ServeMux: mux}, config)}
	gate := rest.NewGate(rest.Sources{
		Log: s.Log, Views: s.Views, Directory: s.Directory, Clock: s.Clock, Logger: s.Logger,
		Claims: s.Claims, Settler: s.Settler, CursorKey: s.CursorKey, Budget: rest.NewBudget(int64(s.Limits.HeldBytes)),
	}, s.Limits.BodyBytes)
	a.huma.UseMiddleware(gate.Handle)
	register(a)
	doc := a.huma.OpenAPI()
	rowSchemas(doc)
	rest.Finish(doc, isSent)
	return doc, describeWebhooks(doc, s.Webhooks)
}
