package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// benchReceiverCommand is the receiver of a measurement, a process of its own as receivers are.
type benchReceiverCommand struct{}

// benchStatistics is what it has seen since the last reset.
type benchStatistics struct {
	Count     int64   `json:"count"`
	LastNS    int64   `json:"last_ns"`    // Unix time of the last arrival
	LatencyUS []int64 `json:"latency_us"` // of the events that carry the time at which they were sent
}

type benchReceiver struct {
	mu   sync.Mutex
	seen benchStatistics
}

// Run prints its address on one line and serves until it is interrupted.
func (benchReceiverCommand) Run(ctx context.Context, p process) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := new(benchReceiver)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", receiver.receive)
	mux.HandleFunc("GET /statistics", receiver.statistics)
	mux.HandleFunc("DELETE /statistics", receiver.reset)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintln(p.stdout, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (r *benchReceiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now().UnixNano()
	sent := sentAt(body)
	r.mu.Lock()
	r.seen.Count++
	r.seen.LastNS = now
	if sent > 0 {
		r.seen.LatencyUS = append(r.seen.LatencyUS, (now-sent)/1000)
	}
	r.mu.Unlock()
}

// sentAt finds the member "sent_ns" without decoding the body.
func sentAt(body []byte) int64 {
	_, rest, ok := bytes.Cut(body, []byte(`"sent_ns":`))
	if !ok {
		return 0
	}
	end := bytes.IndexByte(rest, ',')
	if end < 0 {
		return 0
	}
	sent, _ := strconv.ParseInt(string(rest[:end]), 10, 64) // not a number: no latency is taken
	return sent
}

func (r *benchReceiver) statistics(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = json.NewEncoder(w).Encode(r.seen) // the reader is gone: nothing to do about it
}

func (r *benchReceiver) reset(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = benchStatistics{}
	w.WriteHeader(http.StatusNoContent)
}
