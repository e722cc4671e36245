package webhook

import (
	"errors"
	"fmt"
	"net/netip"

	"code.dny.dev/ssrf"
)

// ErrAddressRefused says that a receiver's address lies where requests must not go.
var ErrAddressRefused = errors.New("the receiver's address is not allowed")

// Guard decides which addresses requests may go to: public unicast addresses, and what the operator allows besides. It
// is immutable and safe for concurrent use. It is asked with the address that is about to be dialled, after all name
// resolution, so that a name that changes its mind gains nothing.
type Guard struct {
	allow  []netip.Prefix
	public *ssrf.Guardian // IANA's special-purpose registries for IPv4 and IPv6
}

// NewGuard makes a guard that also lets through the prefixes given (HOOKTRAIL_EGRESS_ALLOW).
func NewGuard(allow []netip.Prefix) *Guard {
	return &Guard{allow: allow, public: ssrf.New(ssrf.WithAnyPort())}
}

// Check refuses an address with ErrAddressRefused.
func (g *Guard) Check(addr netip.Addr) error {
	plain := addr.Unmap().WithZone("") // ::ffff:127.0.0.1 is dialled as 127.0.0.1
	for _, prefix := range g.allow {
		if prefix.Contains(plain) {
			return nil
		}
	}
	inner, embedded := embeddedIPv4(plain)
	if embedded {
		plain = inner
	}
	if err := g.public.SafeAddr(plain); err != nil || addr.Zone() != "" {
		return fmt.Errorf("%w: %s is not a public address (hint: the operator can allow its network with HOOKTRAIL_EGRESS_ALLOW)", ErrAddressRefused, addr)
	}
	return nil
}

// embeddedIPv4 returns the IPv4 address that a NAT64 gateway translates an address of the well-known prefix to (RFC
// 6052): behind DNS64 that is how public IPv4 receivers are reached, and private ones must not be. Other ways of
// embedding (6to4, Teredo, local NAT64 prefixes, IPv4-compatible) are refused as a whole by the registries.
func embeddedIPv4(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() || !ssrf.IPv6NAT64Prefix.Contains(addr) {
		return netip.Addr{}, false
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:])), true
}
