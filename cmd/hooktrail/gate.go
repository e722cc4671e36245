package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// answerBound is how long a request may take from its header to the end of its answer: longer than any read waits
// (`Prefer: wait`) and a body may take to arrive.
const answerBound = 2 * time.Minute

// requestBound is how long API requests may still take once the server stops.
const requestBound = 5 * time.Second

// gate answers at the API's address from the moment the port is open until the process ends: a client that connects
// while nothing accepts hangs, and so does what asks for /livez. Behind it is the API, or why there is none yet. It is
// safe for concurrent use.
type gate struct {
	address     string
	web         *http.Server
	endRequests context.CancelFunc
	ended       chan error // gets why nothing is answered any more

	mu     sync.RWMutex // guards all below
	behind http.Handler
	opened bool // behind is the API
	shut   bool // for good
}

// newGate answers requests from now on: with 503, as refuse has it. Requests outlive ctx: an append under way is to be
// answered.
func newGate(ctx context.Context, l net.Listener, connections int, log *slog.Logger, reason string) *gate {
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	g := &gate{address: l.Addr().String(), endRequests: endRequests, ended: make(chan error, 1)}
	g.refuse(reason)
	clients := newClientListener(l, connections)
	g.web = &http.Server{
		ConnState:   clients.note,
		BaseContext: func(net.Listener) context.Context { return requests },
		// An answer ends in time for clients that don't read it, too; what takes longer, such as following the log, sets
		// deadlines of its own.
		Handler: g, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, WriteTimeout: answerBound,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() { g.ended <- fmt.Errorf("serve the API: %w", g.web.Serve(clients)) }()
	return g
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.RLock()
	behind := g.behind
	g.mu.RUnlock()
	behind.ServeHTTP(w, r)
}

// refuse answers everything but /livez with 503 and the reason, sentences that anybody may read.
func (g *gate) refuse(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.behind, g.opened = closedHandler(reason), false
}

// refuseForGood does so until the process ends, and breaks off the API's requests under way.
func (g *gate) refuseForGood(reason string) {
	g.mu.Lock()
	g.behind, g.opened, g.shut = closedHandler(reason), false, true
	g.mu.Unlock()
	g.endRequests()
}

// open has the API answer, unless the gate was shut for good meanwhile; it reports whether the API does.
func (g *gate) open(api http.Handler) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.behind, g.opened = api, true
	}
	return g.opened
}

// part has /readyz say that this node stops, while all else is answered as before. It does nothing unless the API is
// open, and reports whether it is.
func (g *gate) part() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.opened {
		return false
	}
	api, stops := g.behind, unavailable("not_ready", "This node is about to stop.")
	g.behind = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			stops(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
	return true
}

// close lets requests under way finish, within a bound. Who follows the log is let go halfway.
func (g *gate) close(log *slog.Logger) error {
	defer g.endRequests()
	bound, cancel := context.WithTimeout(context.Background(), requestBound)
	defer cancel()
	defer time.AfterFunc(requestBound/2, g.endRequests).Stop()
	if err := g.web.Shutdown(bound); err != nil {
		log.Info("requests still under way are broken off", slog.Any("cause", err))
		return g.web.Close()
	}
	return nil
}

// closedHandler answers as the API does when it can't reach the log, for clients that look no further.
func closedHandler(reason string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // who doesn't read the answer misses it
	})
	mux.Handle("GET /readyz", unavailable("not_ready", reason))
	mux.Handle("/", unavailable("unavailable", reason+" Try again later, with the same Idempotency-Key."))
	return mux
}

// unavailable answers with a problem of status 503.
func unavailable(code, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]any{ // as above
			"title": http.StatusText(http.StatusServiceUnavailable), "status": http.StatusServiceUnavailable,
			"code": code, "detail": detail,
		})
	}
}
