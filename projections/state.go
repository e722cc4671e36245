package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hooktrail/hooktrail/domain"
)

// State is a tenant's whole configuration and its deliveries by status as of a sequence.
//
// Its JSON is canonical (RFC 8785) and follows from the tenant's log up to that sequence alone: no clock, no node, no lag
// of a view and no erasure of a person changes a byte of it. Its members are deliveries (a number for each status that
// any delivery has), endpoints, event_types, keys, subscriptions (each a list in order of creation) and tenant. A thing
// has its id, version, created_sequence and updated_sequence, and its config as the log's entry of that version has it,
// with two differences: a key has no hash, and an event type has the SHA-256 of its schema and examples instead of the
// texts.
type State struct {
	JSON []byte
	// Names are what keys are called. They are people's, so an erasure destroys them: they are no part of JSON.
	Names []KeyNamed
}

// KeyNamed is what a key is called.
type KeyNamed struct {
	ID domain.UUID
	domain.KeyNames
}

// Sum is the SHA-256 of the state's JSON.
func (s *State) Sum() [sha256.Size]byte { return sha256.Sum256(s.JSON) }

// DeliveryCounts are numbers of deliveries by status. A status that no delivery has is absent, so that statuses may be
// added without a change of what was counted before.
type DeliveryCounts map[domain.DeliveryStatus]int64

// StateThing is one thing of a State. Its members are in canonical order.
type StateThing struct {
	Config          any             `json:"config"`
	CreatedSequence domain.Sequence `json:"created_sequence"`
	ID              domain.UUID     `json:"id"`
	UpdatedSequence domain.Sequence `json:"updated_sequence"`
	Version         int             `json:"version"`
}

// stateKey is a key's configuration without its hash and without names.
type stateKey struct {
	domain.KeyRights
	Hash []byte `json:"hash,omitzero"` // hides that of the rights; always nil
}

// stateEventType has hashes in the place of texts, of which a tenant may have hundreds of megabytes.
type stateEventType struct {
	domain.EventTypeConfig
	Schema   string   `json:"schema_sha256,omitempty"`
	Examples []string `json:"examples_sha256,omitempty"`
}

func thingOfTenant(t *Tenant) StateThing {
	return StateThing{t.TenantConfig, t.Created.Sequence, t.Stream, t.Updated.Sequence, t.Version}
}

func thingOfKey(k *Key) StateThing {
	return StateThing{stateKey{KeyRights: k.KeyRights}, k.Created.Sequence, k.ID, k.Updated.Sequence, k.Version}
}

func thingOfEndpoint(e *Endpoint) StateThing {
	return StateThing{e.EndpointConfig, e.Created.Sequence, e.ID, e.Updated.Sequence, e.Version}
}

func thingOfSubscription(s *Subscription) StateThing {
	return StateThing{s.SubscriptionConfig, s.Created.Sequence, s.ID, s.Updated.Sequence, s.Version}
}

func thingOfEventType(t *EventType) StateThing {
	c := stateEventType{EventTypeConfig: t.EventTypeConfig}
	c.EventTypeConfig.Schema, c.EventTypeConfig.Examples = "", nil
	if t.EventTypeConfig.Schema != "" {
		c.Schema = sumOf(t.EventTypeConfig.Schema)
	}
	for _, example := range t.EventTypeConfig.Examples {
		c.Examples = append(c.Examples, sumOf(example))
	}
	return StateThing{c, t.Created.Sequence, t.ID, t.Updated.Sequence, t.Version}
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Canonical is the thing in canonical JSON (RFC 8785).
func (t StateThing) Canonical() ([]byte, error) { return canonical(t) }

func canonical(value any) ([]byte, error) {
	b, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(b)
	return v, v.Canonicalize()
}

// ReadState reads a tenant's state as of a moment; a tenant that doesn't exist then is domain.ErrNotFound. room is asked
// before more bytes are held, and its error ends the reading.
func ReadState(ctx context.Context, r Reader, as AsOf, room func(bytes int) error) (State, error) {
	tenant, err := r.Tenant(ctx, as)
	if err != nil {
		return State{}, err
	}
	counts, err := r.DeliveryCounts(ctx, as)
	if err != nil {
		return State{}, err
	}
	w := &stateWriter{room: room}
	w.member(`{"deliveries":`)
	w.value(counts)
	w.member(`,"endpoints":`)
	list(w, func(p Page) ([]Endpoint, error) { return r.Endpoints(ctx, p, as) }, thingOfEndpoint)
	w.member(`,"event_types":`)
	list(w, func(p Page) ([]EventType, error) { return r.EventTypes(ctx, p, as) }, thingOfEventType)
	w.member(`,"keys":`)
	list(w, func(p Page) ([]Key, error) { return r.Keys(ctx, p, as) }, func(k *Key) StateThing {
		if k.KeyNames != (domain.KeyNames{}) {
			w.names = append(w.names, KeyNamed{k.ID, k.KeyNames})
		}
		return thingOfKey(k)
	})
	w.member(`,"subscriptions":`)
	list(w, func(p Page) ([]Subscription, error) {
		return r.Subscriptions(ctx, domain.UUID{}, p, as)
	}, thingOfSubscription)
	w.member(`,"tenant":`)
	w.value(thingOfTenant(&tenant))
	w.member(`}`)
	return State{w.b, w.names}, w.err
}

// stateWriter writes a state; after an error it writes nothing more.
type stateWriter struct {
	b     []byte
	names []KeyNamed
	held  int
	room  func(bytes int) error
	err   error
}

func (w *stateWriter) member(text string) { w.write([]byte(text)) }

func (w *stateWriter) value(value any) {
	b, err := canonical(value)
	if w.err == nil {
		w.err = err
	}
	w.write(b)
}

func (w *stateWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	if need := 2 * (len(w.b) + len(b)); need > w.held { // while it grows, there are two of it
		if w.err = w.room(2*need - w.held); w.err != nil {
			return
		}
		w.held = 2 * need
	}
	w.b = append(w.b, b...)
}

// statePage is how many things are read at once.
const statePage = 200

// list writes all things of one sort, in order of creation.
func list[T any](w *stateWriter, read func(Page) ([]T, error), thing func(*T) StateThing) {
	w.member("[")
	page := Page{Limit: statePage}
	for first := true; w.err == nil; {
		rows, err := read(page)
		if err != nil {
			w.err = fmt.Errorf("read the state: %w", err)
			return
		}
		for i := range rows {
			if !first {
				w.member(",")
			}
			first = false
			t := thing(&rows[i])
			w.value(t)
			page.After, page.AfterID = &t.CreatedSequence, t.ID
		}
		if len(rows) < statePage {
			break
		}
	}
	w.member("]")
}
