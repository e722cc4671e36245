package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
)

// reopenEvery is how often a closed server looks whether the newest copy of its database is back.
const reopenEvery = time.Second

// openWhole opens the log. While the database is an older copy of the one that this node knows, nothing is appended,
// routed, folded, delivered or signed: the server answers every request with 503, as it does where the copy is put
// under it while it runs, and goes on when the newest copy is back or the loss is accepted. baseEnded is closed when
// what the log needs has ended.
func (s *server) openWhole(ctx context.Context, baseEnded <-chan struct{}) error {
	err := s.open(ctx)
	if !errors.Is(err, eventlog.ErrReplaced) {
		return err
	}
	s.log.ErrorContext(
		ctx,
		"closed: put the newest copy of the database back, or stop this server and run hooktrail recover",
		slog.String("address", "http://"+s.listener.Addr().String()),
		slog.Any("error", err),
	)
	web := &http.Server{Handler: closedHandler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(s.listener) }()
	for errors.Is(err, eventlog.ErrReplaced) {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), web.Close())
		case err := <-ended:
			return fmt.Errorf("serve the API: %w", err)
		case <-baseEnded:
			return errors.Join(errBaseEnded, web.Close())
		case <-time.After(reopenEvery):
			err = s.open(ctx)
		}
	}
	address := s.listener.Addr().String()
	if err := errors.Join(err, web.Close()); err != nil {
		return err
	}
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
		return fmt.Errorf("listen on %s again: %w", address, err)
	}
	s.log.InfoContext(ctx, "opened: the database has all that this node knows")
	return nil
}

// closedHandler answers as the API does when it can't reach the log, for clients that look no further.
func closedHandler() http.Handler {
	refuse := func(code, detail string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(map[string]any{ // who doesn't read the answer misses it
				"title": http.StatusText(
					http.StatusServiceUnavailable,
				),
				"status": http.StatusServiceUnavailable,
				"code":   code,
				"detail": detail,
			})
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
	})
	mux.Handle("GET /readyz", refuse("not_ready", "This node can't append or serve: its log says why, and what to do."))
	mux.Handle(
		"/",
		refuse("unavailable", "The log can't be reached at the moment. Try again later, with the same Idempotency-Key."),
	)
	return mux
}
