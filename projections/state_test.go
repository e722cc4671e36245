package projections_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// TestState_IsAnIndependentFold computes the state of random histories at every sequence as an auditor would who has the
// log and the document's text, without the product's fold and encoding; and again after every subject was erased.
func TestState_IsAnIndependentFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := historytest.New(rt, logtest.NewMemory(time.Now), memorytest.New())
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			h.Step()
		}
		erased, auditors := memorytest.New(), make(map[domain.TenantID]*auditor)
		for _, e := range h.Entries {
			a := auditors[e.Tenant]
			if a == nil {
				a = newAuditor(rt)
				auditors[e.Tenant] = a
			}
			a.fold(e)
			if !e.SubjectKey.IsZero() {
				e = historytest.Erase(t, e)
			}
			if err := projections.Apply(erased, e); err != nil {
				rt.Fatal(err)
			}
			as := projections.AsOf{Sequence: e.Sequence, Set: true}
			want := a.state()
			for name, views := range map[string]projections.Views{"whole": h.Views, "erased": erased} {
				got := readState(rt, views, e.Tenant, as)
				if string(got.JSON) != want {
					rt.Fatalf("%s, %s as of %d:\n%s\nindependent fold:\n%s", name, e.Tenant, e.Sequence, got.JSON, want)
				}
				if strings.Contains(want, `"hash":`) {
					rt.Fatalf("a hash of a key is in %s", want)
				}
			}
		}
	})
}

func readState(t *rapid.T, v projections.Views, tenant domain.TenantID, as projections.AsOf) (s projections.State) {
	err := v.Read(context.Background(), tenant, -1, func(r projections.Reader) (err error) {
		s, err = projections.ReadState(context.Background(), r, as, func(int) error { return nil })
		if errors.Is(err, domain.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// auditor folds a tenant's entries into nested maps.
type auditor struct {
	t        *rapid.T
	things   map[string]map[domain.UUID]map[string]any
	created  map[domain.UUID]domain.Sequence
	delivery map[domain.UUID]string // status
}

func newAuditor(t *rapid.T) *auditor {
	return &auditor{
		t: t, things: make(map[string]map[domain.UUID]map[string]any), created: make(map[domain.UUID]domain.Sequence),
		delivery: make(map[domain.UUID]string),
	}
}

func (a *auditor) fold(e domain.Entry) {
	parts, err := domain.EncodeFact(e.Fact)
	if err != nil {
		a.t.Fatal(err)
	}
	part := func(name string) map[string]any {
		for _, p := range parts {
			if p.Name == name {
				d := json.NewDecoder(bytes.NewReader(p.Bytes))
				d.UseNumber()
				var m map[string]any
				if err := d.Decode(&m); err != nil {
					a.t.Fatal(err)
				}
				return m
			}
		}
		a.t.Fatalf("%s has no part %s", e.Kind, name)
		return nil
	}
	kind, what, _ := strings.Cut(string(e.Kind), ".")
	switch kind {
	case "event":
		deliveries, _ := part("routing")["deliveries"].([]any)
		for _, d := range deliveries {
			id, _ := domain.ParseUUID(d.(map[string]any)["id"].(string))
			a.delivery[id] = "pending"
		}
	case "delivery":
		switch what {
		case "attempt_finished":
			a.delivery[e.Stream.ID] = part("outcome")["status"].(string)
		case "created":
			a.delivery[e.Stream.ID] = "pending"
		case "redriven":
			a.delivery[e.Stream.ID] = "retrying"
		case "resent":
			a.delivery[e.Stream.ID] = "retrying"
			if part("decision")["attempts"].(json.Number) == "0" {
				a.delivery[e.Stream.ID] = "pending"
			}
		case "cancelled":
			a.delivery[e.Stream.ID] = "cancelled"
		}
	case "tenant", "endpoint", "subscription", "key", "registration", "event_type":
		if what == "registered" && kind == "tenant" || what == "unregistered" {
			return
		}
		if kind == "registration" {
			kind = "key"
		}
		if e.StreamVersion == 1 {
			a.created[e.Stream.ID] = e.Sequence
		}
		if a.things[kind] == nil {
			a.things[kind] = make(map[domain.UUID]map[string]any)
		}
		if what == "deleted" || what == "revoked" {
			delete(a.things[kind], e.Stream.ID)
			return
		}
		var config map[string]any
		switch kind {
		case "key":
			config = part("config")
			delete(config, "hash")
		case "event_type":
			config = part("config")
			if schema, ok := config["schema"].(string); ok {
				config["schema_sha256"] = hexOf(schema)
			}
			if examples, ok := config["examples"].([]any); ok {
				var sums []string
				for _, example := range examples {
					sums = append(sums, hexOf(example.(string)))
				}
				config["examples_sha256"] = sums
			}
			delete(config, "schema")
			delete(config, "examples")
		default:
			config = part("config")
		}
		a.things[kind][e.Stream.ID] = map[string]any{
			"config": config, "id": e.Stream.ID, "version": e.StreamVersion,
			"created_sequence": a.created[e.Stream.ID], "updated_sequence": e.Sequence,
		}
	}
}

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// state is "" without a tenant.
func (a *auditor) state() string {
	counts := make(map[string]int)
	for _, status := range a.delivery {
		counts[status]++
	}
	list := func(kind string) []map[string]any {
		return append([]map[string]any{}, slices.SortedFunc(maps.Values(a.things[kind]), func(x, y map[string]any) int {
			return cmp.Compare(x["created_sequence"].(domain.Sequence), y["created_sequence"].(domain.Sequence))
		})...)
	}
	tenants := list("tenant")
	if len(tenants) == 0 {
		return ""
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(map[string]any{
		"deliveries": counts, "endpoints": list("endpoint"), "event_types": list("event_type"), "keys": list("key"),
		"subscriptions": list("subscription"), "tenant": tenants[0],
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TestReadState_Room: a state that doesn't fit isn't read to its end.
func TestReadState_Room(t *testing.T) {
	t.Parallel()
	views := memorytest.New()
	tenant := &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme", Name: strings.Repeat("x", 200)}}
	err := projections.Apply(views, domain.Entry{
		Position: 1, Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.UUID{1}}, StreamVersion: 1,
		Kind: tenant.Kind(), KindVersion: 1, Leaf: []byte("{}"), Fact: tenant,
	})
	if err != nil {
		t.Fatal(err)
	}
	full, held := errors.New("full"), 0
	err = views.Read(t.Context(), "acme", 0, func(r projections.Reader) error {
		_, err := projections.ReadState(t.Context(), r, projections.AsOf{}, func(bytes int) error {
			if held += bytes; held > 300 {
				return full
			}
			return nil
		})
		return err
	})
	if !errors.Is(err, full) {
		t.Errorf("a state of more than 300 bytes: %v", err)
	}
}
