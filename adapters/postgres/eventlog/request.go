package eventlog

import (
	"fmt"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
)

// request is one group on its way through the appender.
type request struct {
	group   domain.Group
	drafts  []prepared
	macs    []claimMAC // of the claims
	digests [][32]byte // of the claims' requests, keyed
	given   *given     // what was replaced by a decision under the lock; nil: nothing
	bytes   int
	began   time.Time
	call    *call
	index   int // of the group in its call

	// The rest belongs to the appender.

	rejected error
	same     *duplicate // claims what an earlier group of the same batch claims
}

// given is what a group was given with.
type given struct {
	group  domain.Group
	drafts []prepared
}

func (r *request) answer(outcome domain.Outcome) { r.call.answer(r.index, outcome) }

func (r *request) fail(err error) { r.answer(domain.Outcome{Err: err}) }

// unknownTenant is the error of a request with a draft whose tenant doesn't exist.
func (r *request) unknownTenant() error {
	for i := range r.drafts {
		if p := &r.drafts[i]; p.origin == "" {
			return fmt.Errorf("append to %s of tenant %s: %w", p.Stream, p.Tenant, domain.ErrUnknownTenant)
		}
	}
	return nil
}

// duplicate says which claim of an earlier group of the batch a group repeats.
type duplicate struct {
	earlier        *request
	earlierClaim   int
	repeatingClaim int
}

// asError is what the repeating group is answered after the earlier one was committed.
func (d *duplicate) asError(repeating *request) *domain.ClaimedError {
	claim := d.earlier.group.Claims[d.earlierClaim]
	first := &d.earlier.drafts[claim.First]
	return &domain.ClaimedError{
		Claim: d.repeatingClaim, Same: d.earlier.digests[d.earlierClaim] == repeating.digests[d.repeatingClaim],
		Sequence: first.sequence, Count: claim.Count, At: first.recordedAt,
	}
}

// call is one Append: it is done when each of its groups has an outcome.
type call struct {
	done chan struct{}

	mu         sync.Mutex // guards all below
	outcomes   []domain.Outcome
	unanswered int  // groups
	abandoned  bool // nobody waits any more
}

func (c *call) answer(index int, outcome domain.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned {
		return
	}
	c.outcomes[index] = outcome
	if c.unanswered--; c.unanswered == 0 {
		close(c.done)
	}
}

// abandon ends the waiting: what has no outcome gets the error.
func (c *call) abandon(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned = c.unanswered > 0; !c.abandoned {
		return
	}
	for i := range c.outcomes {
		if c.outcomes[i].Entries == nil && c.outcomes[i].Err == nil {
			c.outcomes[i].Err = err
		}
	}
}

func (c *call) isAbandoned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.abandoned
}

// prepared is a draft with everything done that doesn't need the lock. The appender fills in the second half.
type prepared struct {
	*domain.Draft
	kind        domain.Kind
	kindVersion int
	origin      string // under which the content is sealed
	keys        seal.Keys
	packed      *seal.Packed // nil: no content
	fact        domain.Fact  // as it is kept: without what was sealed under a destroyed key
	content     []byte
	sealedAs    int // the stream version for which the content is sealed, 0: not yet

	position      domain.Position
	sequence      domain.Sequence
	streamVersion int
	recordedAt    time.Time
	leaf          []byte
	leafColumn    []byte
}

func newDrafts(drafts []domain.Draft) []prepared {
	made := make([]prepared, len(drafts))
	for i := range drafts {
		kind := drafts[i].Fact.Kind()
		made[i] = prepared{Draft: &drafts[i], kind: kind, kindVersion: kind.Version(), fact: drafts[i].Fact}
	}
	return made
}

// leafSoFar is the entry's leaf; before it is numbered, without sequence and time.
func (p *prepared) leafSoFar() domain.Leaf {
	leaf := domain.Leaf{
		Origin: p.origin, Sequence: p.sequence, Kind: p.kind, KindVersion: p.kindVersion, Critical: p.kind.Critical(),
		Stream: p.Stream, StreamVersion: p.streamVersion, By: p.By, RecordedAt: p.recordedAt, Cause: p.Cause,
	}
	if p.packed != nil {
		leaf.DataKey, leaf.Commitments = p.keys.Period.ID, p.packed.Commitments
	}
	return leaf
}

// entry is what readers get of a draft that was appended.
func (p *prepared) entry() domain.Entry {
	return domain.Entry{
		Position: p.position, Tenant: p.Tenant, Sequence: p.sequence, Stream: p.Stream, StreamVersion: p.streamVersion,
		Kind: p.kind, KindVersion: p.kindVersion, By: p.By, Cause: p.Cause, RecordedAt: p.recordedAt,
		Leaf: p.leaf, Fact: p.fact, Reason: p.Reason, Context: p.Context, SubjectKey: p.keys.SubjectID,
		Critical: p.kind.Critical(), Erased: p.packed != nil && p.packed.Erased,
	}
}
