package export_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections/historytest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// record is a row as an auditor's own fold of the log has it: texts by column, those that are null left out.
type record map[string]string

// expected folds a tenant's entries into the rows of deliveries, with nothing of the product but its facts.
func expected(entries []domain.Entry, tenant domain.TenantID, order domain.ExportOrder) []record {
	type attempt struct {
		row  record
		open bool
	}
	type delivery struct {
		row      record
		attempts []attempt
		made     domain.Sequence
		status   domain.DeliveryStatus
		endpoint domain.UUID
		typ      domain.EventType
	}
	deliveries, list := make(map[domain.UUID]*delivery), []*delivery(nil)
	events := make(map[domain.UUID]*domain.Entry)
	create := func(id, endpoint domain.UUID, subscriptions []domain.SubscriptionMatch, of domain.UUID, e *domain.Entry, n int) *delivery {
		attributes := events[of].Fact.(*domain.EventAppended).Event
		var ids []string
		for _, s := range subscriptions {
			ids = append(ids, fmt.Sprintf("%q", s.ID))
		}
		d := &delivery{made: e.Sequence, status: domain.DeliveryPending, endpoint: endpoint, typ: attributes.Type, row: record{
			"delivery_id": id.String(), "event_id": attributes.ID, "event_internal_id": of.String(),
			"event_sequence": fmt.Sprint(events[of].Sequence), "event_type": string(attributes.Type),
			"endpoint_id": endpoint.String(), "subscription_ids": "[" + strings.Join(ids, ",") + "]",
			"created_at": domain.FormatTime(e.RecordedAt), "created_sequence": fmt.Sprint(e.Sequence), "erased": "false",
			"next_attempt_at": domain.FormatTime(e.RecordedAt),
		}}
		deliveries[id] = d
		at := len(list) // of one entry's deliveries, those with lower ids come first
		for at > len(list)-n && strings.Compare(list[at-1].row["delivery_id"], d.row["delivery_id"]) > 0 {
			at--
		}
		list = append(list[:at], append([]*delivery{d}, list[at:]...)...)
		return d
	}
	begin := func(d *delivery, e *domain.Entry, f *domain.AttemptStarted) {
		d.attempts = append(d.attempts, attempt{record{
			"attempt_number": fmt.Sprint(f.Number), "attempt_started_at": domain.FormatTime(e.RecordedAt),
			"attempt_started_sequence": fmt.Sprint(e.Sequence), "attempt_profile_digest": f.ProfileDigest,
		}, true})
		delete(d.row, "next_attempt_at")
	}
	end := func(d *delivery, e *domain.Entry, s domain.DeliveryStatus) {
		ends := s == domain.DeliverySucceeded || s == domain.DeliveryDead || s == domain.DeliveryStatusCancelled
		if !ends {
			delete(d.row, "ended_at")
			delete(d.row, "ended_sequence")
		} else if d.row["ended_at"] == "" {
			d.row["ended_at"], d.row["ended_sequence"] = domain.FormatTime(e.RecordedAt), fmt.Sprint(e.Sequence)
		}
		d.status = s
	}
	for i := range entries {
		e := &entries[i]
		if e.Tenant != tenant || e.Sequence > order.Sequence {
			continue
		}
		var routing domain.Routing
		switch f := e.Fact.(type) {
		case *domain.EventAppended:
			events[e.Stream.ID], routing = e, f.Routing
		case *domain.EventRouted:
			routing = f.Routing
		case *domain.AttemptStarted:
			begin(deliveries[e.Stream.ID], e, f)
		case *domain.AttemptFinished:
			d, r := deliveries[e.Stream.ID], f.Result
			a := &d.attempts[len(d.attempts)-1]
			a.open = false
			a.row["attempt_outcome"], a.row["attempt_status_code"] = string(r.Outcome), fmt.Sprint(r.StatusCode)
			a.row["attempt_duration_us"], a.row["attempt_finished_at"] = fmt.Sprint(r.DurationUS), domain.FormatTime(r.FinishedAt)
			a.row["attempt_finished_sequence"] = fmt.Sprint(e.Sequence)
			a.row["attempt_request_bytes"], a.row["attempt_answer_bytes"] = fmt.Sprint(r.RequestBytes), fmt.Sprint(r.AnswerBytes)
			a.row["attempt_url"], a.row["attempt_body_sha256"] = r.Request.URL, r.Request.BodySHA256
			end(d, e, r.Status)
			if !r.NextAttemptAt.IsZero() {
				d.row["next_attempt_at"] = domain.FormatTime(r.NextAttemptAt)
			}
			if r.Status != domain.DeliveryStatusCancelled {
				delete(d.row, "cancel_reason")
			}
		case *domain.DeliveryRedriven:
			d := deliveries[e.Stream.ID]
			end(d, e, domain.DeliveryRetrying)
			d.row["next_attempt_at"] = domain.FormatTime(f.NextAttemptAt)
		case *domain.DeliveryCreated:
			create(e.Stream.ID, f.Endpoint, nil, f.Event, e, 0)
		case *domain.DeliveryResent:
			d := deliveries[e.Stream.ID]
			end(d, e, domain.DeliveryRetrying)
			if f.Attempts == 0 {
				d.status = domain.DeliveryPending
			}
			d.row["next_attempt_at"] = domain.FormatTime(f.NextAttemptAt)
			delete(d.row, "cancel_reason")
		case *domain.DeliveryRescheduled:
			deliveries[e.Stream.ID].row["next_attempt_at"] = domain.FormatTime(f.NextAttemptAt)
		case *domain.DeliveryCancelled:
			d := deliveries[e.Stream.ID]
			end(d, e, domain.DeliveryStatusCancelled)
			d.row["cancel_reason"] = string(f.Reason)
			delete(d.row, "next_attempt_at")
		}
		for n, r := range routing.Deliveries {
			d := create(r.ID, r.Endpoint, r.Subscriptions, e.Stream.ID, e, n)
			if r.First != nil {
				begin(d, e, r.First)
			}
		}
	}
	var rows []record
	q := order.Query
	for _, d := range list {
		if q.From != nil && d.made < *q.From || q.To != nil && d.made >= *q.To || q.Status != "" && d.status != q.Status ||
			!q.Endpoint.IsZero() && d.endpoint != q.Endpoint || len(q.Types) > 0 && !q.Types[0].Matches(d.typ) {
			continue
		}
		d.row["status"], d.row["attempts"] = string(d.status), fmt.Sprint(len(d.attempts))
		if len(d.attempts) == 0 {
			rows = append(rows, d.row)
		}
		for _, a := range d.attempts {
			for name, value := range d.row {
				a.row[name] = value
			}
			rows = append(rows, a.row)
		}
	}
	return rows
}

// readNDJSON reads rows back; every column must be there.
func readNDJSON(t testing.TB, text []byte, columns int) (rows []record) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var cells map[string]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &cells); err != nil || len(cells) != columns {
			t.Fatalf("%d columns, want %d: %v in %s", len(cells), columns, err, lines.Text())
		}
		r := make(record)
		for name, raw := range cells {
			var s string
			switch {
			case string(raw) == "null":
			case json.Unmarshal(raw, &s) == nil:
				r[name] = s
			default:
				r[name] = string(raw)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// readCSV reads rows back by the standard library's reader.
func readCSV(t testing.TB, text []byte) (rows []record) {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%d lines: %v", len(lines), err)
	}
	for _, line := range lines[1:] {
		r := make(record)
		for i, name := range lines[0] {
			if line[i] != "" {
				r[name] = line[i]
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// readParquet reads rows back by the library's reader of unknown schemas.
func readParquet(t testing.TB, b []byte) (rows []record) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	columns := domain.ExportColumns(domain.ExportDeliveries)
	for i, c := range f.Schema().Columns() {
		if c[0] != columns[i].Name {
			t.Fatalf("column %d is %s, want %s", i, c[0], columns[i].Name)
		}
	}
	reader := parquet.NewReader(f)
	buffer := make([]parquet.Row, 7)
	for {
		n, err := reader.ReadRows(buffer)
		for _, row := range buffer[:n] {
			r := make(record)
			for _, v := range row {
				switch c := columns[v.Column()]; {
				case v.IsNull():
				case c.Type == domain.TypeTimestamp:
					r[c.Name] = domain.FormatTime(time.UnixMicro(v.Int64()))
				case c.Type == domain.TypeInteger:
					r[c.Name] = fmt.Sprint(v.Int64())
				case c.Type == domain.TypeBoolean:
					r[c.Name] = fmt.Sprint(v.Boolean())
				default:
					r[c.Name] = string(v.ByteArray())
				}
			}
			rows = append(rows, r)
		}
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t testing.TB, form string, got, want []record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d rows, want %d", form, len(got), len(want))
	}
	for i := range want {
		for _, c := range domain.ExportColumns(domain.ExportDeliveries) {
			if got[i][c.Name] != want[i][c.Name] {
				t.Fatalf("%s, row %d: %s is %q, want %q\n%v", form, i, c.Name, got[i][c.Name], want[i][c.Name], want[i])
			}
		}
	}
}

// TestExport_Deliveries compares what is exported of random histories, as of any sequence, with an independent fold of the
// log, in every format; and the file of a writer that was stopped after any page with that of one that wasn't.
func TestExport_Deliveries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		log := memoryLog{logtest.NewMemory(nil)}
		views := memorytest.New()
		h := historytest.New(rt, log, views)
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			h.Step()
		}
		last := h.Entries[len(h.Entries)-1]
		tenant := rapid.SampledFrom(h.Entries).Draw(rt, "entry").Tenant
		for _, e := range h.Entries {
			if e.Tenant == tenant {
				last = e
			}
		}
		order := domain.ExportOrder{Sequence: domain.Sequence(rapid.Int64Range(0, int64(last.Sequence)).Draw(rt, "as of"))}
		order.Query = drawQuery(rt, h.Entries, order.Sequence)
		want := expected(h.Entries, tenant, order)
		small := export.Small(rapid.IntRange(1, 5).Draw(rt, "page"), rapid.IntRange(1, 9).Draw(rt, "step"), 500)
		otherwise := export.Small(rapid.IntRange(1, 5).Draw(rt, "other page"), rapid.IntRange(1, 9).Draw(rt, "other step"), 500)
		for _, format := range formats() {
			order.Query.Format = format
			x := &domain.Export{ID: domain.NewUUID(), Tenant: tenant, Order: order}
			made, text := write(t, log, views, x, dir, export.Usual())
			if made.Bytes != int64(len(text)) || made.Rows != int64(len(want)) {
				t.Fatalf("%d rows, %d bytes; want %d, %d", made.Rows, made.Bytes, len(want), len(text))
			}
			if format == domain.FormatHTML {
				compareReport(t, string(text), want)
			} else {
				compare(t, string(format), readBack(t, format, text), want)
			}
			x.ID = domain.NewUUID()
			if _, again := write(t, log, views, x, dir, small); !bytes.Equal(again, text) {
				t.Fatalf("%s in small steps differs:\n%s\n%s", format, again, text)
			}
			if format != domain.FormatNDJSON && format != domain.FormatCSV {
				continue
			}
			x.Order.Query.Compression = domain.CompressionZstd
			x.ID = domain.NewUUID()
			_, whole := write(t, log, views, x, dir, small)
			if plain := unzstd(t, whole); !bytes.Equal(plain, text) {
				t.Fatalf("%s compressed holds\n%s\nwant\n%s", format, plain, text)
			}
			x.ID = domain.NewUUID()
			if stopped := interrupted(rt, log, views, x, dir, otherwise); !bytes.Equal(stopped, whole) {
				t.Fatalf("%s, written with interruptions, differs", format)
			}
		}
	})
}

// formats are those that rows are read back of.
func formats() []domain.ExportFormat {
	return []domain.ExportFormat{domain.FormatNDJSON, domain.FormatCSV, domain.FormatParquet, domain.FormatHTML}
}

func readBack(t testing.TB, format domain.ExportFormat, text []byte) []record {
	t.Helper()
	switch format {
	case domain.FormatNDJSON:
		return readNDJSON(t, text, len(domain.ExportColumns(domain.ExportDeliveries)))
	case domain.FormatCSV:
		return readCSV(t, text)
	case domain.FormatParquet:
		return readParquet(t, text)
	}
	t.Fatalf("no reader of %s", format)
	return nil
}

func drawQuery(t *rapid.T, entries []domain.Entry, most domain.Sequence) domain.ExportQuery {
	q := domain.ExportQuery{What: domain.ExportDeliveries}
	sequence := rapid.Int64Range(0, int64(most)+1)
	switch rapid.IntRange(0, 5).Draw(t, "filter") {
	case 0:
		from, to := domain.Sequence(sequence.Draw(t, "from")), domain.Sequence(sequence.Draw(t, "to"))
		q.From, q.To = &from, &to
	case 1:
		q.Status = rapid.SampledFrom([]domain.DeliveryStatus{domain.DeliveryDead, domain.DeliveryRetrying}).Draw(t, "status")
	case 2:
		q.Types = []domain.Pattern{"offer.*"}
	case 3:
		for _, e := range entries {
			if e.Stream.Kind == domain.StreamEndpoint {
				q.Endpoint = e.Stream.ID
			}
		}
	}
	return q
}

var errStopped = errors.New("stopped")

// write writes an export and returns what the file holds.
func write(t testing.TB, log export.Log, views *memorytest.Memory, x *domain.Export, dir string, size export.Steps) (export.Written, []byte) {
	t.Helper()
	at := dir + "/" + x.ID.String()
	made, err := export.Write(context.Background(), log, views, x, at, size, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	return made, text
}

// interrupted writes an export by writers of which all but the last are stopped after some pages, as if they were killed.
func interrupted(t *rapid.T, log export.Log, views *memorytest.Memory, x *domain.Export, dir string, size export.Steps) []byte {
	at := dir + "/" + x.ID.String()
	for tries := 1; ; tries++ {
		pages := tries + rapid.IntRange(0, 3).Draw(t, "pages") // in the end it gets as far as the next state that is kept
		made, err := export.Write(context.Background(), log, views, x, at, size, func() error {
			if pages--; pages == 0 {
				return errStopped
			}
			return nil
		})
		if errors.Is(err, errStopped) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(made.Path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func unzstd(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := r.DecodeAll(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
