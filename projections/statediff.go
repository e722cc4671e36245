package projections

import (
	"bytes"

	"github.com/hooktrail/hooktrail/domain"
)

// Changed is a thing of configuration that changed between two moments.
type Changed struct {
	Stream   domain.Stream
	First    domain.Sequence // of the first version after the earlier moment
	Versions int             // how many versions began up to the later one
}

// ConfigOf is the configuration that an entry gives to the thing that it is about, in canonical JSON as a State has it;
// nil where the thing has none from then on.
func ConfigOf(e *domain.Entry) ([]byte, error) {
	var put lastPut
	if err := Apply(&put, *e); err != nil || put.thing == nil {
		return nil, err
	}
	return canonical(put.thing.Config)
}

// lastPut is a Store that keeps the last version of configuration that was put.
type lastPut struct {
	noDeliveries
	thing *StateThing // nil: it doesn't exist any more
}

func (p *lastPut) put(thing StateThing, deleted bool) error {
	if p.thing = &thing; deleted {
		p.thing = nil
	}
	return nil
}

// PutTenant implements Store.
func (p *lastPut) PutTenant(row Tenant) error { return p.put(thingOfTenant(&row), row.Deleted) }

// PutKey implements Store.
func (p *lastPut) PutKey(row Key) error { return p.put(thingOfKey(&row), row.Revoked) }

// PutEndpoint implements Store.
func (p *lastPut) PutEndpoint(row Endpoint) error { return p.put(thingOfEndpoint(&row), row.Deleted) }

// PutSubscription implements Store.
func (p *lastPut) PutSubscription(row Subscription) error {
	return p.put(thingOfSubscription(&row), row.Deleted)
}

// PutEventType implements Store.
func (p *lastPut) PutEventType(row EventType) error {
	return p.put(thingOfEventType(&row), row.Deleted)
}

// PutProfile implements Store.
func (p *lastPut) PutProfile(Profile) error { return nil }

// Advance implements Store.
func (p *lastPut) Advance(domain.TenantID, Origin) error { return nil }

// MemberChange is a member of a configuration that differs between two versions. A side that doesn't have it is nil.
type MemberChange struct {
	Name          string
	Before, After []byte // canonical JSON
}

// CompareConfigs returns the members in which two configurations differ, in order of name. Either may be nil.
func CompareConfigs(before, after []byte) ([]MemberChange, error) {
	old, err := membersOf(before)
	if err != nil {
		return nil, err
	}
	young, err := membersOf(after)
	if err != nil {
		return nil, err
	}
	var changes []MemberChange
	for len(old)+len(young) > 0 {
		switch {
		case len(young) == 0 || len(old) > 0 && old[0].Name < young[0].Name:
			changes = append(changes, MemberChange{old[0].Name, old[0].Raw, nil})
			old = old[1:]
		case len(old) == 0 || young[0].Name < old[0].Name:
			changes = append(changes, MemberChange{young[0].Name, nil, young[0].Raw})
			young = young[1:]
		default:
			if !bytes.Equal(old[0].Raw, young[0].Raw) {
				changes = append(changes, MemberChange{old[0].Name, old[0].Raw, young[0].Raw})
			}
			old, young = old[1:], young[1:]
		}
	}
	return changes, nil
}

func membersOf(config []byte) ([]domain.Member, error) {
	if config == nil {
		return nil, nil
	}
	return domain.SplitObject(config)
}
