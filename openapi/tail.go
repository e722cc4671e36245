package openapi

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// How the tail of a log is sent.
const (
	tailPage      = 256
	tailHeartbeat = 15 * time.Second
	tailWrite     = 10 * time.Second // a client that takes longer is gone
)

type tailLogIn struct {
	rest.TenantPath
	LogFilter
	LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"The last sequence that was received: the stream goes on behind it." example:"41"`
}

// tailLog streams entries as they are appended (Server-Sent Events), by hand: ids are sequences, and 0 is one of them.
func tailLog(ctx context.Context, c *call, in *tailLogIn) (*huma.StreamResponse, error) {
	q, err := in.query(c.Tenant)
	if err != nil {
		return nil, err
	}
	head, err := rest.Head(ctx, c.Request, c.Tenant)
	if err != nil {
		return nil, err
	}
	next := head + 1
	switch {
	case in.LastEventID != "":
		n, err := strconv.ParseInt(in.LastEventID, 10, 64)
		if err != nil || n < 0 {
			return nil, rest.Invalid("header.Last-Event-ID", "is a sequence of the tenant's log")
		}
		next = domain.Sequence(n) + 1
	case q.From != nil:
		next = *q.From
	}
	q.From, q.Limit, q.Bytes = &next, tailPage, rest.PageStep
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		t := tail{c: c, w: w, rc: http.NewResponseController(w), query: q, next: next, some: q.Kind != "" ||
			q.Stream != (domain.Stream{}) || !q.Actor.IsZero()}
		t.run(hc.Context())
	}}, nil
}

// tail is one stream to one client.
type tail struct {
	c     *call
	w     http.ResponseWriter
	rc    *http.ResponseController
	query domain.Query
	next  domain.Sequence // from which to look
	some  bool            // the query leaves entries out
	wrote time.Time
}

// run ends when the client goes, the log can't be read, or the key opens no more; the client comes back with the last
// id.
func (t *tail) run(ctx context.Context) {
	header := t.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // a proxy that buffers would hold entries back
	// A client that is cut off before the first entry comes back with this as the last id.
	if t.next > 0 {
		header.Set("Hooktrail-Sequence", rest.SequenceText(t.next-1))
	}
	t.w.WriteHeader(http.StatusOK)
	if !t.send([]byte(": the log of " + string(t.c.Tenant) + "\n\n")) {
		return
	}
	for ctx.Err() == nil && t.c.StillOpens() && t.tenantThere() {
		before, err := t.c.Log.Head(ctx)
		if err != nil {
			return
		}
		more, ok := t.page(ctx)
		if !ok {
			return
		}
		if more {
			continue
		}
		if time.Since(t.wrote) >= tailHeartbeat && !t.send([]byte(": still here\n\n")) {
			return
		}
		rest.Pause(ctx)
		t.c.Log.Await(ctx, before)
	}
}

// tailBehind is how far a stream with filters may be behind the log's end before reading on is a search like others.
const tailBehind = 1000

// page sends what there is, at most tailPage entries; more reports whether there is more already. Where there is no room
// for it at the moment, nothing is sent.
func (t *tail) page(ctx context.Context) (more, ok bool) {
	var scanned domain.Sequence
	if t.some {
		head, err := rest.Head(ctx, t.c.Request, t.c.Tenant)
		if err != nil {
			return false, false
		}
		scanned = head + 1
		if head-t.next > tailBehind {
			leave, err := rest.Scan(t.c.Request)
			if err != nil {
				rest.Pause(ctx)
				return true, true
			}
			defer leave()
		}
	}
	if !t.c.Hold.Grow(rest.PageStart) {
		rest.Pause(ctx)
		return true, true
	}
	defer t.c.Hold.Shrink(rest.PageStart)
	from := t.next // the query keeps a pointer
	t.query.From = &from
	entries, next, err := t.c.Log.Scan(ctx, t.query)
	if err != nil {
		return false, false
	}
	for i := range entries {
		e := &entries[i]
		data, err := showEntry(nil, e)
		if err != nil {
			t.c.Logger.LogAttrs(ctx, slog.LevelError, "an entry can't be shown",
				slog.String("operation", t.c.Operation), slog.Any("error", err))
			return false, false
		}
		b := strconv.AppendInt([]byte("id: "), int64(e.Sequence), 10)
		b = append(append(append(b, "\nevent: "...), e.Kind...), "\ndata: "...)
		if !t.send(append(append(b, oneLine(data)...), "\n\n"...)) {
			return false, false
		}
		t.next = e.Sequence + 1
	}
	if next != nil {
		t.next = *next
	} else if t.some {
		t.next = max(t.next, scanned) // what didn't match isn't gone through again
	}
	return next != nil, true
}

// oneLine takes line breaks out of an event's data: between JSON's tokens they mean nothing, and texts can't
// contain any.
func oneLine(b []byte) []byte {
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return b
}

// send writes within a deadline; it reports whether the client is still there.
func (t *tail) send(b []byte) bool {
	_ = t.rc.SetWriteDeadline(time.Now().Add(tailWrite)) // not every writer has deadlines; then the write alone tells
	if _, err := t.w.Write(b); err != nil {
		return false
	}
	t.wrote = time.Now()
	return t.rc.Flush() == nil
}

// tenantThere reports whether the tenant isn't deleted: a key of the instance outlives it.
func (t *tail) tenantThere() bool {
	_, ok := t.c.Directory.Tenant(t.c.Tenant)
	return ok || t.c.Tenant == domain.InstanceTenant
}
