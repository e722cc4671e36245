package rest

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
)

// humaGlobals sets what Huma keeps in package variables, once for the process and before anything is registered.
var humaGlobals = sync.OnceFunc(func() {
	huma.NewError = humaProblem       //nolint:reassign // Huma's own way to set the shape of its errors
	huma.DefaultArrayNullable = false //nolint:reassign // a list is never null
	huma.ValidateStrictCasing = true  //nolint:reassign // "Name" isn't name
})

// HumaConfig is the configuration of Huma under which operations of this package's kind are registered.
func HumaConfig(title, version string) huma.Config {
	humaGlobals()
	config := huma.DefaultConfig(title, version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema members
	json := config.Formats[JSON]
	json.Unmarshal = readJSON
	config.Formats = map[string]huma.Format{JSON: json, "json": json} // the default is a variable of Huma's
	config.RejectUnknownQueryParameters = true
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	return config
}

// schemaName takes the endings off the Go names of what goes in and out.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if strings.HasPrefix(t.Name(), "Page[") {
		return strings.TrimSuffix(strings.TrimPrefix(name, "Page"), "Out") + "Page"
	}
	if base, ok := strings.CutSuffix(name, "Out"); ok {
		return base
	}
	if base, ok := strings.CutSuffix(name, "In"); ok {
		return base + "Request"
	}
	return name
}

// NewOperation describes an operation. pattern is "METHOD /path"; without roles no key is needed.
func NewOperation(id, pattern, summary, text string, roles []domain.Role) huma.Operation {
	method, path, _ := strings.Cut(pattern, " ")
	names := make([]string, 0, len(roles))
	for _, r := range roles {
		names = append(names, string(r))
	}
	slices.Sort(names)
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		Metadata:     map[string]any{accessKey: Access{Roles: roles}},
		MaxBodyBytes: -1, BodyReadTimeout: time.Minute, // the gate has read the body already, within its limits
		Extensions: map[string]any{"x-roles": names},
		Errors:     errorsOf(method, path, roles),
	}
	if len(roles) == 0 {
		op.Description = text + "\n\nNo key is needed."
		op.Security = []map[string][]string{}
	} else {
		op.Description = text + "\n\nRoles: " + strings.Join(names, ", ") + "."
	}
	if strings.HasPrefix(id, "create-") || strings.HasPrefix(id, "append-") {
		op.DefaultStatus = http.StatusCreated
	}
	return op
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

// ByHand has the operation check and read its body itself.
func ByHand(op *huma.Operation) {
	access, _ := op.Metadata[accessKey].(Access)
	access.ByHand = true
	op.Metadata[accessKey] = access
}

// Accepting has the operation take bodies of further content types.
func Accepting(op *huma.Operation, also Accepts) {
	access, _ := op.Metadata[accessKey].(Access)
	access.Accepts = also
	op.Metadata[accessKey] = access
}

// AlsoInstance lets the operator ask the operation of the instance's own log.
func AlsoInstance(op *huma.Operation) {
	access, _ := op.Metadata[accessKey].(Access)
	access.Instance = true
	op.Metadata[accessKey] = access
}

// Limited documents the refusal of what is asked for too often.
func Limited(op *huma.Operation) { op.Errors = append(op.Errors, http.StatusTooManyRequests) }

// Creates documents an operation that makes something although its name doesn't say so.
func Creates(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

// Accepts202 documents an operation whose work goes on behind its answer.
func Accepts202(op *huma.Operation) { op.DefaultStatus = http.StatusAccepted }

// handwrittenKey is where metadata has the documentation of what is read and written by hand.
const handwrittenKey = "handwritten"

// Handwritten documents bodies and answers whose types aren't the handler's.
type Handwritten struct {
	Bodies  map[string]Media // by content type
	Answers map[string]Media // by content type
	Status  []string         // of the answers
}

// Media is one form of a body. Its schema is made when all operations are registered.
type Media struct {
	Schema  func(*huma.OpenAPI) *huma.Schema
	Example any
}

// SetOn documents an operation.
func (h Handwritten) SetOn(op *huma.Operation) { op.Metadata[handwrittenKey] = h }

// SchemaOf registers a type and refers to it.
func SchemaOf[T any](doc *huma.OpenAPI) *huma.Schema {
	return doc.Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// TextSchema is the schema of any text.
func TextSchema(*huma.OpenAPI) *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

// BytesSchema is the schema of any bytes.
func BytesSchema(*huma.OpenAPI) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "binary"}
}

// Answers documents an answer of 200 in JSON that is written by hand.
func Answers[T any](op *huma.Operation) {
	Handwritten{Answers: map[string]Media{JSON: {Schema: SchemaOf[T]}}, Status: []string{"200"}}.SetOn(op)
}

// AnswersIn documents an answer of 200 in another content type.
func AnswersIn(contentType string, schema func(*huma.OpenAPI) *huma.Schema) func(*huma.Operation) {
	return func(op *huma.Operation) {
		Handwritten{Answers: map[string]Media{contentType: {Schema: schema}}, Status: []string{"200"}}.SetOn(op)
	}
}

// Finish documents what is read and written by hand, once every operation is registered, and opens the answers: a
// client must tolerate members that are added later. sent reports whether a schema is of what clients send, which stays
// closed.
func Finish(doc *huma.OpenAPI, sent func(schema string) bool) {
	for name, schema := range doc.Components.Schemas.Map() {
		if closed, ok := schema.AdditionalProperties.(bool); ok && !closed && !sent(name) {
			schema.AdditionalProperties = nil
		}
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if h, ok := op.Metadata[handwrittenKey].(Handwritten); ok {
				h.document(doc, op)
			}
			if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, op.Method) {
				op.RequestBody = nil
			}
			switch op.Method {
			case http.MethodGet:
				documentUnchanged(op)
			case http.MethodPatch: // the same under either name: many clients send one Content-Type with everything
				op.RequestBody.Content[JSON] = op.RequestBody.Content[mergePatch]
			}
		}
	}
}

// mergePatch is the content type of RFC 7396.
const mergePatch = "application/merge-patch+json"

// documentUnchanged documents that a read which answers with an ETag answers 304 to a client that has what it shows.
func documentUnchanged(op *huma.Operation) {
	found := op.Responses["200"]
	if found == nil || found.Headers["ETag"] == nil {
		return
	}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Example: `"3"`,
		Description: "ETags of what the client has; if one is the thing's: 304. The ETag is the version of what is " +
			"configured: it says nothing of an endpoint's health.",
	})
	op.Responses["304"] = &huma.Response{Description: "Not Modified", Headers: map[string]*huma.Param{
		"ETag": found.Headers["ETag"], "Hooktrail-Sequence": found.Headers["Hooktrail-Sequence"],
	}}
}

func (h Handwritten) document(doc *huma.OpenAPI, op *huma.Operation) {
	if len(h.Bodies) > 0 {
		op.RequestBody = &huma.RequestBody{Required: true, Content: content(doc, h.Bodies)}
	}
	var headers map[string]*huma.Param
	for status, r := range op.Responses {
		if strings.HasPrefix(status, "2") && r.Headers != nil {
			headers = r.Headers
		}
	}
	delete(headers, "Content-Type") // OpenAPI has its own place for it
	for _, status := range h.Status {
		if op.Responses[status] == nil {
			text := map[string]string{"200": "OK", "201": "Created", "202": "Accepted", "206": "Partial Content"}[status]
			op.Responses[status] = &huma.Response{Description: text}
		}
		op.Responses[status].Headers = headers
		op.Responses[status].Content = content(doc, h.Answers)
	}
}

func content(doc *huma.OpenAPI, by map[string]Media) map[string]*huma.MediaType {
	content := make(map[string]*huma.MediaType, len(by))
	for name, m := range by {
		content[name] = &huma.MediaType{Schema: m.Schema(doc), Example: m.Example}
	}
	return content
}
