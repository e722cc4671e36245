package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// debugFlags open Go's own profiles, on a listener of their own: they tell too much for the API's. The metrics are there
// too, without a key, so that they can be read where the API is closed because keys can't be checked.
type debugFlags struct {
	DebugListen string `name:"debug-listen" env:"HOOKTRAIL_DEBUG_LISTEN" help:"Loopback address for Go's profiles (/debug/pprof/) and the metrics without a key (/metrics); off when empty."`
}

func (f debugFlags) validate() error {
	if f.DebugListen == "" {
		return nil
	}
	address, err := netip.ParseAddrPort(f.DebugListen)
	if err != nil || !address.Addr().IsLoopback() {
		return usagef(
			"HOOKTRAIL_DEBUG_LISTEN must be a loopback address such as 127.0.0.1:6060: profiles tell what goes through the process",
		)
	}
	return nil
}

// serve answers until ctx ends.
func (f debugFlags) serve(ctx context.Context, metrics prometheus.Gatherer) error {
	if f.DebugListen == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", f.DebugListen)
	if err != nil {
		return fmt.Errorf("listen on %s for profiles: %w", f.DebugListen, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve profiles: %w", err)
	}
	return nil
}
