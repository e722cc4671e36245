package openapi

import (
	"context"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

type getExportContentIn struct {
	rest.ThingPath
	Range       string `header:"Range" maxLength:"256" doc:"A part of the file (RFC 9110 §14)." example:"bytes=0-1048575"`
	IfRange     string `header:"If-Range" maxLength:"128" doc:"The file's ETag: what has changed since is given as a whole." example:"\"9f86d081884c7d65\""`
	IfNoneMatch string `header:"If-None-Match" maxLength:"128" doc:"The file's ETag: 304 if it is still the same." example:"\"9f86d081884c7d65\""`
}

// exportContent documents the forms of an export's file.
func exportContent(op *huma.Operation) {
	rest.Handwritten{
		Answers: map[string]rest.Media{
			"application/x-ndjson": {Schema: exportedLines}, "text/csv": {Schema: rest.TextSchema},
			"application/vnd.apache.parquet": {Schema: rest.BytesSchema}, "text/html": {Schema: rest.TextSchema},
			"application/zstd": {Schema: rest.BytesSchema},
		},
		Status: []string{"200", "206"},
	}.SetOn(op)
	op.Errors = append(op.Errors, http.StatusConflict, http.StatusGone, http.StatusRequestedRangeNotSatisfiable)
}

// exportedLines describes NDJSON: a text whose lines are rows, all of one kind. JSON Schema 2020-12 calls what a text holds
// contentSchema.
func exportedLines(*huma.OpenAPI) *huma.Schema {
	var rows []any
	for _, what := range domain.ExportWhats() {
		rows = append(rows, map[string]any{"$ref": "#/components/schemas/Exported" + schemaNames[what]})
	}
	return &huma.Schema{
		Type: huma.TypeString, Description: "One row a line.",
		Extensions: map[string]any{"contentMediaType": "application/json", "contentSchema": map[string]any{"anyOf": rows}},
	}
}

// getExportContent gives out an export's file, or a part of it. That it does is in the log before the first byte leaves.
func getExportContent(ctx context.Context, c *call, in *getExportContentIn) (*huma.StreamResponse, error) {
	x, err := findExport(ctx, c, in.ThingPath)
	if err != nil {
		return nil, err
	}
	switch {
	case x.Expired:
		return nil, rest.Refuse(http.StatusGone, "export_expired", "The export's file is deleted. Its manifest says what it had; create the export again.")
	case !x.Kept():
		return nil, rest.Refuse(http.StatusConflict, "export_not_ready",
			"The export has no file: it is "+string(x.Status)+". Its manifest says more.")
	}
	content, err := c.Exports.Open(ctx, x)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, rest.Refuse(http.StatusServiceUnavailable, "unavailable",
			"This server can't reach the export's file: ask its operator whether all servers share the directory of exports.")
	}
	if err != nil {
		return nil, err
	}
	f := x.Result.Files[0]
	etag := `"` + f.SHA256[:min(len(f.SHA256), 32)] + `"`
	if c.HTTP.Method != http.MethodHead && in.IfNoneMatch != etag {
		_, err := rest.Append(ctx, c.Request, domain.Group{Drafts: []domain.Draft{{
			Tenant: c.Tenant, Stream: x.Stream(), Expected: domain.AnyVersion, By: c.By(), Cause: x.Created,
			Fact: &domain.ExportDownloaded{File: f.Name, Range: in.Range},
		}}})
		if err != nil {
			return nil, errors.Join(err, content.Close())
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer content.Close()
		r, w := humago.Unwrap(hc)
		header := w.Header()
		header.Set("Content-Type", exportType(&x.Order.Query))
		header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
		header.Set("ETag", etag)
		header.Set("Cache-Control", "private, no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		header.Set("Hooktrail-Sequence", rest.SequenceText(x.Order.Sequence))
		http.ServeContent(&steadyWriter{w, http.NewResponseController(w)}, r, "", x.EndedAt, content)
	}}, nil
}

// downloadWrite is how long a client may leave what was written to it unread.
const downloadWrite = 30 * time.Second

// steadyWriter lets an answer take any time, as long as its reader goes on.
type steadyWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// Write implements io.Writer.
func (w *steadyWriter) Write(b []byte) (int, error) {
	// Where the connection knows no deadlines there is nothing to put off.
	_ = w.rc.SetWriteDeadline(time.Now().Add(downloadWrite))
	return w.ResponseWriter.Write(b)
}
