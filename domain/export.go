package domain

import (
	"fmt"
	"slices"
	"time"
)

// ExportWhat is what an export has a row for.
type ExportWhat string

// What can be exported.
const (
	// ExportDeliveries has a row for each attempt of each delivery, and one for a delivery without attempts.
	ExportDeliveries    ExportWhat = "deliveries"
	ExportEvents        ExportWhat = "events"
	ExportConfiguration ExportWhat = "configuration" // a row for each change
	ExportLog           ExportWhat = "log"           // a row for each entry
)

// ExportWhats returns everything that can be exported, in the order of the documentation.
func ExportWhats() []ExportWhat {
	return []ExportWhat{ExportDeliveries, ExportEvents, ExportConfiguration, ExportLog}
}

// ExportFormat is the form of an export's file.
type ExportFormat string

// The formats.
const (
	FormatNDJSON  ExportFormat = "ndjson"
	FormatCSV     ExportFormat = "csv"
	FormatParquet ExportFormat = "parquet"
	FormatHTML    ExportFormat = "html" // a report for people, of deliveries only
)

// ExportCompression is how an export's file is compressed as a whole; empty: it isn't.
type ExportCompression string

// CompressionZstd compresses with Zstandard (RFC 8878), as a sequence of frames.
const CompressionZstd ExportCompression = "zstd"

// ExportQuery says what an export contains. Zero members don't restrict.
type ExportQuery struct {
	What        ExportWhat        `json:"what"`
	Format      ExportFormat      `json:"format"`
	Compression ExportCompression `json:"compression,omitempty"`
	Columns     []string          `json:"columns,omitempty"` // in this order; none: all, in the order of ExportColumns

	From  *Sequence `json:"from_sequence,omitempty"` // inclusive
	To    *Sequence `json:"to_sequence,omitempty"`   // exclusive
	Since time.Time `json:"from,omitzero"`           // recorded_at, inclusive
	Until time.Time `json:"to,omitzero"`             // recorded_at, exclusive

	Types        []Pattern      `json:"types,omitempty"`          // of deliveries and events: event types
	Endpoint     UUID           `json:"endpoint_id,omitzero"`     // of deliveries
	Subscription UUID           `json:"subscription_id,omitzero"` // of deliveries
	Status       DeliveryStatus `json:"status,omitempty"`         // of deliveries
	Kind         Kind           `json:"kind,omitempty"`           // of the log and of changes: a kind, or a prefix ending in ".*"
	Stream       string         `json:"stream,omitempty"`         // of the log and of changes: a Stream's name
	Actor        UUID           `json:"actor,omitzero"`           // of the log and of changes: a principal or a credential
}

// Bounds of what an export keeps, and for how long.
const (
	maxExportTypes = 100
	// MinExportKeep and MaxExportKeep bound how long an export's file is kept.
	MinExportKeep = time.Hour
	MaxExportKeep = 90 * 24 * time.Hour
	// DefaultExportKeep is how long an export's file is kept unless somebody chose otherwise.
	DefaultExportKeep = 7 * 24 * time.Hour
)

// Validate refuses a query that can't be exported. Fields are named as the API has them.
func (q *ExportQuery) Validate() error {
	if !slices.Contains(ExportWhats(), q.What) {
		return Invalid("what", "must be deliveries, events, configuration or log (access records and bundles can't be exported yet)")
	}
	switch q.Format {
	case FormatNDJSON, FormatCSV:
	case FormatParquet, FormatHTML:
		if q.Compression != "" {
			return Invalid("compression", "must be absent with %s: Parquet compresses by itself, and a report is read as it is", q.Format)
		}
	default:
		return Invalid("format", "must be ndjson, csv, parquet or html")
	}
	if q.Format == FormatHTML && (q.What != ExportDeliveries || len(q.Columns) > 0) {
		return Invalid("format", "html is a report of deliveries, which has no columns to choose")
	}
	if q.Compression != "" && q.Compression != CompressionZstd {
		return Invalid("compression", "must be zstd, or absent")
	}
	if err := q.validateColumns(); err != nil {
		return err
	}
	if err := q.validateRange(); err != nil {
		return err
	}
	return q.validateFilters()
}

func (q *ExportQuery) validateColumns() error {
	known := ExportColumns(q.What)
	for i, name := range q.Columns {
		if !slices.ContainsFunc(known, func(c ExportColumn) bool { return c.Name == name }) {
			return Invalid(fmt.Sprintf("columns[%d]", i), "must be a column of %s: /docs/exports.md lists them", q.What)
		}
		if slices.Contains(q.Columns[:i], name) {
			return Invalid(fmt.Sprintf("columns[%d]", i), "must not be given twice")
		}
	}
	return nil
}

func (q *ExportQuery) validateRange() error {
	if q.From != nil && *q.From < 0 {
		return Invalid("from_sequence", "must not be negative")
	}
	if q.To != nil && (*q.To < 0 || q.From != nil && *q.To < *q.From) {
		return Invalid("to_sequence", "must not be less than from_sequence")
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
		return Invalid("to", "must not be before from")
	}
	return nil
}

// validateFilters refuses filters that the exported rows don't know, rather than pass over them.
func (q *ExportQuery) validateFilters() error {
	deliveries := q.What == ExportDeliveries
	entries := q.What == ExportLog || q.What == ExportConfiguration
	for _, f := range []struct {
		field      string
		given, may bool
	}{
		{"types", len(q.Types) > 0, deliveries || q.What == ExportEvents},
		{"endpoint_id", !q.Endpoint.IsZero(), deliveries},
		{"subscription_id", !q.Subscription.IsZero(), deliveries},
		{"status", q.Status != "", deliveries},
		{"kind", q.Kind != "", entries},
		{"stream", q.Stream != "", entries},
		{"actor", !q.Actor.IsZero(), entries},
	} {
		if f.given && !f.may {
			return Invalid(f.field, "must be absent: %s have no such filter", q.What)
		}
	}
	if len(q.Types) > maxExportTypes {
		return Invalid("types", "must have at most %d patterns", maxExportTypes)
	}
	for i, p := range q.Types {
		if err := p.Validate(fmt.Sprintf("types[%d]", i)); err != nil {
			return err
		}
	}
	if q.Stream != "" {
		if _, err := ParseStream(q.Stream); err != nil {
			return Invalid("stream", "must be a kind and a UUID, such as endpoint/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70")
		}
	}
	switch q.Status {
	case "", DeliveryPending, DeliveryRetrying, DeliverySucceeded, DeliveryDead, DeliveryStatusCancelled:
		return nil
	}
	return Invalid("status", "must be pending, retrying, succeeded, dead or cancelled")
}

// Chosen returns the columns that the export has, in its order.
func (q *ExportQuery) Chosen() []ExportColumn {
	known := ExportColumns(q.What)
	if len(q.Columns) == 0 {
		return known
	}
	chosen := make([]ExportColumn, 0, len(q.Columns))
	for _, name := range q.Columns {
		if i := slices.IndexFunc(known, func(c ExportColumn) bool { return c.Name == name }); i >= 0 {
			chosen = append(chosen, known[i])
		}
	}
	return chosen
}

// ExportOrder is what was asked for. Together with the log up to Sequence it determines every byte of the export, until an
// erasure.
type ExportOrder struct {
	Query ExportQuery `json:"query"`
	// Sequence is the last entry of the tenant's log that the export reflects.
	Sequence Sequence `json:"sequence"`
	Keep     Duration `json:"keep"` // from its end on
}

// ExportCreated says that an export was asked for.
type ExportCreated struct {
	Order ExportOrder
}

// ExportFinished says that an export's file is complete, and until when it is kept.
type ExportFinished struct {
	Result ExportResult
}

// ExportResult is what an export came to.
type ExportResult struct {
	Files     []ExportFile `json:"files"`
	ExpiresAt time.Time    `json:"expires_at"`
	// Erased counts the rows of which some content was erased before they were written, Damaged those of which some content
	// doesn't open although its keys exist.
	Erased  int64 `json:"erased"`
	Damaged int64 `json:"damaged"`
	// Erasures are the entries, at most MaxExportErasures, with such erased content, in order.
	Erasures []Sequence `json:"erasures,omitempty"`
}

// MaxExportErasures bounds the erased entries that a manifest names; the others are counted.
const MaxExportErasures = 100

// ExportFile is one file of an export.
type ExportFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // hex
}

// ExportFailed says that an export won't be finished.
type ExportFailed struct {
	Code ExportProblem `json:"code"`
	Text string        `json:"text"` // for people, and what to do
}

// ExportProblem says why an export failed.
type ExportProblem string

// Why exports fail.
const (
	ExportQuotaExceeded ExportProblem = "quota_exceeded"
	ExportTooLarge      ExportProblem = "too_large"
	ExportUnreadable    ExportProblem = "unreadable"
	ExportStoreFailed   ExportProblem = "store_failed"
)

// ExportCancelled says that an export was called off before it was finished.
type ExportCancelled struct {
	Why ExportEnd `json:"why"`
}

// ExportEnd says why an export was cancelled, or isn't kept any more.
type ExportEnd string

// Why exports end.
const (
	ExportEndAsked ExportEnd = "asked" // somebody asked for it
	ExportEndTime  ExportEnd = "time"  // its time was over
)

// ExportDownloaded says that somebody was given an export's file, or a part of it. It is appended before the first byte
// leaves.
type ExportDownloaded struct {
	File  string `json:"file"`
	Range string `json:"range,omitempty"` // of the request; empty: the whole
}

// ExportExpired says that an export's file is kept no longer.
type ExportExpired struct {
	Why ExportEnd `json:"why"`
}

// ExportStatus is how far an export has come.
type ExportStatus string

// The statuses of an export as the log has them. One that is under way is queued; who does the work says so.
const (
	ExportQueued          ExportStatus = "queued"
	ExportRunning         ExportStatus = "running"
	ExportSucceeded       ExportStatus = "succeeded"
	ExportStatusFailed    ExportStatus = "failed"
	ExportStatusCancelled ExportStatus = "cancelled"
)

// Export is an export as the fold of its stream sees it.
type Export struct {
	ID        UUID
	Tenant    TenantID
	Order     ExportOrder
	By        Actor
	Reason    string
	Status    ExportStatus
	Result    ExportResult // once succeeded
	Failure   ExportFailed // once failed
	Expired   bool         // its file isn't kept any more
	Downloads int
	Created   Sequence
	CreatedAt time.Time
	EndedAt   time.Time // zero until it succeeded, failed or was cancelled
	Updated   Sequence
	Version   int // of its stream
}

// Stream is the export's.
func (x *Export) Stream() Stream { return Stream{StreamExport, x.ID} }

// Kept reports whether the export's file can be had.
func (x *Export) Kept() bool { return x.Status == ExportSucceeded && !x.Expired }

// Fold applies an entry of the export's stream. It reports an error, and changes nothing, for an entry that contradicts
// the state. An entry of which the content was destroyed changes what its kind alone says.
func (x *Export) Fold(e *Entry) error {
	if e.StreamVersion <= x.Version {
		return nil
	}
	if e.StreamVersion != x.Version+1 {
		return fmt.Errorf("export %s: version %d follows version %d", e.Stream.ID, e.StreamVersion, x.Version)
	}
	status := x.Status
	switch e.Kind {
	case KindExportCreated:
		x.ID, x.Tenant, x.By, x.Reason = e.Stream.ID, e.Tenant, e.By, e.Reason
		x.Created, x.CreatedAt, status = e.Sequence, e.RecordedAt, ExportQueued
		if f, ok := e.Fact.(*ExportCreated); ok {
			x.Order = f.Order
		}
	case KindExportFinished:
		if status = ExportSucceeded; x.Status != ExportQueued {
			return x.contradiction(e)
		}
		if f, ok := e.Fact.(*ExportFinished); ok {
			x.Result = f.Result
		} else {
			x.Expired = true // which file it was isn't known any more
		}
	case KindExportFailed:
		if status = ExportStatusFailed; x.Status != ExportQueued {
			return x.contradiction(e)
		}
		if f, ok := e.Fact.(*ExportFailed); ok {
			x.Failure = *f
		}
	case KindExportCancelled:
		if status = ExportStatusCancelled; x.Status != ExportQueued {
			return x.contradiction(e)
		}
	case KindExportDownloaded:
		x.Downloads++
	case KindExportExpired:
		if !x.Kept() {
			return x.contradiction(e)
		}
		x.Expired = true
	}
	if status != x.Status && status != ExportQueued {
		x.EndedAt = e.RecordedAt
	}
	x.Status, x.Version, x.Updated = status, e.StreamVersion, e.Sequence
	return nil
}

func (x *Export) contradiction(e *Entry) error {
	return fmt.Errorf("export %s: %s at sequence %d, but it was %s already", e.Stream.ID, e.Kind, e.Sequence, x.Status)
}

// FoldExports folds the streams of exports from their entries, which are in order of sequence, into one Export a stream, in
// order of creation.
func FoldExports(entries []Entry) ([]Export, error) {
	var exports []Export
	at := make(map[UUID]int)
	for i := range entries {
		e := &entries[i]
		n, ok := at[e.Stream.ID]
		if !ok {
			n = len(exports)
			at[e.Stream.ID] = n
			exports = append(exports, Export{})
		}
		if err := exports[n].Fold(e); err != nil {
			return nil, err
		}
	}
	return exports, nil
}

// CreateExport decides on an export of a log that ends at a sequence.
func CreateExport(q ExportQuery, last Sequence, keep time.Duration) (*ExportCreated, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if keep < MinExportKeep || keep > MaxExportKeep {
		return nil, Invalid("keep", "must be between %s and %s", MinExportKeep, MaxExportKeep)
	}
	return &ExportCreated{ExportOrder{Query: q, Sequence: last, Keep: Duration(keep)}}, nil
}

// Remove decides that an export isn't wanted any more: one that isn't finished is cancelled, of one that is, the file is
// deleted. ErrConflict: neither is left to do.
func (x *Export) Remove() (Fact, error) {
	switch {
	case x.Status == ExportQueued:
		return &ExportCancelled{ExportEndAsked}, nil
	case x.Kept():
		return &ExportExpired{ExportEndAsked}, nil
	}
	return nil, ErrConflict
}
