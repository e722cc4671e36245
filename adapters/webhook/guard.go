package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
)

// ErrAddressRefused says that a receiver's address lies where requests must not go.
var ErrAddressRefused = errors.New("the receiver's address is not allowed")

// azureHost is where every virtual machine of Azure finds its host's agent (DHCP, DNS, keys). It is a public address, so
// no registry lists it, and it answers only from inside.
var azureHost = netip.AddrFrom4([4]byte{168, 63, 129, 16})

// Guard decides which addresses requests may go to: public unicast addresses, and what the operator allows besides. It
// is immutable and safe for concurrent use. It is asked with the address that is about to be dialled, after all name
// resolution, so that a name that changes its mind gains nothing.
type Guard struct {
	allow  []netip.Prefix
	deny   []EgressRule
	public *ssrf.Guardian // IANA's special-purpose registries for IPv4 and IPv6
}

// EgressRule names addresses and ports that requests must not go to.
type EgressRule struct {
	Prefix   netip.Prefix // the zero value: every address
	From, To uint16       // ports, both included; 0 and 0: every port
}

// ParseEgressRule reads one entry of HOOKTRAIL_EGRESS_DENY: a CIDR ("203.0.113.0/24"), a port or a range of ports ("25",
// "6000-6063"), or both ("203.0.113.0/24:25", "2001:db8::/32:25").
func ParseEgressRule(text string) (EgressRule, error) {
	var rule EgressRule
	ports := text
	if slash := strings.IndexByte(text, '/'); slash >= 0 {
		cidr, rest, both := text, "", false
		if colon := strings.IndexByte(text[slash:], ':'); colon >= 0 {
			cidr, rest, both = text[:slash+colon], text[slash+colon+1:], true
		}
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return EgressRule{}, fmt.Errorf("%q is not a CIDR such as 203.0.113.0/24", cidr)
		}
		if prefix.Addr().Is4In6() {
			return EgressRule{}, fmt.Errorf("%q must be written as a network of IPv4", cidr)
		}
		if rule.Prefix = prefix.Masked(); !both {
			return rule, nil
		}
		ports = rest
	}
	first, last, ranged := strings.Cut(ports, "-")
	if !ranged {
		last = first
	}
	from, err := strconv.ParseUint(first, 10, 16)
	to, errTo := strconv.ParseUint(last, 10, 16)
	if err != nil || errTo != nil || from == 0 || to < from {
		return EgressRule{}, fmt.Errorf("%q is not a port from 1 to 65535 or a range such as 6000-6063", ports)
	}
	rule.From, rule.To = uint16(from), uint16(to)
	return rule, nil
}

func (r EgressRule) matches(addr netip.Addr, port uint16) bool {
	return (!r.Prefix.IsValid() || r.Prefix.Contains(addr)) && (r.To == 0 || port >= r.From && port <= r.To)
}

// NewGuard makes a guard that also lets through the prefixes given (HOOKTRAIL_EGRESS_ALLOW), and refuses what the rules
// name (HOOKTRAIL_EGRESS_DENY), even if a prefix allows it.
func NewGuard(allow []netip.Prefix, deny ...EgressRule) *Guard {
	return &Guard{allow: allow, deny: deny, public: ssrf.New(ssrf.WithAnyPort())}
}

// Check refuses an address with ErrAddressRefused. The error names the address: it is for the operator, not for tenants.
func (g *Guard) Check(target netip.AddrPort) error {
	addr := target.Addr()
	plain := addr.Unmap().WithZone("") // ::ffff:127.0.0.1 is dialled as 127.0.0.1
	inner, embedded := embeddedIPv4(plain)
	for _, rule := range g.deny {
		if rule.matches(plain, target.Port()) || embedded && rule.matches(inner, target.Port()) {
			return fmt.Errorf("%w: HOOKTRAIL_EGRESS_DENY refuses %s", ErrAddressRefused, target)
		}
	}
	for _, prefix := range g.allow {
		if prefix.Contains(plain) {
			return nil
		}
	}
	if embedded {
		plain = inner
	}
	if err := g.public.SafeAddr(plain); err != nil || addr.Zone() != "" || plain == azureHost {
		return fmt.Errorf("%w: %s is not a public address (hint: HOOKTRAIL_EGRESS_ALLOW can allow its network)", ErrAddressRefused, addr)
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
