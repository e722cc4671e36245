package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vendor is one receiver with its endpoint.
type vendor struct {
	*vendorReceiver
	body     map[string]any // of the endpoint's creation
	reading  func(id, key string) reading
	data     func(data string) string // as the format shows it; nil: as it was appended
	id       func(storyEvent) string  // likewise; nil: the event's own
	spoils   map[string]func(*arrival)
	catalog  []string
	endpoint string
}

// newVendors lists every format with what its page says to refuse.
func newVendors(t *testing.T, trusted tls.Certificate) map[string]*vendor {
	without := func(header string) func(*arrival) { return func(a *arrival) { a.header.Del(header) } }
	set := func(header, value string) func(*arrival) { return func(a *arrival) { a.header.Set(header, value) } }
	otherBody := func(a *arrival) { a.body[len(a.body)-2] ^= 1 }
	const ownSecret, headerKey, queryKey = "sparkbox shared secret ü", "spark-header-key-81c2", "spark/query+key=81c2 ü"
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	array := func(data string) string {
		if strings.HasPrefix(data, "[") {
			return data
		}
		return "[" + data + "]"
	}
	none := func(string) string { return "" }
	coherent := []string{"AddProduct", "EventsDataRetentionSucccess"}
	standard := map[string]func(*arrival){
		"another body":            otherBody,
		"no signature":            without("webhook-signature"),
		"no id":                   without("webhook-id"),
		"another id":              set("webhook-id", "x"),
		"no time":                 without("webhook-timestamp"),
		"an old time":             set("webhook-timestamp", "1700000000"),
		"another key's signature": set("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
	}
	cloud := map[string]func(*arrival){"another body": otherBody, "no signature": without("webhook-signature")}
	all := map[string]*vendor{
		"sparkfly": {
			reading: func(_, key string) reading { return readSparkfly(key) },
			spoils: map[string]func(*arrival){
				"another body":      otherBody,
				"no signature":      without("x-hmac-sha256-signature"),
				"another signature": set("x-hmac-sha256-signature", "K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
			},
		},
		"sparkbox": {
			body: map[string]any{"signing_key": ownSecret}, data: array,
			reading: func(id, _ string) reading { return readSparkbox(ownSecret, id) },
			spoils: map[string]func(*arrival){
				"another body":      otherBody,
				"no signature":      without("X-Sparkbox-Signature"),
				"another hook":      set("X-Hook-UUID", "x"),
				"another signature": set("X-Sparkbox-Signature", "sha256=00"),
			},
		},
		"sparkbox unsigned": {
			body: map[string]any{"profile": "sparkbox"}, data: array,
			reading: func(id, _ string) reading { return readSparkbox("", id) },
			spoils:  map[string]func(*arrival){"a signature": set("X-Sparkbox-Signature", "sha256=00")},
		},
		"coherent-spark": {
			body:    map[string]any{"auth": map[string]any{"type": "api_key", "in": "header", "value": headerKey}},
			catalog: coherent, data: none, id: func(storyEvent) string { return "" },
			reading: func(string, string) reading {
				return readCoherent(headerKey, func(a *arrival) string { return a.header.Get("x-api-key") })
			},
			spoils: map[string]func(*arrival){"no API key": without("x-api-key"), "another API key": set("x-api-key", "x")},
		},
		"coherent-spark query": {
			body: map[string]any{
				"profile": "coherent-spark",
				"url":     "/spark?region=eu",
				"auth":    map[string]any{"type": "api_key", "in": "query", "value": queryKey},
			},
			catalog: coherent, data: none, id: func(storyEvent) string { return "" },
			reading: func(string, string) reading {
				return readCoherent(queryKey, func(a *arrival) string { return a.url.Query().Get("api_key") })
			},
			spoils: map[string]func(*arrival){"no API key": func(a *arrival) { a.url = &url.URL{} }},
		},
		"firespring": {
			id:      func(e storyEvent) string { return strconv.FormatInt(e.sequence, 10) },
			reading: func(string, string) reading { return readFirespring },
		},
		"stashfin":          {reading: func(_, key string) reading { return readStandard(key) }, spoils: standard},
		"standard-webhooks": {reading: func(_, key string) reading { return readStandard(key) }, spoils: standard},
		"standard-webhooks ed25519": {
			body: map[string]any{
				"profile":     "standard-webhooks",
				"signing_key": "whsk_" + base64.StdEncoding.EncodeToString(private),
			},
			reading: func(_, key string) reading { return readStandard(key) },
			spoils:  standard,
		},
		"cloudevents": {reading: func(_, key string) reading { return readCloudEventsBinary(key) }, spoils: cloud},
		"cloudevents-structured": {
			reading: func(_, key string) reading { return readCloudEventsStructured(key) },
			spoils:  cloud,
		},
	}
	for name, v := range all {
		start := (*httptest.Server).Start
		if name == "stashfin" {
			start = func(s *httptest.Server) {
				s.TLS, s.EnableHTTP2 = &tls.Config{Certificates: []tls.Certificate{trusted}}, true
				s.StartTLS()
			}
		}
		v.vendorReceiver = newVendorReceiver(t, name, start)
		v.answer = answersOf(name)
		if v.body == nil {
			v.body = map[string]any{}
		}
		if v.body["profile"] == nil {
			v.body["profile"] = name
		}
	}
	return all
}

// answersOf is how a receiver answers: sparkbox fails once, and everybody answers one type with 204, which is a success
// for all but firespring.
func answersOf(name string) func(kind string, attempt int) int {
	return func(kind string, attempt int) int {
		switch {
		case name == "sparkbox" && kind == "model.approved" && attempt == 1:
			return http.StatusInternalServerError
		case kind == "points.accrued" && attempt == 1:
			return http.StatusNoContent
		}
		return http.StatusOK
	}
}

// newAuthority makes a certificate for 127.0.0.1 and the PEM of the authority that signed it.
func newAuthority(t testing.TB) (tls.Certificate, []byte) {
	t.Helper()
	make1 := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	root := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	rootDER, rootKey := make1(root, nil, nil)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(
			2,
		),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, leafKey := make1(leaf, root, rootKey)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, authority
}
