package openapi

import (
	"context"
	"encoding/hex"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// stateOut documents what getState writes by hand.
type stateOut struct {
	Sequence int64                  `json:"sequence" doc:"The sequence as of which the state is." example:"41"`
	SHA256   string                 `json:"state_sha256" doc:"In hex, of the member state in canonical JSON (RFC 8785), which is how this answer has it." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	State    stateMembers           `json:"state" doc:"Follows from the log up to the sequence alone."`
	KeyNames map[string]keyNamesOut `json:"key_names" doc:"What keys are called, by id. Erasing a principal destroys the names, so they aren't part of the state."`
}

// stateMembers documents projections.State.
type stateMembers struct {
	Deliveries    map[string]int64 `json:"deliveries" doc:"How many deliveries were in each status; a status without any is absent." example:"{\"dead\":2,\"succeeded\":4711}"`
	Endpoints     []stateThing     `json:"endpoints" doc:"In order of creation, like all lists here."`
	EventTypes    []stateThing     `json:"event_types" doc:"With schema_sha256 and examples_sha256 (in hex, of the exact texts) in the place of the texts; …/event-types/{name}?as_of_sequence= has those."`
	Keys          []stateThing     `json:"keys" doc:"Keys and registrations that weren't revoked, expired ones too; without hashes."`
	Subscriptions []stateThing     `json:"subscriptions" doc:"All that weren't deleted."`
	Tenant        stateThing       `json:"tenant" doc:"The tenant's settings."`
}

// stateThing documents projections.StateThing.
type stateThing struct {
	Config          map[string]any `json:"config" doc:"As in data.config of the log's entry at updated_sequence."`
	CreatedSequence int64          `json:"created_sequence" doc:"The entry that made the thing." example:"12"`
	ID              domain.UUID    `json:"id" format:"uuid" doc:"The thing's stream." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	UpdatedSequence int64          `json:"updated_sequence" doc:"The entry that changed it last." example:"30"`
	Version         int            `json:"version" doc:"Counts the thing's changes, from 1." example:"3"`
}

type keyNamesOut struct {
	Name      string `json:"name" doc:"What the key is called." example:"ci"`
	Principal string `json:"principal" doc:"The person or system behind it." example:"release pipeline"`
}

// stateAnswer is an answer of getState.
type stateAnswer struct {
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence as of which the state is." example:"41"`
	SHA256      string `header:"Hooktrail-State-SHA256" doc:"The state's hash, in hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Body        []byte
}

type getStateIn struct {
	rest.TenantPath
	rest.AsOfQuery
}

// getState shows a tenant's state. What it says of now reflects every write that was answered before it arrived.
func getState(ctx context.Context, c *call, in *getStateIn) (*stateAnswer, error) {
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	var state projections.State
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) (err error) {
			state, err = projections.ReadState(ctx, r, as, func(bytes int) error { return roomFor(c, bytes) })
			return err
		})
	if err != nil {
		return nil, err
	}
	sum := state.Sum()
	out := &stateAnswer{ContentType: rest.JSON, Sequence: rest.SequenceText(n), SHA256: hex.EncodeToString(sum[:])}
	names := make(map[string]keyNamesOut, len(state.Names))
	for _, k := range state.Names {
		names[k.ID.String()] = keyNamesOut(k.KeyNames)
	}
	if err := roomFor(c, len(state.JSON)+keyNameBytes*len(names)); err != nil {
		return nil, err
	}
	out.Body, err = rest.Splice(make([]byte, 0, len(state.JSON)+keyNameBytes*len(names)), struct {
		Sequence int64                  `json:"sequence"`
		SHA256   string                 `json:"state_sha256"`
		KeyNames map[string]keyNamesOut `json:"key_names"`
	}{int64(n), out.SHA256, names}, domain.Member{Name: "state", Raw: state.JSON})
	return out, err
}

// keyNameBytes is about what a key's names take in an answer.
const keyNameBytes = 256

// roomFor refuses a request that would hold more bytes than there is room for.
func roomFor(c *call, bytes int) error {
	if !c.Hold.Grow(bytes) {
		return rest.Full()
	}
	return nil
}
