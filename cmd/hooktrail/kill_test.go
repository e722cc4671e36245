package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStory_KillInMidDelivery: kill -9 at random moments, with appends in flight and with requests whose answer is
// still out, loses nothing accepted, marks what is unknown, and afterwards the receiver's own list of requests equals
// the log's attempts in both directions.
func TestStory_KillInMidDelivery(t *testing.T) {
	t.Parallel()
	const kills, producers = 3, 4
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 2))

	p := newStandalone(t)
	p.start()
	holder := &holdingReceiver{}
	holder.received = newReceiver(t, func(n int) int {
		if n%10 == 3 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	holder.server.Config.Handler = holder
	holder.hold.Store(2)
	p.endpointTo(
		holder.server.URL,
		map[string]any{ // what is held must not time out before the kill, on a slow machine either
			"concurrency": 16,
			"timeout":     "120s",
			"retry":       map[string]any{"schedule": []string{"200ms", "200ms", "200ms", "1s", "2s", "4s"}},
		},
	)

	work := newProducers(p.client())
	appending, stop := context.WithCancel(t.Context())
	defer stop()
	for i := range producers {
		work.Go(func() { work.run(appending, i) })
	}
	for range kills {
		enough := work.accepted.Load() + int64(20+moments.IntN(60))
		work.limit.Store(
			enough + 50,
		) // however long the take-over takes: every tenth delivery is refused at first, which slows down
		eventually(t, 30*time.Second, "requests are held and events accepted", func() bool {
			return holder.held.Load() > 0 && work.accepted.Load() >= enough
		})
		<-time.After(time.Duration(moments.IntN(20_000)) * time.Microsecond) // anywhere within what goes on
		p.kill()
		eventually(t, 10*time.Second, "held requests are gone", func() bool { return holder.held.Load() == 0 })
		holder.hold.Store(2)
		p.start()
	}
	holder.hold.Store(0)
	holder.letGo()
	stop()
	work.Wait()

	events := p.checkAppended(work)
	eventually(t, time.Minute, "every delivery ended", func() bool {
		all := p.deliveries()
		for _, d := range all {
			if d.Status != "succeeded" {
				return false
			}
		}
		return len(all) == events
	})
	unknown := p.checkAttempts(holder.all())
	if unknown < kills {
		t.Errorf("%d attempts are unknown; a request was held at each of %d kills", unknown, kills)
	}
	p.stop()
	p.verify()
}

// holdingReceiver keeps some answers back until their connection dies, so that a kill surely makes attempts unknown.
type holdingReceiver struct {
	*received
	hold, held atomic.Int64 // how many more to hold; how many are
	mu         sync.Mutex   // guards free
	free       []chan struct{}
}

// ServeHTTP implements http.Handler.
func (h *holdingReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.hold.Add(-1) < 0 {
		h.received.ServeHTTP(w, r)
		return
	}
	free := make(chan struct{})
	h.mu.Lock()
	h.free = append(h.free, free)
	h.mu.Unlock()
	status := h.note(r, nil) // before it is held
	h.held.Add(1)
	defer h.held.Add(-1)
	select {
	case <-free:
	case <-r.Context().Done():
	}
	w.WriteHeader(status)
}

// letGo answers what is still held.
func (h *holdingReceiver) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, free := range h.free {
		close(free)
	}
	h.free = nil
}

// producers append events under ids of their own choice and remember every answer.
type producers struct {
	sync.WaitGroup
	client   *apiClient
	accepted atomic.Int64
	limit    atomic.Int64 // up to how many accepted events they append
	mu       sync.Mutex   // guards all below
	sent     map[string]bool
	promised map[string]bool // answered with 201, or with 200 when repeated
	wrong    []string        // answers that nothing explains
}

func newProducers(client *apiClient) *producers {
	return &producers{client: client, sent: map[string]bool{}, promised: map[string]bool{}}
}

// run appends until ctx ends. Producers with even numbers repeat what had no answer, the others leave it at that.
func (w *producers) run(ctx context.Context, number int) {
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		<-pace.C
		if w.accepted.Load() >= w.limit.Load() {
			continue
		}
		id := fmt.Sprintf("producer-%d-%d", number, n)
		w.note(func() { w.sent[id] = true })
		body := fmt.Sprintf(`{"id":%q,"type":"story.event","data":{"n":%d}}`, id, n)
		for repeated := false; ; repeated = true {
			answered := w.append(ctx, id, body, repeated)
			if answered || ctx.Err() != nil {
				break
			}
			if w.client.awaitReady(ctx) != nil || number%2 == 1 {
				break
			}
		}
	}
}

// append sends one event to its end, also when ctx ends meanwhile, and says whether there was an answer.
func (w *producers) append(ctx context.Context, id, body string, repeated bool) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	resp, err := w.client.send(ctx, "POST", "/v1/tenants/default/events", strings.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusCreated, repeated && resp.StatusCode == http.StatusOK:
		w.note(func() { w.promised[id] = true })
		w.accepted.Add(1)
		return true
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return false
	}
	w.note(func() { w.wrong = append(w.wrong, fmt.Sprintf("%s: %s", id, problemOf(resp))) })
	return true
}

func (w *producers) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
}

// checkAppended compares the log's events with what producers were told, and returns how many there are.
func (p *program) checkAppended(w *producers) int {
	p.t.Helper()
	for _, text := range w.wrong {
		p.t.Errorf("an unexpected answer: %s", text)
	}
	inLog := map[string]int{}
	for _, e := range p.logEntries("&kind=event.appended") {
		var event struct{ ID string }
		if err := json.Unmarshal(e.Data["identity"], &event); err != nil {
			p.t.Fatalf("entry %d: %v", e.Sequence, err)
		}
		inLog[event.ID]++
	}
	for id, n := range inLog {
		if n != 1 || !w.sent[id] {
			p.t.Errorf("the log has %s %d times; it was sent: %v", id, n, w.sent[id])
		}
	}
	for id := range w.promised {
		if inLog[id] == 0 {
			p.t.Errorf("%s was accepted and isn't in the log", id)
		}
	}
	p.t.Logf("%d events sent, %d accepted, %d in the log", len(w.sent), len(w.promised), len(inLog))
	return len(inLog)
}

// request is what identifies one HTTP request on both sides.
type request struct{ event, body, timestamp, status string }

type attemptRow struct {
	Number     int
	Outcome    string
	StatusCode int `json:"status_code"`
	Request    struct {
		BodySHA256 string `json:"body_sha256"`
		Headers    map[string]string
	}
}

// checkAttempts compares the receiver's list with the log's attempts: each attempt with an outcome reached the receiver
// as exactly that request, and what the receiver got besides is no more than the event's unknown attempts. It returns
// how many are unknown.
func (p *program) checkAttempts(requests []receivedRequest) (unknown int) {
	p.t.Helper()
	got := map[request]int{}
	for _, r := range requests {
		sum := sha256.Sum256([]byte(r.Body))
		got[request{r.ID, hex.EncodeToString(sum[:]), r.Timestamp, fmt.Sprint(r.Status)}]++
	}
	logged, unknowns, attempts := map[request]int{}, map[string]int{}, 0
	for _, d := range p.deliveries() {
		var page struct{ Items []attemptRow }
		p.do("GET", "/v1/tenants/default/deliveries/"+d.ID+"/attempts", nil, &page)
		if len(page.Items) != d.Attempts {
			p.t.Errorf("delivery %s has %d attempts and lists %d", d.ID, d.Attempts, len(page.Items))
		}
		for i, a := range page.Items {
			attempts++
			switch {
			case a.Number != i+1 || a.Outcome == "":
				p.t.Errorf("delivery %s: attempt %d has the number %d and the outcome %q", d.ID, i+1, a.Number, a.Outcome)
			case a.Outcome == "unknown":
				unknowns[d.EventID]++
				unknown++
			default:
				logged[request{d.EventID, a.Request.BodySHA256, a.Request.Headers["webhook-timestamp"], fmt.Sprint(a.StatusCode)}]++
			}
		}
	}
	beyond := maps.Clone(unknowns)
	for r, n := range got {
		beyond[r.event] -= max(0, n-logged[r])
	}
	for event, left := range beyond {
		if left < 0 {
			p.t.Errorf(
				"the receiver got %d requests of %s that the log doesn't know (%d are unknown)",
				unknowns[event]-left,
				event,
				unknowns[event],
			)
		}
	}
	for r, n := range logged {
		if got[r] < n {
			p.t.Errorf("the log has %d attempts %+v, the receiver got %d", n, r, got[r])
		}
	}
	p.t.Logf("%d attempts, %d unknown, %d requests", attempts, unknown, len(requests))
	return unknown
}
