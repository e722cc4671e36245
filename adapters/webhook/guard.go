package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
)

// ErrAddressRefused means that requests must not go to a receiver's address.
var ErrAddressRefused = errors.New("the receiver's address is not allowed")

// azureHost is where every virtual machine of Azure finds its host's agent (DHCP, DNS, keys). It is a public address,
// so no registry lists it, and it answers only from inside.
var azureHost = netip.AddrFrom4([4]byte{168, 63, 129, 16})

// Guard decides which addresses requests may go to: public unicast addresses and those that the operator allows. It
// is immutable and safe for concurrent use. It is asked with the address that is about to be dialled, after all name
// resolution, so a name that resolves differently each time gains nothing.
type Guard struct {
	config GuardConfig
	public *ssrf.Guardian // IANA's special-purpose registries for IPv4 and IPv6
}

// GuardConfig is what an operator says of addresses. The zero value lets public unicast addresses through.
type GuardConfig struct {
	Allow []EgressRule // let through although they are not public (HOOKTRAIL_EGRESS_ALLOW)
	Deny  []EgressRule // refused even if they are allowed (HOOKTRAIL_EGRESS_DENY)
	// Own is where this instance itself listens, and its database: refused unless a rule allows exactly that address
	// and port, since a network that is allowed for the sake of its receivers is not meant to lead back to the
	// instance. An unspecified address means every address of this machine.
	Own []netip.AddrPort
}

// EgressRule names addresses and ports.
type EgressRule struct {
	Prefix   netip.Prefix // the zero value: every address
	From, To uint16       // ports, both included; 0 and 0: every port
}

// ParseAllowRule reads one entry of HOOKTRAIL_EGRESS_ALLOW: a CIDR ("10.0.0.0/8"), or one address with its port
// ("127.0.0.1:8080", "[fd00::1]:8080").
func ParseAllowRule(text string) (EgressRule, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return EgressRule{Prefix: prefix.Masked()}, nil
	}
	exact, err := netip.ParseAddrPort(text)
	if err != nil || exact.Port() == 0 || exact.Addr().Zone() != "" {
		return EgressRule{}, fmt.Errorf(
			"%q is neither a CIDR such as 10.0.0.0/8 nor an address with its port such as 127.0.0.1:8080",
			text,
		)
	}
	addr := exact.Addr().Unmap()
	return EgressRule{Prefix: netip.PrefixFrom(addr, addr.BitLen()), From: exact.Port(), To: exact.Port()}, nil
}

// exact reports whether the rule names one address and one port.
func (r EgressRule) exact() bool { return r.Prefix.IsSingleIP() && r.From == r.To && r.To != 0 }

// String writes the rule as ParseAllowRule and ParseEgressRule read it.
func (r EgressRule) String() string {
	ports := strconv.Itoa(int(r.From))
	if r.From != r.To {
		ports += "-" + strconv.Itoa(int(r.To))
	}
	switch {
	case r.To == 0:
		return r.Prefix.String()
	case !r.Prefix.IsValid():
		return ports
	case r.exact():
		return netip.AddrPortFrom(r.Prefix.Addr(), r.From).String()
	}
	return r.Prefix.String() + ":" + ports
}

// ParseEgressRule reads one entry of HOOKTRAIL_EGRESS_DENY: a CIDR ("203.0.113.0/24"), a port or a range of ports
// ("25", "6000-6063"), or both ("203.0.113.0/24:25", "2001:db8::/32:25").
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

// NewGuard makes a guard.
func NewGuard(c GuardConfig) *Guard { return &Guard{config: c, public: ssrf.New(ssrf.WithAnyPort())} }

// Check refuses an address with ErrAddressRefused. The error names the address: it is for the operator, not for
// tenants.
func (g *Guard) Check(target netip.AddrPort) error {
	addr := target.Addr()
	plain := addr.Unmap().WithZone("") // ::ffff:127.0.0.1 is dialled as 127.0.0.1
	inner, embedded := embeddedIPv4(plain)
	for _, rule := range g.config.Deny {
		if rule.matches(plain, target.Port()) || embedded && rule.matches(inner, target.Port()) {
			return fmt.Errorf("%w: HOOKTRAIL_EGRESS_DENY refuses %s", ErrAddressRefused, target)
		}
	}
	own := g.own(plain, target.Port()) || embedded && g.own(inner, target.Port())
	for _, rule := range g.config.Allow {
		if rule.matches(plain, target.Port()) && (!own || rule.exact()) {
			return nil
		}
	}
	if own {
		return fmt.Errorf(
			"%w: %s is this instance's own API or database (hint: HOOKTRAIL_EGRESS_ALLOW=%s can allow exactly it)",
			ErrAddressRefused,
			target,
			netip.AddrPortFrom(plain, target.Port()),
		)
	}
	if embedded {
		plain = inner
	}
	if err := g.public.SafeAddr(plain); err != nil || addr.Zone() != "" || plain == azureHost {
		return fmt.Errorf("%w: %s is not a public address (hint: HOOKTRAIL_EGRESS_ALLOW can allow its network)",
			ErrAddressRefused, addr)
	}
	return nil
}

// own reports whether the instance itself, or its database, is reached by an address.
func (g *Guard) own(addr netip.Addr, port uint16) bool {
	for _, own := range g.config.Own {
		at := own.Addr().Unmap().WithZone("")
		switch {
		case own.Port() != port:
		case at == addr, at.IsUnspecified() && ofThisMachine(addr), addr.IsUnspecified() && at.IsLoopback():
			return true
		}
	}
	return false
}

// ofThisMachine reports whether an address is one of this machine's, as they are now.
func ofThisMachine(addr netip.Addr) bool {
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return true // what can't be told apart is refused
	}
	return slices.ContainsFunc(interfaces, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		if !ok {
			return false
		}
		own, ok := netip.AddrFromSlice(network.IP)
		return ok && own.Unmap() == addr
	})
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
