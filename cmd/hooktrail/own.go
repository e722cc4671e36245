package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/webhook"
)

// resolveTimeout bounds the resolving of the database's name.
const resolveTimeout = 5 * time.Second

// guard makes the egress guard: it knows where this server and its database are, so that no endpoint leads back to
// them. An endpoint that did could append events because of events, or talk to the database from inside the network.
func (s *server) guard(ctx context.Context) *webhook.Guard {
	own := s.databaseAddresses(ctx)
	if tcp, ok := s.listener.Addr().(*net.TCPAddr); ok {
		own = append(own, tcp.AddrPort())
	}
	if debug, err := netip.ParseAddrPort(s.Debug.DebugListen); err == nil {
		own = append(own, debug)
	}
	return webhook.NewGuard(webhook.GuardConfig{Allow: s.egress.allow, Deny: s.egress.deny, Own: own})
}

// databaseAddresses resolves where the database is now. One that moves to another address later is in the operator's
// network and so refused by that, unless it is allowed.
func (s *server) databaseAddresses(ctx context.Context) []netip.AddrPort {
	config, err := pgx.ParseConfig(s.storage.url)
	if err != nil {
		return nil // a database was opened by this URL: there is nothing to say
	}
	type place struct {
		host string
		port uint16
	}
	places := map[place]bool{{config.Host, config.Port}: true}
	for _, fallback := range config.Fallbacks {
		places[place{fallback.Host, fallback.Port}] = true
	}
	var addresses []netip.AddrPort
	for p := range places {
		if strings.HasPrefix(p.host, "/") { // a Unix socket
			continue
		}
		resolving, cancel := context.WithTimeout(ctx, resolveTimeout)
		found, err := net.DefaultResolver.LookupNetIP(resolving, "ip", p.host)
		cancel()
		if err != nil {
			s.log.Warn("the database's name doesn't resolve, so its addresses are not refused to endpoints",
				slog.String("host", p.host), slog.Any("error", err))
		}
		for _, addr := range found {
			addresses = append(addresses, netip.AddrPortFrom(addr, p.port))
		}
	}
	return addresses
}
