package domain

import (
	"errors"
	"fmt"
	"slices"
)

// Validate refuses a group that no log can append, whatever the log already contains. It is a fault of the program that
// made the group, never of a client: both logs call it before anything else.
func (g Group) Validate() error {
	if len(g.Drafts) == 0 {
		return errors.New("append: a group has at least one draft")
	}
	for i, d := range g.Drafts {
		if err := d.validate(); err != nil {
			return fmt.Errorf("append: draft %d: %w", i, err)
		}
	}
	if err := g.validateClaims(); err != nil {
		return err
	}
	for i, f := range g.Fences {
		if f.Lease == "" || f.Owner.IsZero() || f.Epoch < 1 {
			return fmt.Errorf("append: fence %d: has lease, owner and an epoch from 1", i)
		}
		if f.Ending && slices.ContainsFunc(g.Drafts, Draft.beyondEnding) {
			return fmt.Errorf("append: fence %d: an ending one lets nothing but ends of attempts be said of deliveries", i)
		}
	}
	if g.Basis != nil && (g.Basis.Tenant == "" || g.Basis.Configuration < 0) {
		return errors.New("append: basis: has a tenant and a sequence")
	}
	return g.validateTakes()
}

func (d Draft) validate() error {
	switch {
	case d.Fact == nil:
		return errors.New("has no fact")
	case d.Tenant == "":
		return errors.New("has no tenant")
	case d.Stream.Kind == "" || d.Stream.ID.IsZero():
		return errors.New("has no stream")
	case d.Expected < AnyVersion:
		return errors.New("expects a negative version")
	case d.Cause < 0:
		return errors.New("has a negative cause")
	}
	return nil
}

// beyondEnding reports whether a draft says more of a delivery than that an attempt has ended.
func (d Draft) beyondEnding() bool {
	return d.Stream.Kind == StreamDelivery && d.Fact.Kind() != KindAttemptFinished
}

func (g Group) validateClaims() error {
	if len(g.Claims) == 0 {
		return nil // as nearly always: not even a map is made
	}
	type name struct {
		tenant     TenantID
		scope, key string
	}
	seen := make(map[name]bool, len(g.Claims))
	for i, c := range g.Claims {
		n := name{c.Tenant, c.Scope, c.Key}
		switch {
		case c.Tenant == "" || c.Scope == "" || c.Key == "":
			return fmt.Errorf("append: claim %d: has tenant, scope and key", i)
		case c.First < 0 || c.Count < 1 || c.First > len(g.Drafts)-c.Count:
			return fmt.Errorf("append: claim %d: names drafts of the group", i)
		case seen[n]:
			return fmt.Errorf("append: claim %d: is a duplicate", i)
		}
		seen[n] = true
		for _, d := range g.Drafts[c.First : c.First+c.Count] {
			if d.Tenant != c.Tenant {
				return fmt.Errorf("append: claim %d: names drafts of its own tenant", i)
			}
		}
	}
	return nil
}

func (g Group) validateTakes() error {
	if len(g.Takes) == 0 {
		return nil
	}
	seen := make(map[string]bool, len(g.Takes))
	for i, t := range g.Takes {
		if t.Lease == "" || t.Owner.IsZero() || t.Epoch < 1 || t.Expiry < 0 {
			return fmt.Errorf("append: take %d: has lease, owner, an epoch from 1 and an expiry", i)
		}
		if seen[t.Lease] {
			return fmt.Errorf("append: take %d: its lease is a duplicate", i)
		}
		if slices.ContainsFunc(t.Partings, func(p Parting) bool {
			return p.Node.IsZero() || p.Epoch < 1 || p.Epoch >= t.Epoch || p.Until.IsZero()
		}) {
			return fmt.Errorf("append: take %d: a parting has a node, an epoch before the take's and a time", i)
		}
		seen[t.Lease] = true
	}
	return nil
}
