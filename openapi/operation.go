package openapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// api is where operations are registered.
type api struct {
	server *Server
	huma   huma.API
}

// handler is an operation: free of Huma, given all it needs.
type handler[I, O any] func(ctx context.Context, c *call, in *I) (*O, error)

// add registers an operation. pattern is "METHOD /path"; extra changes what is documented.
func add[I, O any](
	a *api, id, pattern, summary string, roles []domain.Role, handle handler[I, O], extra ...func(*huma.Operation),
) {
	op := rest.NewOperation(id, pattern, summary, description(id), roles)
	op.Tags = []string{tagOf(op.Path)}
	if _, ok := any(*new(I)).(interface{ Check(version int) error }); ok { // it embeds rest.MatchHeader
		op.Errors = append(op.Errors, http.StatusPreconditionFailed)
	}
	for _, f := range extra {
		f(&op)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		c := &call{Request: rest.RequestOf(ctx), Server: a.server}
		out, err := handle(ctx, c, in)
		if err != nil {
			return nil, c.Failed(ctx, err)
		}
		return out, nil
	})
}
