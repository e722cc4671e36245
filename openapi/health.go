package openapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// healthOut tells that all is well; otherwise the answer is a problem.
type healthOut struct {
	Status string `json:"status" enum:"ok" doc:"ok" example:"ok"`
}

// livez tells that the process answers.
func livez(context.Context, *call, *struct{}) (*rest.Plain[healthOut], error) {
	return &rest.Plain[healthOut]{Body: healthOut{"ok"}}, nil
}

// readyz tells whether this node can append and serve. Why it can't is for the operator, who reads the log.
func readyz(ctx context.Context, c *call, _ *struct{}) (*rest.Plain[healthOut], error) {
	if err := c.Readiness.Ready(ctx); err != nil {
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.Any("error", err))
		return nil, rest.Refuse(http.StatusServiceUnavailable, "not_ready",
			"This node can't append or serve at the moment; its log says why.")
	}
	return &rest.Plain[healthOut]{Body: healthOut{"ok"}}, nil
}

// metrics hands over to the handler of the program's metrics.
func metrics(_ context.Context, c *call, _ *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		c.Metrics.ServeHTTP(w, r)
	}}, nil
}
