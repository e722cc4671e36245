package webhook

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// allowing is a configuration that allows networks and exact addresses.
func allowing(entries ...string) GuardConfig {
	var c GuardConfig
	for _, entry := range entries {
		rule, err := ParseAllowRule(entry)
		if err != nil {
			panic(err)
		}
		c.Allow = append(c.Allow, rule)
	}
	return c
}

func TestGuard_Check(t *testing.T) {
	t.Parallel()
	guard := NewGuard(GuardConfig{})
	for _, addr := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.0.1",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::c0a8:101", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808",
		"100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "3fff::1",
		"fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "5f00::1", "4000::1",
	} {
		if err := guard.Check(netip.AddrPortFrom(netip.MustParseAddr(addr), 443)); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: %v, want it refused", addr, err)
		}
	}
	for _, addr := range []string{"1.1.1.1", "8.8.8.8", "168.63.129.15", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "193.0.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"} {
		if err := guard.Check(netip.AddrPortFrom(netip.MustParseAddr(addr), 443)); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestGuard_allowList(t *testing.T) {
	t.Parallel()
	guard := NewGuard(allowing("127.0.0.2/32", "10.1.0.0/16", "fd12::/16"))
	for addr, want := range map[string]bool{
		"127.0.0.2": true, "127.0.0.1": false, "10.1.255.1": true, "10.2.0.1": false, "fd12::1": true, "fd13::1": false,
		"::ffff:127.0.0.2": true, "::ffff:127.0.0.1": false, "64:ff9b::7f00:2": false, "8.8.8.8": true,
	} {
		if err := guard.Check(netip.AddrPortFrom(netip.MustParseAddr(addr), 443)); (err == nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// nameServer answers A queries with the addresses that its function returns for the n-th such query; none: the name
// doesn't exist.
func nameServer(t *testing.T, answer func(n int) []string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go serveNames(server, answer)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func serveNames(server net.PacketConn, answer func(n int) []string) {
	buffer := make([]byte, 1500)
	for n := 0; ; {
		size, from, err := server.ReadFrom(buffer)
		if err != nil {
			return // closed by the test's end
		}
		query := buffer[:size]
		end := 12
		for query[end] != 0 {
			end += int(query[end]) + 1
		}
		end += 5 // root label, type, class
		isA := binary.BigEndian.Uint16(query[end-4:]) == 1
		addresses := answer(n)
		out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
		if len(addresses) == 0 {
			out[3] = 0x83 // NXDOMAIN
		}
		if isA {
			n++
			out[7] = byte(len(addresses))
			for _, address := range addresses {
				ip := netip.MustParseAddr(address).As4()
				out = append(append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), ip[:]...)
			}
		}
		_, _ = server.WriteTo(out, from) // a lost answer fails the test anyway
	}
}

// countingReceiver listens on all of 127.0.0.0/8 and counts requests.
func countingReceiver(t *testing.T) (port string, count *atomic.Int32) {
	t.Helper()
	count = &atomic.Int32{}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { count.Add(1) }))
	_ = s.Listener.Close() // the one on a port of its own that isn't used
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, count
}

// send sends the sample event to a URL.
func send(t *testing.T, s *Sender, url string) Result {
	t.Helper()
	r := mustBuild(
		t,
		sampleTarget(t, embeddedProfile(t, "standard-webhooks"), url),
		sampleEvent(),
		Attempt{Number: 1, At: time.Now()},
	)
	return s.Send(context.Background(), r, 10*time.Second)
}

func TestSend_rebindingNameGainsNothing(t *testing.T) {
	t.Parallel()
	port, count := countingReceiver(t)
	resolver := nameServer(t, func(n int) []string {
		if n == 0 {
			return []string{"127.0.0.2"}
		}
		return []string{"127.0.0.1"}
	})
	s := newSender(NewGuard(allowing("127.0.0.2/32")), resolver, nil)
	url := "http://rebind.example:" + port + "/"
	if r := send(t, s, url); r.StatusCode != 200 || r.RemoteAddr != "127.0.0.2:"+port {
		t.Fatalf("first answer: %+v", r)
	}
	s.Close() // a kept connection would go on leading to the allowed address
	r := send(t, s, url)
	if r.ErrorCode != AddressRefused || r.StatusCode != 0 || r.RemoteAddr != "" || count.Load() != 1 {
		t.Errorf("after the name moved to 127.0.0.1: %+v, %d requests", r, count.Load())
	}
	if strings.Contains(r.Error, "127.0.0") || !strings.Contains(r.Error, "HOOKTRAIL_EGRESS_ALLOW") {
		t.Errorf("error %q", r.Error)
	}
}

func TestSend_nameWithAddressesOfBothKinds(t *testing.T) {
	t.Parallel()
	port, _ := countingReceiver(t)
	resolver := nameServer(t, func(int) []string { return []string{"127.0.0.1", "127.0.0.2", "169.254.169.254"} })
	s := newSender(NewGuard(allowing("127.0.0.2/32")), resolver, nil)
	if r := send(t, s, "http://mixed.example:"+port+"/"); r.StatusCode != 200 || r.RemoteAddr != "127.0.0.2:"+port {
		t.Errorf("went to %s: %+v", r.RemoteAddr, r)
	}
}

// A tenant can't tell a name that leads inside from one that doesn't exist; the operator can.
func TestSend_unknownAndRefusedNamesLookAlike(t *testing.T) {
	t.Parallel()
	port, count := countingReceiver(t)
	told := func(answer []string) (ErrorCode, string, string) {
		var log bytes.Buffer
		s := newSender(NewGuard(GuardConfig{}), nameServer(t, func(int) []string { return answer }), nil)
		s.refusals.log = slog.New(slog.NewTextHandler(&log, nil))
		var r Result
		for range 3 {
			r = send(t, s, "http://name.example:"+port+"/?k=s3cret-query")
		}
		if r.StatusCode != 0 || r.RemoteAddr != "" || r.Timings != (domain.AttemptTimings{}) || r.TLS != nil {
			t.Errorf("%v: something is told: %+v", answer, r)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 || strings.Contains(log.String(), "s3cret") {
			t.Errorf("%v: %d lines for the operator: %s", answer, lines, &log)
		}
		return r.ErrorCode, r.Error, log.String()
	}
	unknownCode, unknownText, unknownLog := told(nil)
	refusedCode, refusedText, refusedLog := told([]string{"10.20.30.40"})
	if unknownCode != AddressRefused || unknownCode != refusedCode || unknownText != refusedText || count.Load() != 0 {
		t.Errorf("an unknown name: %s %q, a refused one: %s %q", unknownCode, unknownText, refusedCode, refusedText)
	}
	if !strings.Contains(unknownLog, "no such host") || !strings.Contains(refusedLog, "10.20.30.40") {
		t.Errorf("the operator reads %s and %s", unknownLog, refusedLog)
	}
}

func TestGuard_denyList(t *testing.T) {
	t.Parallel()
	var rules []EgressRule
	for _, text := range []string{"203.0.113.0/24", "25", "6000-6063", "8.8.8.0/24:53", "2a00::/16:80-90", "10.1.2.0/24"} {
		rule, err := ParseEgressRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	config := allowing("10.0.0.0/8")
	config.Deny = rules
	guard := NewGuard(config)
	for addr, want := range map[string]bool{
		"203.0.113.5:443": false, "1.1.1.1:25": false, "1.1.1.1:24": true, "1.1.1.1:6000": false, "1.1.1.1:6063": false, "1.1.1.1:6064": true,
		"8.8.8.8:53": false, "8.8.8.8:443": true, "[::ffff:8.8.8.8]:53": false, "[64:ff9b::808:808]:53": false, "[2a00:1450::1]:85": false,
		"[2a00:1450::1]:443": true, "10.1.3.1:80": true, "10.1.2.1:80": false, "10.9.9.9:25": false,
	} {
		if err := guard.Check(
			netip.MustParseAddrPort(addr),
		); (err == nil) != want ||
			err != nil && !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: %v, want it let through: %v", addr, err, want)
		}
	}
	for _, text := range []string{"", "0", "65536", "9-8", "10.0.0.1", "10.0.0.0/33", "10.0.0.0/8:", "10.0.0.0/8:x", "::ffff:10.0.0.0/104", "-5", "a-b", "host.example:25"} {
		if rule, err := ParseEgressRule(text); err == nil {
			t.Errorf("%q is taken as %+v", text, rule)
		}
	}
}

// What the instance itself listens on, and its database, is refused even in a network that is allowed; only exactly
// that address and port can be allowed. Other ports of the same machine are receivers as any other.
func TestGuard_ownAddresses(t *testing.T) {
	t.Parallel()
	own := []netip.AddrPort{
		netip.MustParseAddrPort(
			"127.0.0.1:8080",
		),
		netip.MustParseAddrPort("[::]:9090"),
		netip.MustParseAddrPort("10.0.0.5:5432"),
		netip.MustParseAddrPort(
			"8.8.8.8:443",
		),
		netip.MustParseAddrPort("[::ffff:10.0.0.6]:5432"),
		netip.MustParseAddrPort("0.0.0.0:7070"),
	}
	wide := []string{"0.0.0.0/0", "::/0"}
	check := func(allow []string, deny []EgressRule, want map[string]bool) {
		t.Helper()
		config := allowing(allow...)
		config.Deny, config.Own = deny, own
		guard := NewGuard(config)
		for addr, passes := range want {
			if err := guard.Check(
				netip.MustParseAddrPort(addr),
			); (err == nil) != passes ||
				err != nil && !errors.Is(err, ErrAddressRefused) {
				t.Errorf("%v allowed, %s: %v, want it let through: %v", allow, addr, err, passes)
			}
		}
	}
	check(
		nil,
		nil,
		map[string]bool{
			"8.8.8.8:443":            false,
			"8.8.8.8:80":             true,
			"[::ffff:8.8.8.8]:443":   false,
			"[64:ff9b::808:808]:443": false,
			"8.8.4.4:443":            true,
		},
	)
	check(wide, nil, map[string]bool{
		"127.0.0.1:8080":          false,
		"[::ffff:127.0.0.1]:8080": false,
		"0.0.0.0:8080":            false,
		"127.0.0.1:9099":          true,
		"127.0.0.2:8080":          true,
		"127.0.0.1:9090":          false,
		"127.9.9.9:9090":          false,
		"[::1]:9090":              false,
		"0.0.0.0:9090":            false,
		"10.0.0.5:9090":           true,
		"10.0.0.5:5432":           false,
		"10.0.0.6:5432":           false,
		"10.0.0.7:5432":           true,
		"127.0.0.1:7070":          false,
		"127.0.0.1:7071":          true,
	})
	check(
		[]string{"127.0.0.0/8", "127.0.0.1:8080", "127.0.0.1/32"},
		nil,
		map[string]bool{"127.0.0.1:8080": true, "127.0.0.1:9090": false},
	)
	check(
		[]string{"127.0.0.1:9099"},
		nil,
		map[string]bool{"127.0.0.1:9099": true, "127.0.0.1:9098": false, "127.0.0.2:9099": false},
	)
	check([]string{"127.0.0.1:8080"}, []EgressRule{{From: 8080, To: 8080}}, map[string]bool{"127.0.0.1:8080": false})

	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses { // a listener on every address is reached by each of them
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil {
			check(wide, nil, map[string]bool{network.IP.String() + ":9090": false, network.IP.String() + ":9091": true})
		}
	}
}

func TestEgressRule_String(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.0.0.0/8", "127.0.0.1:8080", "[fd00::1]:443", "::1/128"} {
		if rule, err := ParseAllowRule(text); err != nil || rule.String() != text {
			t.Errorf("%s is written as %s (%v)", text, rule, err)
		}
	}
	for _, text := range []string{"203.0.113.0/24", "25", "6000-6063", "8.8.8.0/24:53", "2a00::/16:80-90"} {
		if rule, err := ParseEgressRule(text); err != nil || rule.String() != text {
			t.Errorf("%s is written as %s (%v)", text, rule, err)
		}
	}
	for _, text := range []string{"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:", "localhost:80", "[fe80::1%eth0]:80", "10.0.0.0/8:80", "80", "::1:80x"} {
		if rule, err := ParseAllowRule(text); err == nil {
			t.Errorf("%q is taken as %s", text, rule)
		}
	}
}

// Every spelling of a forbidden address that a URL can have is refused when it is configured or when it is dialled.
func TestSend_noWayInside(t *testing.T) {
	t.Parallel()
	port, count := countingReceiver(t)
	s := newSender(NewGuard(GuardConfig{}), nil, nil)
	p := embeddedProfile(t, "firespring")
	for _, host := range []string{
		"127.0.0.1", "127.1", "0.0.0.0", "0", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "LOCALHOST", "127.0.0.2", "[::1]", "[::]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "169.254.169.254", "[fd00:ec2::254]", "user@127.0.0.1",
	} {
		target, err := NewTarget(TargetConfig{Profile: p, URL: "http://" + host + ":" + port + "/", UserAgent: userAgent})
		if err != nil {
			continue // refused when configured
		}
		r := s.Send(context.Background(), mustBuild(t, target, sampleEvent(), Attempt{Number: 1}), 10*time.Second)
		if r.ErrorCode != AddressRefused {
			t.Errorf("%s: %s %s", host, r.ErrorCode, r.Error)
		}
	}
	if count.Load() != 0 {
		t.Errorf("%d requests got in", count.Load())
	}
	if s.transport.Proxy != nil {
		t.Error("requests could go through a proxy")
	}
}
