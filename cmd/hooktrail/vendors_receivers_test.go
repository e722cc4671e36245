package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The receivers in this file are written as the vendors' pages tell their customers to write them, with nothing of the
// product's own code.

// arrival is one request as it reached a receiver.
type arrival struct {
	header http.Header
	url    *url.URL
	body   []byte
	event  wireEventSeen
	status int // that it was answered with
}

func arrivalOf(r *http.Request) arrival {
	body, _ := io.ReadAll(r.Body) // a broken request shows as a wrong body
	return arrival{header: r.Header.Clone(), url: r.URL, body: body}
}

// wireEventSeen is what a format tells of an event; what it doesn't carry is empty.
type wireEventSeen struct{ id, kind, at, data string }

// reading takes a request apart as a vendor's page says, or says why it must be refused.
type reading func(*arrival) (wireEventSeen, error)

// vendorReceiver answers 401 to what its reading refuses, and keeps everything.
type vendorReceiver struct {
	name   string
	server *httptest.Server

	mu       sync.Mutex // guards all below
	read     reading
	answer   func(kind string, attempt int) int // from 1, counted for each event
	arrivals []arrival
	refused  []string
}

// newVendorReceiver makes one that starts with its reading; start is one of httptest's.
func newVendorReceiver(t testing.TB, name string, start func(*httptest.Server)) *vendorReceiver {
	t.Helper()
	v := &vendorReceiver{name: name}
	v.server = httptest.NewUnstartedServer(v)
	v.server.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused certificate is its client's business
	start(v.server)
	t.Cleanup(v.server.Close)
	return v
}

// knows gives the receiver what it must know of its endpoint before the first event.
func (v *vendorReceiver) knows(read reading, answer func(kind string, attempt int) int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.read, v.answer = read, answer
}

// ServeHTTP implements http.Handler.
func (v *vendorReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := arrivalOf(r)
	v.mu.Lock()
	defer v.mu.Unlock()
	event, err := v.read(&a)
	if a.event = event; err == nil && (r.Method != http.MethodPost || !strings.HasPrefix(r.UserAgent(), "Hooktrail/")) {
		err = fmt.Errorf("%s by %q", r.Method, r.UserAgent())
	}
	if err != nil {
		v.refused = append(v.refused, err.Error())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	attempt := 1
	for _, earlier := range v.arrivals {
		if earlier.event == a.event {
			attempt++
		}
	}
	a.status = v.answer(a.event.kind, attempt)
	v.arrivals = append(v.arrivals, a)
	w.WriteHeader(a.status)
}

// got returns what was let in, and why the rest was refused.
func (v *vendorReceiver) got() (arrivals []arrival, refused []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.arrivals), slices.Clone(v.refused)
}

var errUnsigned = errors.New("the signature is missing or wrong")

// decode reads a body in which nothing may stand that the page doesn't name.
func decode(a *arrival, contentType string, out any) error {
	if got := a.header.Get("Content-Type"); got != contentType {
		return fmt.Errorf("the content type is %s", got)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	return d.Decode(out)
}

func hmacOf(key []byte, text ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(bytes.Join(text, nil))
	return mac.Sum(nil)
}

// sparkfly: x-hmac-sha256-signature is the base64 of HMAC-SHA256(key, raw body).
func readSparkfly(key string) reading {
	return func(a *arrival) (seen wireEventSeen, err error) {
		want := base64.StdEncoding.EncodeToString(hmacOf([]byte(key), a.body))
		if !hmac.Equal([]byte(a.header.Get("x-hmac-sha256-signature")), []byte(want)) {
			return seen, errUnsigned
		}
		var body struct {
			Name string          `json:"event_name"`
			ID   string          `json:"event_id"`
			At   string          `json:"occurred_at"`
			Data json.RawMessage `json:"data"`
		}
		err = decode(a, "application/json", &body)
		return wireEventSeen{body.ID, body.Name, body.At, string(body.Data)}, err
	}
}

// sparkbox: X-Sparkbox-Signature is sha256= and the hex of HMAC-SHA256(secret, raw body); absent without a secret.
func readSparkbox(secret, hook string) reading {
	return func(a *arrival) (seen wireEventSeen, err error) {
		signature, signed := a.header["X-Sparkbox-Signature"]
		want := "sha256=" + hex.EncodeToString(hmacOf([]byte(secret), a.body))
		if signed != (secret != "") || signed && !hmac.Equal([]byte(signature[0]), []byte(want)) {
			return seen, errUnsigned
		}
		var body struct {
			Event struct {
				ID      string `json:"id"`
				Type    string `json:"event_type"`
				At      string `json:"timestamp"`
				Version string `json:"api_version"`
			} `json:"event"`
			Data json.RawMessage `json:"data"`
		}
		if err := decode(a, "application/json", &body); err != nil {
			return seen, err
		}
		number, err := strconv.Atoi(a.header.Get("X-Attempt-Number"))
		if err != nil || number < 1 || a.header.Get("X-Hook-UUID") != hook ||
			a.header.Get("X-Event-Type") != body.Event.Type {
			return seen, fmt.Errorf("headers %v", a.header)
		}
		if body.Event.Version != "v1" || !bytes.HasPrefix(body.Data, []byte("[")) {
			return seen, fmt.Errorf("version %s, data %s", body.Event.Version, body.Data)
		}
		return wireEventSeen{body.Event.ID, body.Event.Type, body.Event.At, string(body.Data)}, nil
	}
}

// coherent-spark: the receiver's own API key in x-api-key, or in the query's api_key.
func readCoherent(key string, from func(*arrival) string) reading {
	return func(a *arrival) (seen wireEventSeen, err error) {
		if from(a) != key {
			return seen, errors.New("the API key is missing or wrong")
		}
		var body map[string]any
		if err := decode(a, "application/json", &body); err != nil {
			return seen, err
		}
		kind, _ := body["UserAction"].(string)
		at, _ := body["RequestTimeStamp"].(string)
		return wireEventSeen{"", kind, at, ""}, nil
	}
}

// firespring: nothing is signed; the numeric id fetches the event, which proves it.
func readFirespring(a *arrival) (seen wireEventSeen, err error) {
	var body struct {
		ID      int64           `json:"id"`
		Object  string          `json:"object"`
		Created string          `json:"date_created"`
		Type    string          `json:"event_type"`
		Payload json.RawMessage `json:"payload"`
		Version string          `json:"version"`
	}
	err = decode(a, "application/json", &body)
	if err == nil && (body.ID <= 0 || body.Object != "webhook" || body.Version != "v1") {
		err = fmt.Errorf("body %s", a.body)
	}
	return wireEventSeen{strconv.FormatInt(body.ID, 10), body.Type, body.Created, string(body.Payload)}, err
}

// standardWebhooks checks webhook-id, webhook-timestamp and webhook-signature against a whsec_ or whpk_ key.
func standardWebhooks(a *arrival, key string) error {
	id, timestamp := a.header.Get("webhook-id"), a.header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return errUnsigned
	}
	content := []byte(id + "." + timestamp + "." + string(a.body))
	raw, err := base64.StdEncoding.DecodeString(key[strings.Index(key, "_")+1:])
	if err != nil {
		return err
	}
	for signature := range strings.SplitSeq(a.header.Get("webhook-signature"), " ") {
		version, encoded, _ := strings.Cut(signature, ",")
		made, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case err != nil:
		case version == "v1" && strings.HasPrefix(key, "whsec_") && hmac.Equal(made, hmacOf(raw, content)):
			return nil
		case version == "v1a" && strings.HasPrefix(key, "whpk_") && ed25519.Verify(raw, content, made):
			return nil
		}
	}
	return errUnsigned
}

// standard-webhooks, and stashfin, which is the same over https.
func readStandard(key string) reading {
	return func(a *arrival) (seen wireEventSeen, err error) {
		if err := standardWebhooks(a, key); err != nil {
			return seen, err
		}
		var body struct {
			Type string          `json:"type"`
			At   string          `json:"timestamp"`
			Data json.RawMessage `json:"data"`
		}
		err = decode(a, "application/json", &body)
		return wireEventSeen{a.header.Get("webhook-id"), body.Type, body.At, string(body.Data)}, err
	}
}

// CloudEvents in binary mode, with the headers of Standard Webhooks.
func readCloudEventsBinary(key string) reading {
	return func(a *arrival) (seen wireEventSeen, err error) {
		if err := standardWebhooks(a, key); err != nil {
			return seen, err
		}
		h := a.header
		if h.Get("Content-Type") != "application/json" || h.Get("ce-specversion") != "1.0" ||
			h.Get("ce-source") != "/tenants/default" {
			return seen, fmt.Errorf("headers %v", h)
		}
		return wireEventSeen{h.Get("ce-id"), h.Get("ce-type"), h.Get("ce-time"), string(a.body)}, nil
	}
}

// CloudEvents in structured mode.
func readCloudEventsStructured(key string) reading {
	return func(a *arrival) (seen wireEventSeen, err error) {
		if err := standardWebhooks(a, key); err != nil {
			return seen, err
		}
		var body struct {
			Spec        string          `json:"specversion"`
			ID          string          `json:"id"`
			Source      string          `json:"source"`
			Type        string          `json:"type"`
			At          string          `json:"time"`
			ContentType string          `json:"datacontenttype"`
			Data        json.RawMessage `json:"data"`
		}
		err = decode(a, "application/cloudevents+json", &body)
		if err == nil && (body.Spec != "1.0" || body.Source != "/tenants/default" || body.ContentType != "application/json") {
			err = fmt.Errorf("body %s", a.body)
		}
		return wireEventSeen{body.ID, body.Type, body.At, string(body.Data)}, err
	}
}
