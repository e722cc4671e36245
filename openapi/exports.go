package openapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// Exports writes and keeps exports.
type Exports interface {
	// Exports folds a tenant's exports as the log has them, in the order of the ids; unknown ones are left out.
	Exports(ctx context.Context, tenant domain.TenantID, ids []domain.UUID) ([]domain.Export, error)
	// Progress returns how many entries of how many an unfinished export has gone through; running reports whether it has
	// begun.
	Progress(id domain.UUID) (done, total int64, running bool)
	// Count counts the rows that an order would export, and the entries that it goes through. It fails with
	// context.DeadlineExceeded where that takes too long to wait for.
	Count(ctx context.Context, tenant domain.TenantID, order *domain.ExportOrder) (rows, entries int64, err error)
	// Open opens an export's file.
	Open(ctx context.Context, x *domain.Export) (io.ReadSeekCloser, error)
	// Nudge has exports looked at that were just created or removed.
	Nudge()
}

// exportFilterIn is what chooses an export's rows.
type exportFilterIn struct {
	FromSequence   *int64    `json:"from_sequence,omitempty" minimum:"0" doc:"From this sequence on; of deliveries: routed by an entry from this one on." example:"0"`
	ToSequence     *int64    `json:"to_sequence,omitempty" minimum:"0" doc:"Before this sequence." example:"1000"`
	From           time.Time `json:"from,omitzero" doc:"Recorded at this time or later." example:"2026-07-01T00:00:00Z"`
	To             time.Time `json:"to,omitzero" doc:"Recorded before this time." example:"2026-10-01T00:00:00Z"`
	Types          []string  `json:"types,omitempty" maxItems:"100" doc:"Of deliveries and events: event types; * matches one segment or, at the end, all the rest." example:"[\"offer.*\"]"`
	EndpointID     string    `json:"endpoint_id,omitempty" format:"uuid" doc:"Of deliveries: those to this endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	SubscriptionID string    `json:"subscription_id,omitempty" format:"uuid" doc:"Of deliveries: those that this subscription matched." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Status         string    `json:"status,omitempty" enum:"pending,retrying,succeeded,dead,cancelled" doc:"Of deliveries: those in this status as of the export's sequence." example:"dead"`
	Kind           string    `json:"kind,omitempty" maxLength:"64" pattern:"^[a-z_-]+\\.([a-z_]+|\\*)$" doc:"Of configuration and log: entries of this kind, or of all whose names begin so: endpoint.*" example:"endpoint.*"`
	Stream         string    `json:"stream,omitempty" maxLength:"128" doc:"Of configuration and log: entries about this thing." example:"endpoint/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Actor          string    `json:"actor,omitempty" format:"uuid" doc:"Of configuration and log: what this principal or key did." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f"`
}

type exportIn struct {
	What        string         `json:"what" enum:"deliveries,events,configuration,log,bundle" doc:"What there is a row for: deliveries (a row for each attempt), events, configuration (changes) or log (entries). A bundle can't be made yet." example:"deliveries"`
	Format      string         `json:"format" enum:"ndjson,csv,parquet,html" doc:"html is a report for people, of deliveries." example:"ndjson"`
	Compression string         `json:"compression,omitempty" enum:"zstd" doc:"Of ndjson and csv." example:"zstd"`
	Columns     []string       `json:"columns,omitempty" maxItems:"100" doc:"Which columns, in this order; all by default. /docs/exports.md lists them." example:"[\"delivery_id\",\"status\"]"`
	Filter      exportFilterIn `json:"filter,omitzero" doc:"Which rows; all by default."`
	KeepHours   int            `json:"keep_hours,omitempty" minimum:"1" maximum:"2160" doc:"How long the file is kept; 168 unless the operator chose otherwise." example:"168"`
	DryRun      bool           `json:"dry_run,omitempty" doc:"Count what would be exported, and export nothing." example:"false"`
	rest.ReasonBody
}

type createExportIn struct {
	rest.TenantPath
	rest.PostHeader
	Body exportIn
}

// exportAnswer is the answer to a request for an export.
type exportAnswer struct {
	Status   int
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the entry that was appended; of a dry run, that which it reflects." example:"413"`
	Location string `header:"Location" doc:"Where the export is." example:"/v1/tenants/acme/exports/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Replayed string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body     exportOut
}

// exportOut is an export's manifest.
type exportOut struct {
	ID          domain.UUID    `json:"id,omitzero" format:"uuid" doc:"The export's id. A dry run has none." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Status      string         `json:"status" doc:"queued, running, succeeded, failed or cancelled; of a dry run, counted." example:"succeeded"`
	What        string         `json:"what" doc:"What there is a row for." example:"deliveries"`
	Format      string         `json:"format" doc:"The file's format." example:"ndjson"`
	Compression string         `json:"compression,omitempty" doc:"How the file is compressed." example:"zstd"`
	Columns     []string       `json:"columns" doc:"The columns, in the file's order." example:"[\"delivery_id\",\"status\"]"`
	Filter      exportFilterIn `json:"filter" doc:"What chose the rows."`
	Sequence    int64          `json:"sequence" doc:"The last entry of the tenant's log that the export reflects. The same query of the same sequence makes the same file, until an erasure." example:"412"`
	Progress    *progressOut   `json:"progress,omitempty" doc:"How far an export has come that isn't finished."`
	Counts      *countsOut     `json:"counts,omitempty" doc:"Of a dry run."`
	Files       []exportFile   `json:"files,omitempty" doc:"What was written."`
	Erased      int64          `json:"erased_rows" doc:"Rows of which some content was erased before they were written." example:"0"`
	Damaged     int64          `json:"damaged_rows" doc:"Rows of which some content doesn't open although its keys exist." example:"0"`
	Erasures    []int64        `json:"erased_sequences,omitempty" doc:"The entries with such erased content, at most 100." example:"[7,9]"`
	Error       *exportError   `json:"error,omitempty" doc:"Why it failed."`
	Reason      string         `json:"reason,omitempty" doc:"Why it was asked for." example:"audit of the third quarter"`
	RequestedBy *actorOut      `json:"requested_by,omitempty" doc:"Who asked for it."`
	Downloads   int            `json:"downloads" doc:"How often its file, or a part of it, was given out; the log says to whom." example:"1"`
	CreatedAt   rest.Stamp     `json:"created_at,omitzero" doc:"When it was asked for." example:"2026-07-01T12:00:00.123456Z"`
	CreatedSeq  int64          `json:"created_sequence,omitempty" doc:"The entry that says so." example:"413"`
	EndedAt     rest.Stamp     `json:"ended_at,omitzero" doc:"When it succeeded, failed or was cancelled." example:"2026-07-01T12:00:09.5Z"`
	ExpiresAt   rest.Stamp     `json:"expires_at,omitzero" doc:"When its file is deleted." example:"2026-07-08T12:00:09.5Z"`
	Expired     bool           `json:"expired,omitempty" doc:"The file is deleted." example:"false"`
	Content     string         `json:"content,omitempty" doc:"Where the file is." example:"/v1/tenants/acme/exports/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e/content"`
}

// progressOut is how far long work has come: an export, a redrive, a replay or a reconciliation.
type progressOut struct {
	Done  int64 `json:"done" doc:"Entries of the log gone through." example:"20000"`
	Total int64 `json:"total" doc:"Entries to go through; 0 while that isn't known here." example:"80000"`
}

// countsOut is what a dry run counted.
type countsOut struct {
	Rows    int64 `json:"rows" doc:"Rows that the file would have." example:"1200"`
	Entries int64 `json:"entries" doc:"Entries of the log that are gone through." example:"2500"`
}

// exportFile is one file of an export.
type exportFile struct {
	Name        string `json:"name" doc:"What it is called when it is downloaded." example:"deliveries.ndjson"`
	ContentType string `json:"content_type" doc:"Its media type." example:"application/x-ndjson"`
	Bytes       int64  `json:"bytes" doc:"Its length." example:"410233"`
	Rows        int64  `json:"rows" doc:"Its rows." example:"1200"`
	SHA256      string `json:"sha256" doc:"In hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// exportError is why an export failed.
type exportError struct {
	Code   string `json:"code" doc:"quota_exceeded, too_large, unreadable or store_failed." example:"quota_exceeded"`
	Detail string `json:"detail" doc:"For people, with what to do." example:"the tenant's exports together would have more than 1000000 bytes: delete some that are kept"`
}

// query reads what is asked for.
func (in *exportIn) query() (domain.ExportQuery, error) {
	f := &in.Filter
	q := domain.ExportQuery{
		What: domain.ExportWhat(in.What), Format: domain.ExportFormat(in.Format),
		Compression: domain.ExportCompression(in.Compression), Columns: in.Columns,
		From: (*domain.Sequence)(f.FromSequence), To: (*domain.Sequence)(f.ToSequence),
		Since: rest.Instant(f.From), Until: rest.Instant(f.To), Status: domain.DeliveryStatus(f.Status),
		Kind: domain.Kind(f.Kind), Stream: f.Stream,
	}
	for _, t := range f.Types {
		q.Types = append(q.Types, domain.Pattern(t))
	}
	var err error
	for _, id := range []struct {
		field, text string
		to          *domain.UUID
	}{
		{"endpoint_id", f.EndpointID, &q.Endpoint},
		{"subscription_id", f.SubscriptionID, &q.Subscription},
		{"actor", f.Actor, &q.Actor},
	} {
		if id.text == "" {
			continue
		}
		if *id.to, err = rest.ParseID("body.filter."+id.field, id.text); err != nil {
			return q, err
		}
	}
	return q, nil
}

// showExport writes an export's manifest.
func showExport(c *call, x *domain.Export) exportOut {
	out := showOrder(&x.Order)
	out.ID, out.Status, out.Reason, out.Downloads = x.ID, string(x.Status), x.Reason, x.Downloads
	out.RequestedBy = &actorOut{x.By.Principal, x.By.Credential}
	out.CreatedAt, out.CreatedSeq, out.EndedAt = rest.Stamp(x.CreatedAt), int64(x.Created), rest.Stamp(x.EndedAt)
	out.Erased, out.Damaged = x.Result.Erased, x.Result.Damaged
	for _, n := range x.Result.Erasures {
		out.Erasures = append(out.Erasures, int64(n))
	}
	for _, f := range x.Result.Files {
		out.Files = append(out.Files, exportFile{f.Name, exportType(&x.Order.Query), f.Bytes, f.Rows, f.SHA256})
	}
	out.ExpiresAt, out.Expired = rest.Stamp(x.Result.ExpiresAt), x.Expired
	switch x.Status {
	case domain.ExportQueued:
		done, total, running := c.Exports.Progress(x.ID)
		out.Progress = &progressOut{done, total}
		if running {
			out.Status = string(domain.ExportRunning)
		}
	case domain.ExportStatusFailed:
		out.Error = &exportError{string(x.Failure.Code), x.Failure.Text}
	}
	if x.Kept() {
		out.Content = c.Path("exports", x.ID.String(), "content")
	}
	return out
}

// showOrder writes what was asked for.
func showOrder(o *domain.ExportOrder) exportOut {
	q := &o.Query
	out := exportOut{
		What: string(q.What), Format: string(q.Format), Compression: string(q.Compression), Sequence: int64(o.Sequence),
		Columns: []string{}, Filter: exportFilterIn{
			FromSequence: (*int64)(q.From), ToSequence: (*int64)(q.To), From: q.Since, To: q.Until,
			EndpointID: q.Endpoint.String(), SubscriptionID: q.Subscription.String(), Status: string(q.Status),
			Kind: string(q.Kind), Stream: q.Stream, Actor: q.Actor.String(),
		},
	}
	for _, t := range q.Types {
		out.Filter.Types = append(out.Filter.Types, string(t))
	}
	if q.Format != domain.FormatHTML {
		for _, column := range q.Chosen() {
			out.Columns = append(out.Columns, column.Name)
		}
	}
	return out
}

// exportType is the media type of an export's file.
func exportType(q *domain.ExportQuery) string {
	if q.Compression == domain.CompressionZstd {
		return "application/zstd"
	}
	switch q.Format {
	case domain.FormatNDJSON:
		return "application/x-ndjson"
	case domain.FormatCSV:
		return "text/csv; charset=utf-8; header=present"
	case domain.FormatParquet:
		return "application/vnd.apache.parquet"
	case domain.FormatHTML:
		return "text/html; charset=utf-8"
	}
	return "application/octet-stream"
}

// createExport has an export written of the log as it is now, or counts what it would have.
func createExport(ctx context.Context, c *call, in *createExportIn) (*exportAnswer, error) {
	q, err := in.Body.query()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("body.reason", in.Body.Reason); err != nil {
		return nil, err
	}
	keep := c.Limits.ExportKeep
	if in.Body.KeepHours > 0 {
		keep = time.Duration(in.Body.KeepHours) * time.Hour
	}
	var order domain.ExportOrder
	return rest.Once(ctx, c.Request, rest.Post[exportAnswer]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			head, err := rest.Head(ctx, c.Request, c.Tenant)
			if err != nil {
				return domain.Group{}, err
			}
			fact, err := domain.CreateExport(q, head, keep)
			if err != nil {
				return domain.Group{}, inFilter(err)
			}
			if order = fact.Order; in.Body.DryRun {
				return domain.Group{}, nil
			}
			return domain.Group{Drafts: []domain.Draft{{
				Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamExport, ID: domain.NewUUID()}, By: c.By(),
				Fact: fact, Reason: in.Body.Reason,
			}}}, nil
		},
		Answer: func(_ context.Context, entries []domain.Entry, replayed bool) (*exportAnswer, error) {
			var x domain.Export
			if err := x.Fold(&entries[0]); err != nil {
				return nil, err
			}
			c.Exports.Nudge()
			return &exportAnswer{
				Status: http.StatusAccepted, Sequence: rest.SequenceText(x.Created),
				Location: c.Path("exports", x.ID.String()), Replayed: rest.Replayed(replayed), Body: showExport(c, &x),
			}, nil
		},
		Idle: func(ctx context.Context) (*exportAnswer, error) { return countExport(ctx, c, &order) },
	})
}

// inFilter locates what is wrong with a filter in the body.
func inFilter(err error) error {
	var wrong *domain.InvalidError
	if !errors.As(err, &wrong) {
		return err
	}
	switch wrong.Field {
	case "what", "format", "compression":
		return err
	case "keep":
		return rest.Invalid("body.keep_hours", wrong.Text)
	}
	if len(wrong.Field) > 7 && wrong.Field[:7] == "columns" {
		return err
	}
	return rest.Invalid("body.filter."+wrong.Field, wrong.Text)
}

// countExport answers a dry run.
func countExport(ctx context.Context, c *call, order *domain.ExportOrder) (*exportAnswer, error) {
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	rows, entries, err := c.Exports.Count(ctx, c.Tenant, order)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, rest.Refuse(http.StatusUnprocessableEntity, "dry_run_too_large",
			"Counting takes longer than a request may: narrow the range, or create the export, which counts its rows.")
	}
	if err != nil {
		return nil, err
	}
	out := showOrder(order)
	out.Status, out.Counts = "counted", &countsOut{rows, entries}
	return &exportAnswer{Status: http.StatusOK, Sequence: rest.SequenceText(order.Sequence), Body: out}, nil
}

// accepted documents the statuses of a request for an export.
func accepted(op *huma.Operation) {
	op.DefaultStatus = http.StatusAccepted
	rest.Handwritten{
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[exportOut]}}, Status: []string{"200", "202"},
	}.SetOn(op)
	rest.Limited(op)
}

type listExportsIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.WaitQuery
}

// listExports lists exports as they are now.
func listExports(ctx context.Context, c *call, in *listExportsIn) (*rest.Listed[exportOut], error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery)
	if err != nil {
		return nil, err
	}
	var rows []projections.Export
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: rest.AsOfQuery{WaitQuery: in.WaitQuery}, Fresh: true},
		func(r projections.Reader, _ projections.AsOf) (err error) {
			rows, err = r.Exports(ctx, l.Rows())
			return err
		})
	if err != nil {
		return nil, err
	}
	ids := make([]domain.UUID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	exports, err := c.Exports.Exports(ctx, c.Tenant, ids)
	if err != nil {
		return nil, err
	}
	if n, err = l.Reflected(n); err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, exports,
		func(x *domain.Export) []byte { return rest.PlaceOf(x.Created, x.ID) },
		func(x *domain.Export) exportOut { return showExport(c, x) }), nil
}

type getExportIn struct {
	rest.ThingPath
}

// getExport shows an export's manifest.
func getExport(ctx context.Context, c *call, in *getExportIn) (*rest.One[exportOut], error) {
	x, err := findExport(ctx, c, in.ThingPath)
	if err != nil {
		return nil, err
	}
	out := rest.NewOne(x.Updated, x.Version, showExport(c, x))
	out.ETag = ""
	return out, nil
}

func findExport(ctx context.Context, c *call, in rest.ThingPath) (*domain.Export, error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	found, err := c.Exports.Exports(ctx, c.Tenant, []domain.UUID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, domain.ErrNotFound
	}
	return &found[0], nil
}

// deleteExport cancels an export that isn't finished, and deletes the file of one that is.
func deleteExport(ctx context.Context, c *call, in *getExportIn) (*rest.Gone, error) {
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		x, err := findExport(ctx, c, in.ThingPath)
		if err != nil {
			return domain.Group{}, err
		}
		fact, err := x.Remove()
		if errors.Is(err, domain.ErrConflict) {
			return domain.Group{}, rest.Refuse(http.StatusConflict, "export_ended",
				fmt.Sprintf("There is nothing to delete: the export %s, and there is no file.", endedAs(x)))
		}
		if err != nil {
			return domain.Group{}, err
		}
		return domain.Group{Drafts: []domain.Draft{{
			Tenant: c.Tenant, Stream: x.Stream(), Expected: x.Version, By: c.By(), Cause: x.Created, Fact: fact,
		}}}, nil
	})
	if err != nil {
		return nil, err
	}
	c.Exports.Nudge()
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, nil
}

func endedAs(x *domain.Export) string {
	if x.Expired {
		return "expired"
	}
	return string(x.Status)
}

// exportFields are the members of documents that the table of columns describes.
func exportFields(what domain.ExportWhat) map[string]*huma.Schema {
	fields := make(map[string]*huma.Schema)
	for _, column := range domain.ExportColumns(what) {
		s := &huma.Schema{Description: column.Doc, Nullable: true}
		switch column.Type {
		case domain.TypeInteger:
			s.Type, s.Format = huma.TypeInteger, "int64"
		case domain.TypeBoolean:
			s.Type = huma.TypeBoolean
		case domain.TypeTimestamp:
			s.Type, s.Format = huma.TypeString, "date-time"
		case domain.TypeUUID:
			s.Type, s.Format = huma.TypeString, "uuid"
		case domain.TypeJSON: // any value
			s.Nullable = false
		default:
			s.Type = huma.TypeString
		}
		if column.Unit != "" {
			s.Extensions = map[string]any{"x-unit": column.Unit}
		}
		fields[column.Name] = s
	}
	return fields
}

// rowSchemas documents the rows of exports, made from the table of columns.
func rowSchemas(doc *huma.OpenAPI) {
	for _, what := range domain.ExportWhats() {
		required := make([]string, 0, 32)
		for _, column := range domain.ExportColumns(what) {
			required = append(required, column.Name)
		}
		slices.Sort(required)
		doc.Components.Schemas.Map()["Exported"+schemaNames[what]] = &huma.Schema{
			Type: huma.TypeObject, Properties: exportFields(what), Required: required,
			Description: "A row of an export of " + string(what) + " with all columns, as NDJSON has it.",
		}
	}
}
