package reconcile

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// fate is what a test's own fold knows of a delivery.
type fate struct {
	endpoint domain.UUID
	status   string
	created  domain.Sequence
	name     string
	started  bool
	ended    int64
	unknown  int64
}

// TestWalk_IsAnIndependentFold: on random histories and for random periods the sums close, nothing stands apart, and
// all equals a fold by hand; with a list, what the receiver lacks, has twice and was never sent is what was left out of,
// repeated in and added to it.
func TestWalk_IsAnIndependentFold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		h := historytest.New(t, logtest.NewMemory(time.Now), memorytest.New())
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			h.Step()
		}
		tenant := h.Entries[len(h.Entries)-1].Tenant
		var entries []domain.Entry
		for _, e := range h.Entries {
			if e.Tenant == tenant {
				entries = append(entries, e)
			}
		}
		size := len(entries)
		request := domain.ReconciliationRequest{AsOf: domain.Sequence(rapid.IntRange(0, size-1).Draw(t, "as of"))}
		request.To = domain.Sequence(rapid.IntRange(0, int(request.AsOf)+1).Draw(t, "to"))
		request.From = domain.Sequence(rapid.IntRange(0, int(request.To)).Draw(t, "from"))

		fates, order := fold(entries, request.AsOf)
		if rapid.Bool().Draw(t, "one endpoint") && len(order) > 0 {
			request.Endpoint = fates[order[0]].endpoint
		}
		want, inPeriod := sumsOf(entries, fates, request)
		list, received := drawList(t, inPeriod)
		request.List = &domain.ReceivedList{}

		r := reconcilerOf(h, filepath.Join(dir, "works"))
		id := domain.NewUUID()
		if err := r.Reserve(tenant, id); err != nil {
			t.Fatal(err)
		}
		taken, err := r.Take(context.Background(), tenant, NDJSON, strings.NewReader(list))
		if err != nil || taken.Bytes != int64(len(list)) || taken.IDs != int64(strings.Count(list, "\n")) {
			t.Fatalf("%+v %v", taken, err)
		}
		got, err := r.find(context.Background(), r.of(tenant), request)
		r.Abandon(tenant)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Sums.Close() || got.ApartCount != 0 {
			t.Fatalf("%+v doesn't close: %+v", got.Sums, got.Apart)
		}
		if !reflect.DeepEqual(got.Sums, want) {
			t.Fatalf("sums %+v\nindependent fold %+v", got.Sums, want)
		}
		if !reflect.DeepEqual(*got.Received, received) {
			t.Fatalf("received %+v\nwant %+v\n%s", *got.Received, received, list)
		}
	})
}

func reconcilerOf(h *historytest.History, dir string) *Reconciler {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		panic(err)
	}
	return &Reconciler{
		config: Config{Log: logOf(h), Views: h.Views, Dir: dir, Logger: slog.New(slog.DiscardHandler), SpillBytes: 64},
		wake:   make(chan struct{}, 1), works: make(map[domain.TenantID]*work),
	}
}

// fold follows the deliveries of entries up to a sequence.
func fold(entries []domain.Entry, upTo domain.Sequence) (fates map[domain.UUID]*fate, order []domain.UUID) {
	fates = make(map[domain.UUID]*fate)
	names := make(map[domain.UUID]string)
	for _, e := range entries {
		if e.Sequence > upTo {
			break
		}
		var routing domain.Routing
		switch f := e.Fact.(type) {
		case *domain.EventAppended:
			routing = f.Routing
			names[e.Stream.ID] = e.Stream.ID.String()
			if f.Event.Source == "/tenants/"+string(e.Tenant) {
				names[e.Stream.ID] = f.Event.ID
			}
		case *domain.EventRouted:
			routing = f.Routing
		case *domain.AttemptStarted:
			fates[e.Stream.ID].started = true
		case *domain.AttemptFinished:
			d := fates[e.Stream.ID]
			d.status = string(f.Result.Status)
			d.ended++
			if f.Result.Outcome == domain.OutcomeUnknown {
				d.unknown++
			}
		case *domain.DeliveryCreated:
			fates[e.Stream.ID] = &fate{endpoint: f.Endpoint, status: "pending", created: e.Sequence, name: names[f.Event]}
			order = append(order, e.Stream.ID)
		case *domain.DeliveryRedriven, *domain.DeliveryResent:
			fates[e.Stream.ID].status = "retrying"
		case *domain.DeliveryCancelled:
			fates[e.Stream.ID].status = "cancelled"
		}
		for _, d := range routing.Deliveries {
			fates[d.ID] = &fate{endpoint: d.Endpoint, status: "pending", created: e.Sequence, name: names[e.Stream.ID], started: d.First != nil}
			order = append(order, d.ID)
		}
	}
	return fates, order
}

type named struct {
	id domain.UUID
	*fate
}

func sumsOf(entries []domain.Entry, fates map[domain.UUID]*fate, q domain.ReconciliationRequest) (s domain.ReconciliationSums, in []named) {
	for _, e := range entries[q.From:q.To] {
		var routing domain.Routing
		var verdicts domain.Verdicts
		requested := false
		switch f := e.Fact.(type) {
		case *domain.EventAppended:
			routing, verdicts = f.Routing, f.Verdicts
		case *domain.EventRouted:
			routing, verdicts = f.Routing, f.Verdicts
		case *domain.DeliveryCreated:
			requested, routing.Deliveries = true, []domain.RoutedDelivery{{ID: e.Stream.ID}}
		default:
			continue
		}
		routed, skipped := 0, 0
		for _, d := range routing.Deliveries {
			f := fates[d.ID]
			if !q.Endpoint.IsZero() && f.endpoint != q.Endpoint {
				continue
			}
			in = append(in, named{d.ID, f})
			if requested {
				s.Requested++
			} else {
				routed++
				s.Routed++
			}
			s.Attempts += f.ended
			s.Unknown += f.unknown
			switch f.status {
			case "succeeded":
				s.Delivered++
			case "dead":
				s.Dead++
			case "cancelled":
				s.Cancelled++
			default:
				s.Pending++
			}
		}
		for _, skip := range append(slices.Clone(routing.Skipped), verdicts.Skipped...) {
			if q.Endpoint.IsZero() || skip.Endpoint == q.Endpoint {
				if s.Skipped == nil {
					s.Skipped = make(map[domain.SkipReason]int64)
				}
				s.Skipped[skip.Reason]++
				skipped++
			}
		}
		if requested || e.Kind == domain.KindEventRouted {
			continue
		}
		s.Events++
		switch {
		case routed > 0:
			s.EventsRouted++
		case skipped > 0:
			s.EventsSkipped++
		default:
			s.EventsUnmatched++
		}
	}
	return s, in
}

// drawList draws what a receiver says that it has, and what is to be found in it.
func drawList(t *rapid.T, sent []named) (list string, want domain.ReceivedSums) {
	type known struct{ started, delivered bool }
	byName := make(map[string]*known)
	for _, d := range sent {
		if byName[d.name] == nil {
			byName[d.name] = new(known)
		}
		k := byName[d.name]
		k.started, k.delivered = k.started || d.started, k.delivered || d.status == "succeeded"
	}
	has := make(map[string]bool)
	line := int64(0)
	say := func(name string) {
		line++
		text, _ := json.Marshal(map[string]any{"id": name, "at": line})
		list += string(text) + "\n"
		if has[name] {
			want.Repeated = append(want.Repeated, line)
			want.RepeatedCount++
			return
		}
		has[name] = true
		want.Distinct++
		switch k := byName[name]; {
		case k == nil || !k.started:
			want.Unsent = append(want.Unsent, line)
			want.UnsentCount++
		case k.delivered:
			want.Both++
		default:
			want.Undelivered++
		}
	}
	for _, d := range sent {
		switch rapid.IntRange(0, 3).Draw(t, "receiver") {
		case 0: // lost it
		case 1:
			say(d.name)
			say(d.name)
		default:
			say(d.name)
		}
	}
	if rapid.Bool().Draw(t, "a stranger") {
		say("never-sent")
	}
	for _, d := range sent {
		if d.status == "succeeded" && !has[d.name] {
			want.Lacking = append(want.Lacking, d.id)
			want.LackingCount++
		}
	}
	// In order of creation; those of one entry, of id.
	at := func(id domain.UUID) domain.Sequence {
		return sent[slices.IndexFunc(sent, func(n named) bool { return n.id == id })].created
	}
	slices.SortFunc(want.Lacking, func(a, b domain.UUID) int {
		if at(a) != at(b) {
			return int(at(a) - at(b))
		}
		return slices.Compare(a[:], b[:])
	})
	return list, want
}

// entriesLog is the log of a history: reads of what it has appended.
type entriesLog struct {
	domain.Log
	entries []domain.Entry
}

func logOf(h *historytest.History) domain.Log { return entriesLog{entries: h.Entries} }

func (l entriesLog) Scan(_ context.Context, q domain.Query) (found []domain.Entry, next *domain.Sequence, err error) {
	for _, e := range l.entries {
		if e.Tenant == q.Tenant && (q.Stream == domain.Stream{} || e.Stream == q.Stream) && (q.From == nil || e.Sequence >= *q.From) && (q.To == nil || e.Sequence < *q.To) &&
			(q.Kind == "" || strings.HasPrefix(string(e.Kind), strings.TrimSuffix(string(q.Kind), "*"))) {
			if len(found) == q.Limit {
				return found, &e.Sequence, nil
			}
			found = append(found, e)
		}
	}
	return found, nil, nil
}

// TestWalk_Apart: what the views and the log have apart from one another is named.
func TestWalk_Apart(t *testing.T) {
	t.Parallel()
	views := memorytest.New()
	tenant, event, endpoint := domain.UUID{1}, domain.UUID{2}, domain.UUID{3}
	lost, kept := domain.UUID{4}, domain.UUID{5}
	entry := func(n domain.Sequence, kind domain.StreamKind, id domain.UUID, version int, fact domain.Fact) domain.Entry {
		return domain.Entry{
			Position: domain.Position(n + 1), Tenant: "acme", Sequence: n, Stream: domain.Stream{Kind: kind, ID: id}, StreamVersion: version,
			Kind: fact.Kind(), KindVersion: 1, Leaf: []byte("{}"), Fact: fact, RecordedAt: time.Unix(int64(n), 0).UTC(),
		}
	}
	routed := func(ids ...domain.UUID) domain.Routing {
		r := domain.Routing{Complete: true}
		for _, id := range ids {
			r.Deliveries = append(r.Deliveries, domain.RoutedDelivery{ID: id, Endpoint: endpoint})
		}
		return r
	}
	created := entry(0, domain.StreamTenant, tenant, 1, &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}})
	said := entry(1, domain.StreamEvent, event, 1, &domain.EventAppended{Routing: routed(lost)})
	folded := entry(1, domain.StreamEvent, event, 1, &domain.EventAppended{Routing: routed(kept)})
	damaged := entry(2, domain.StreamEvent, domain.UUID{9}, 1, &domain.EventAppended{})
	damaged.Fact, damaged.Damaged = nil, true
	asked := entry(3, domain.StreamDelivery, domain.UUID{6}, 1, &domain.DeliveryCancelled{})
	for _, e := range []domain.Entry{created, folded, damaged} {
		if err := projections.Apply(views, e); err != nil {
			t.Fatal(err)
		}
	}
	// A delivery that an entry of its own stream makes is no discrepancy.
	by := projections.OriginOf(asked)
	row := projections.Delivery{
		Delivery: domain.Delivery{ID: asked.Stream.ID, Tenant: "acme", Endpoint: endpoint, EventSequence: 1, Status: domain.DeliveryPending},
		Created:  by, Updated: by,
	}
	if err := errors.Join(views.PutDelivery(row, nil), views.Advance("acme", by)); err != nil {
		t.Fatal(err)
	}
	w := walk{
		log: entriesLog{entries: []domain.Entry{created, said, damaged, asked}}, views: views, tenant: "acme", done: new(atomic.Int64),
		request: domain.ReconciliationRequest{To: 4, AsOf: 3},
	}
	if err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []domain.Discrepancy{
		{Kind: domain.DiscrepancyNotInViews, Sequence: 1, Delivery: lost},
		{Kind: domain.DiscrepancyNotInLog, Sequence: 1, Delivery: kept},
		{Kind: domain.DiscrepancyUnreadable, Sequence: 2},
	}
	if !slices.Equal(w.result.Apart, want) || w.result.ApartCount != 3 || w.result.Sums.Close() || w.result.Sums.Requested != 1 {
		t.Errorf("%+v", w.result)
	}
}

// TestWalk_TooMuch: what would take more disk than one reconciliation may fails, and says what to do.
func TestWalk_TooMuch(t *testing.T) {
	t.Parallel()
	w := walk{tenant: "acme", most: 1, sent: newSpill(t.TempDir(), sentName, nil, 1<<10)}
	r := &logRange{names: map[domain.Sequence]string{1: "a"}}
	row := &projections.Delivery{Delivery: domain.Delivery{EventSequence: 1}}
	if err := w.spill(t.Context(), row, r); err != nil {
		t.Fatal(err)
	}
	var failed *failure
	if err := w.spill(t.Context(), row, r); !errors.As(err, &failed) || !strings.Contains(failed.problem, "shorter") {
		t.Error(err)
	}
}

// TestReadList reads the forms of a list, and says where one is wrong without saying what it has there.
func TestReadList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ contentType, list, want string }{
		{CSV, "id\na\nb\r\n\nc\n", "2 a,3 b,5 c"},
		{CSV, "\xef\xbb\xbfat,event_id,note\n1,a,\"x, \"\"y\"\"\"\n2,\"b\"\"\",\n", `2 a,3 b"`},
		{CSV, "", ""},
		{CSV, "name\na\n", "line 1: must be a header with a column id or event_id"},
		{CSV, "at,id\n1\n", "line 2: has fewer columns than the header"},
		{CSV, "id\n\"secret\n", "line 2: a quoted field must end in its line"},
		{CSV, "id\n\"secret\"x\n", "line 2: a comma must follow a quoted field"},
		{NDJSON, "\"a\"\n{\"id\":\"b\"}\n\n{\"event_id\":\"c\",\"n\":1}", "1 a,2 b,4 c"},
		{NDJSON, "\"a\"\nsecret\n", "line 2: must be a JSON string, or an object with a string in id or event_id"},
		{NDJSON, "{\"id\":\"a\",\"id\":\"b\"}\n", "line 1: must be a JSON string, or an object with a string in id or event_id"},
		{NDJSON, "{\"id\":\"\"}\n", "line 1: the id must be 1 to 256 visible ASCII characters"},
		{NDJSON, "\"a\"\n\"" + strings.Repeat("x", maxListLine) + "\"\n", "line 2: must have at most 65536 bytes"},
	} {
		var got []string
		err := readList(c.contentType, strings.NewReader(c.list), func(line int64, id string) error {
			got = append(got, fmt.Sprintf("%d %s", line, id))
			return nil
		})
		var invalid *domain.InvalidError
		if errors.As(err, &invalid) {
			got = []string{invalid.Text}
		} else if err != nil {
			t.Error(err)
		}
		if s := strings.Join(got, ","); s != c.want {
			t.Errorf("%s %.40q: %s, want %s", c.contentType, c.list, s, c.want)
		}
	}
}

// TestReconciler_Restart: what an earlier process left is begun again where the log has it without an end, and
// forgotten where it hasn't.
func TestReconciler_Restart(t *testing.T) {
	t.Parallel()
	log := logtest.NewMemory(time.Now)
	views := memorytest.New()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = views.Follow(ctx, log) }()
	config := Config{Log: log, Views: views, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), SpillBytes: 16}
	append1 := func(d domain.Draft) {
		t.Helper()
		d.Tenant, d.Expected = "acme", domain.AnyVersion
		if _, err := domain.AppendOne(t.Context(), log, domain.Group{Drafts: []domain.Draft{d}}); err != nil {
			t.Fatal(err)
		}
	}
	append1(domain.Draft{Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.UUID{1}}, Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}}})
	first, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	id := domain.NewUUID()
	if err := first.Reserve("acme", id); err != nil {
		t.Fatal(err)
	}
	if err := first.Reserve("acme", domain.NewUUID()); !errors.Is(err, domain.ErrConflict) {
		t.Errorf("a second one of the tenant: %v", err)
	}
	list, err := first.Take(t.Context(), "acme", CSV, strings.NewReader("id\na\nb\na\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Keep("acme"); err != nil {
		t.Fatal(err)
	}
	if err := first.Reserve("other", domain.NewUUID()); err != nil { // and killed before it was kept
		t.Fatal(err)
	}
	if err := first.Reserve("third", domain.NewUUID()); err != nil { // and killed before the append
		t.Fatal(err)
	}
	if err := first.Keep("third"); err != nil {
		t.Fatal(err)
	}
	stream := domain.Stream{Kind: domain.StreamReconciliation, ID: id}
	append1(domain.Draft{Stream: stream, Fact: &domain.ReconciliationCreated{Request: domain.ReconciliationRequest{To: 1, List: &list}}})

	second, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = second.Run(ctx); close(ended) }()
	var last []domain.Entry
	for len(last) == 0 || last[0].Kind != domain.KindReconciliationFinished {
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last, err = domain.Select(t.Context(), log, domain.Query{Tenant: "acme", Stream: stream, Descending: true, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if last[0].Kind != domain.KindReconciliationFinished {
			log.Await(t.Context(), head)
		}
	}
	result := last[0].Fact.(*domain.ReconciliationFinished).Result
	if result.Outcome != domain.ReconciliationSucceeded || result.Received == nil || result.Received.RepeatedCount != 1 || result.Received.UnsentCount != 2 ||
		!slices.Equal(result.Received.Repeated, []int64{4}) {
		t.Errorf("%+v", result)
	}
	for second.of("acme") != nil || second.of("third") != nil {
		runtime.Gosched()
	}
	stop()
	<-ended
	if left, err := os.ReadDir(config.Dir); err != nil || len(left) != 0 {
		t.Errorf("%v stays, %v", left, err)
	}
}

var many = flag.Int("ids", 0, "how many ids TestMatch_Many compares; it prints time and memory")

// TestMatch_Many compares a long list in bounded memory: with -ids=10000000, ten million.
func TestMatch_Many(t *testing.T) {
	t.Parallel()
	n := *many
	if n == 0 {
		n = 20_000
	}
	dir := t.TempDir()
	began := time.Now()
	received, sent := newSpill(dir, receivedName, []byte("key"), 8<<20), newSpill(dir, sentName, []byte("key"), 8<<20)
	if *many == 0 {
		received.most, sent.most = 4<<10, 4<<10
	}
	reader, writer := io.Pipe()
	go func() {
		for i := range n { // all but every thousandth, and one of a hundred thousand twice
			if i%1000 != 0 {
				_, _ = fmt.Fprintf(writer, "\"01939f2e-8a00-7c3d-9d4e-%012d\"\n", i)
			}
			if i%100_000 == 1 {
				_, _ = fmt.Fprintf(writer, "\"01939f2e-8a00-7c3d-9d4e-%012d\"\n", i)
			}
		}
		_ = writer.Close()
	}()
	var record []byte
	err := readList(NDJSON, reader, func(line int64, id string) error {
		return received.add(id, binary.AppendUvarint(record[:0], uint64(line)))
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		record = sentRecord(record, true, domain.Sequence(i), domain.UUID{byte(i)})
		if err := sent.add(fmt.Sprintf("01939f2e-8a00-7c3d-9d4e-%012d", i), record); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(received.flush(), sent.flush()); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2*spillFiles {
		t.Errorf("%d files, %v", len(files), err)
	}
	spilled := time.Since(began)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sums, longest, err := match(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if want := int64((n + 999) / 1000); sums.LackingCount != want || len(sums.Lacking) != int(min(want, domain.MaxDiscrepancies)) ||
		sums.UnsentCount != 0 || sums.RepeatedCount != int64((n+99_998)/100_000) || sums.Both != int64(n)-want {
		t.Errorf("%+v", sums)
	}
	if longest > n/spillFiles*2 {
		t.Errorf("one file has %d of %d ids", longest, n)
	}
	if *many > 0 {
		t.Logf("%d ids: spilled in %s, compared in %s; the process has taken %d MB from the system, %d MB of heap in use before the comparison",
			n, spilled, time.Since(began)-spilled, after.Sys>>20, before.HeapInuse>>20)
	}
}
