package main

import (
	"encoding/pem"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/webhook"
)

// TestEgressFlags_CAFile: every certificate of the file is taken, and a file that can't be read as a whole is refused.
func TestEgressFlags_CAFile(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	read := func(text string) (int, error) {
		path := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := egressFlags{EgressCAFile: path}.authorities()
		return len(found), err
	}
	if n, err := read("# two of them\n" + certificate + "\n" + certificate); n != 2 || err != nil {
		t.Errorf("%d certificates, %v", n, err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":         {"", "certificates in PEM"},
		"not PEM":       {string(server.Certificate().Raw), "certificates in PEM"},
		"cut short":     {certificate + certificate[:200], "certificates in PEM"},
		"a private key": {certificate + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})), "holds a PRIVATE KEY"},
		"damaged":       {certificate + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "certificate 2"},
	} {
		if _, err := read(
			c.text,
		); err == nil || !strings.Contains(err.Error(), c.says) ||
			!strings.Contains(err.Error(), "HOOKTRAIL_EGRESS_CA_FILE") {
			t.Errorf("%s: error %v, want one with %q", name, err, c.says)
		}
	}
}

// TestEgressFlags_deny: networks, ports and both are taken, and what is denied is denied although it is allowed.
func TestEgressFlags_deny(t *testing.T) {
	t.Parallel()
	read, err := egressFlags{
		EgressAllow: []string{"10.0.0.0/8"},
		EgressDeny:  []string{"10.1.0.0/16", " 25", "203.0.113.0/24:8000-8999"},
	}.egress()
	if err != nil {
		t.Fatal(err)
	}
	guard := webhook.NewGuard(webhook.GuardConfig{Allow: read.allow, Deny: read.deny})
	for address, want := range map[string]bool{"10.2.0.1:443": true, "10.1.0.1:443": false, "10.2.0.1:25": false, "1.1.1.1:443": true, "1.1.1.1:25": false} {
		if err := guard.Check(netip.MustParseAddrPort(address)); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, text := range []string{"", "localhost", "10.0.0.0/8:", "70000", "9-8"} {
		_, err := egressFlags{EgressDeny: []string{text}}.egress()
		if err == nil || !strings.Contains(err.Error(), "HOOKTRAIL_EGRESS_DENY") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
