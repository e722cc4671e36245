package webhook

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// Bounds of what is logged of refused addresses: an endpoint that is tried all day is worth a line now and then.
const (
	refusalGap    = 10 * time.Minute
	maxRefusals   = 1000 // endpoints remembered; past it all are forgotten
	unknownTarget = "unnamed"
)

// refusals tells the operator which addresses were refused or unknown. The zero value logs nothing.
type refusals struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // by endpoint and host; guarded by mu
}

// note logs why a request had no address to go to, at most once per endpoint, host and refusalGap.
func (n *refusals) note(r *Request, err error) {
	if n.log == nil {
		return
	}
	host, endpoint, now := r.target.template.URL.Host, r.target.endpointID, time.Now()
	if endpoint == "" {
		endpoint = unknownTarget
	}
	n.mu.Lock()
	due := now.Sub(n.last[endpoint+" "+host]) >= refusalGap
	if due {
		if n.last == nil || len(n.last) >= maxRefusals {
			n.last = map[string]time.Time{}
		}
		n.last[endpoint+" "+host] = now
	}
	n.mu.Unlock()
	if due {
		n.log.Info("receiver address refused", slog.String("endpoint_id", endpoint), slog.String("host", host),
			slog.String("reason", refusalReason(err)))
	}
}

// refusalReason is the guard's own sentence, or the resolver's.
func refusalReason(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Error()
	}
	text := err.Error()
	return text[max(strings.Index(text, ErrAddressRefused.Error()), 0):]
}
