package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// storyEvent is an event of the vendors' story.
type storyEvent struct {
	id, kind, data string
	sequence       int64
}

// The data holds what a decoder would change: number spelling, order, spacing, escapes, other scripts.
const folder = `{"EntityId":12345678901234567890,"FolderName":"Prêts \u00e9 日本","Rate":19.90,"ServiceName":"a \"b\" \/","AuditType":"Product","FileName":null,"ServiceVersionId":1.50}`

func vendorEvents() []storyEvent {
	return []storyEvent{
		{
			kind: "offer.issued",
			data: `{"price":19.90,"big":12345678901234567890,"z":1,"a" : [ 1.0,2E+5 ],"note":"Café \u00e9 日本"}`,
		},
		{
			kind: "model.submitted",
			id:   "submission-7",
			data: `{"uuid":"5c8f","taken":true,"status":"new","sku_id":"Ä-1","division_desc":"","department_desc":null,"sku_desc":"x","current_price":19.90,"opt_price":17.00,"units_to_md":12345678901234567890,"start_date":"2026-07-02","end_date":"2026-07-09","wave_type":"A"}`,
		},
		{kind: "model.approved", data: `[{"uuid":"a","current_price":5.0}, {"uuid":"b"}]`},
		{kind: "points.accrued", data: `{"member":"42","points":100.00}`},
		{kind: "tier.changed", data: `"gold"`},
		{kind: "profile.updated", data: `-0.0`},
		{kind: "AddProduct", data: folder},
		{kind: "EventsDataRetentionSucccess", data: `{"ServiceName":"only this"}`},
	}
}

const vendorTime = "2026-07-02T08:30:00.12Z"

// TestStory_Vendors: receivers of all formats at once, each written from its vendor's page, accept everything exactly
// once and to the byte, and refuse what their page says to refuse.
func TestStory_Vendors(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	trusted, authority := newAuthority(t)
	ca := filepath.Join(p.dir, "receivers-ca.pem")
	if err := os.WriteFile(ca, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "HOOKTRAIL_EGRESS_CA_FILE="+ca)
	p.start()
	vendors := newVendors(t, trusted)
	for _, v := range vendors {
		p.register(v)
	}
	events := p.appendVendorEvents()
	for _, v := range vendors {
		eventually(
			t,
			30*time.Second,
			v.name+" accepted everything",
			func() bool { return len(v.accepted()) >= len(v.wanted(events)) },
		)
	}
	eventually(t, 10*time.Second, "every delivery succeeded", func() bool {
		return !slices.ContainsFunc(p.deliveries(), func(d deliveryRow) bool { return d.Status != "succeeded" })
	})
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) { v.check(t, events) })
	}
	p.checkSparkboxAttempts(vendors["sparkbox"], events)
	p.checkCoherent(vendors, events)
	p.checkFirespring(vendors["firespring"], vendors["coherent-spark"], events)
	p.checkTransport(vendors["stashfin"])
	p.checkStrangers(vendors)
}

// register makes the endpoint with its subscription, and tells the receiver what it needs to know.
func (p *program) register(v *vendor) {
	p.t.Helper()
	target := v.server.URL
	if path, ok := v.body["url"].(string); ok {
		target += path
	}
	body := map[string]any{"retry": map[string]any{"schedule": []string{"100ms", "100ms"}}}
	for member, value := range v.body {
		body[member] = value
	}
	body["name"], body["url"] = v.name, target
	var made struct {
		ID         string
		SigningKey string `json:"signing_key"`
		Keys       []struct {
			PublicKey string `json:"public_key"`
		}
	}
	p.do("POST", "/v1/tenants/default/endpoints", body, &made)
	key := made.SigningKey
	if len(made.Keys) == 1 && made.Keys[0].PublicKey != "" {
		key = made.Keys[0].PublicKey
	}
	v.endpoint = made.ID
	v.knows(v.reading(made.ID, key), v.answer)
	types := []string{"*"}
	if v.catalog != nil {
		types = v.catalog
	}
	p.do("POST", "/v1/tenants/default/subscriptions", map[string]any{"endpoint_id": made.ID, "event_types": types}, nil)
}

// appendVendorEvents appends all at once.
func (p *program) appendVendorEvents() []storyEvent {
	events := vendorEvents()
	group, ctx := errgroup.WithContext(p.t.Context())
	for i := range events {
		group.Go(func() error {
			e := &events[i]
			id := ""
			if e.id != "" {
				id = fmt.Sprintf(`"id":%q,`, e.id)
			}
			body := fmt.Sprintf(`{%s"type":%q,"occurred_at":"2026-07-02T10:30:00.120+02:00","data":%s}`, id, e.kind, e.data)
			var made struct {
				ID       string
				Sequence int64
			}
			resp, err := p.client().send(ctx, "POST", "/v1/tenants/default/events", strings.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusCreated {
				return problemOf(resp)
			}
			err = json.NewDecoder(resp.Body).Decode(&made)
			e.id, e.sequence = made.ID, made.Sequence
			return err
		})
	}
	if err := group.Wait(); err != nil {
		p.t.Fatal(err)
	}
	return events
}

// wanted are the events of a vendor's catalogue.
func (v *vendor) wanted(events []storyEvent) []storyEvent {
	return slices.DeleteFunc(slices.Clone(events), func(e storyEvent) bool {
		return v.catalog != nil && !slices.Contains(v.catalog, e.kind)
	})
}

// accepted are the arrivals that the vendor's rule takes for delivered.
func (v *vendor) accepted() []arrival {
	all, _ := v.got()
	return slices.DeleteFunc(all, func(a arrival) bool {
		if v.name == "firespring" {
			return a.status != http.StatusOK
		}
		return a.status/100 != 2
	})
}

// check compares what a receiver took with what was appended, and then spoils a request in every way.
func (v *vendor) check(t *testing.T, events []storyEvent) {
	if _, refused := v.got(); len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}
	got := map[wireEventSeen]int{}
	for _, a := range v.accepted() {
		got[a.event]++
	}
	for _, e := range v.wanted(events) {
		want := wireEventSeen{e.id, e.kind, vendorTime, e.data}
		if v.id != nil {
			want.id = v.id(e)
		}
		if v.data != nil {
			want.data = v.data(e.data)
		}
		if got[want] != 1 {
			t.Errorf("accepted %+v %d times; it has %+v", want, got[want], got)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("accepted as well: %+v", got)
	}
	one := v.accepted()[0]
	for name, spoil := range v.spoils {
		a := arrival{header: one.header.Clone(), url: one.url, body: bytes.Clone(one.body)}
		spoil(&a)
		if _, err := v.read(&a); err == nil {
			t.Errorf("a request is let in with %s", name)
		}
	}
}
