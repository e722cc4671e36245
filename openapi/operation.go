package openapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/domain"
)

// accessKey is where an operation's metadata has its access.
const accessKey = "access"

// api is a Server with its operations registered.
type api struct {
	server  *Server
	huma    huma.API
	flights flights
}

// humaGlobals sets what Huma keeps in package variables, once for the process and before anything is registered.
var humaGlobals = sync.OnceFunc(func() {
	huma.NewError = humaProblem       //nolint:reassign // Huma's own way to set the shape of its errors
	huma.DefaultArrayNullable = false //nolint:reassign // a list is never null
	huma.ValidateStrictCasing = true  //nolint:reassign // "Name" isn't name
})

// newAPI registers every operation on a mux.
func newAPI(s *Server, mux *router) (*api, error) {
	humaGlobals()
	config := huma.DefaultConfig("Hooktrail", s.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema members
	config.RejectUnknownQueryParameters = true
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	describe(config.OpenAPI)
	a := &api{server: s, huma: humago.New(mux, config), flights: flights{open: make(map[flight]struct{})}}
	a.huma.UseMiddleware(a.gate)
	register(a)
	tidy(a.huma.OpenAPI())
	return a, describeWebhooks(a.huma.OpenAPI(), s.Webhooks)
}

// schemaName takes the endings off the Go names of what goes in and out.
func schemaName(t reflectType, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if base, ok := strings.CutPrefix(name, "PageOut"); ok {
		return strings.TrimSuffix(base, "Out") + "Page"
	}
	if base, ok := strings.CutSuffix(name, "Out"); ok {
		return base
	}
	if base, ok := strings.CutSuffix(name, "In"); ok {
		return base + "Request"
	}
	return name
}

// handler is an operation: free of Huma, given all it needs.
type handler[I, O any] func(ctx context.Context, c *call, in *I) (*O, error)

// add registers an operation. pattern is "METHOD /path"; extra changes what is documented, before (nil for none).
func add[I, O any](a *api, id, pattern, summary string, roles []domain.Role, handle handler[I, O], extra ...func(*huma.Operation)) {
	method, path, _ := strings.Cut(pattern, " ")
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Description: description(id, roles),
		Tags: []string{tagOf(path)}, Metadata: map[string]any{accessKey: access{roles: roles}},
		MaxBodyBytes: -1, BodyReadTimeout: time.Minute, // gate has read the body already, within its limits
		Extensions: map[string]any{"x-roles": rolesOf(roles)},
		Errors:     errorsOf(method, path, roles),
	}
	if _, ok := any(*new(I)).(interface{ check(version int) error }); ok { // it has a MatchHeader
		op.Errors = append(op.Errors, http.StatusPreconditionFailed)
	}
	if len(roles) == 0 {
		op.Security = []map[string][]string{}
	}
	if strings.HasPrefix(id, "create-") || strings.HasPrefix(id, "append-") {
		op.DefaultStatus = http.StatusCreated
	}
	for _, f := range extra {
		f(&op)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		c := callOf(ctx)
		out, err := handle(ctx, c, in)
		if err != nil {
			return nil, c.failed(ctx, err)
		}
		return out, nil
	})
}

func rolesOf(roles []domain.Role) []string {
	names := make([]string, 0, len(roles))
	for _, r := range roles {
		names = append(names, string(r))
	}
	slices.Sort(names)
	return names
}

// errorsOf lists the statuses of the problems that an operation can answer with.
func errorsOf(method, path string, roles []domain.Role) []int {
	list := []int{http.StatusServiceUnavailable, http.StatusUnprocessableEntity, http.StatusBadRequest}
	if len(roles) > 0 {
		list = append(list, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(path, "{") {
		list = append(list, http.StatusNotFound)
	}
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		list = append(list, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	case http.MethodDelete:
		list = append(list, http.StatusConflict)
	}
	return list
}

// writeProblem answers before Huma does.
func writeProblem(w http.ResponseWriter, p *problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"status":500,"code":"internal_error"}`)
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client is gone: nothing is left to do
}
