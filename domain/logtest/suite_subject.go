package logtest

import "github.com/hooktrail/hooktrail/domain"

// testSubject: which key seals an entry's personal parts.
func testSubject(f *fixture) {
	about := func(subject string) domain.Draft {
		d := f.event()
		d.Subject = subject
		return d
	}
	f.step("all entries about a subject name one key", func(f *fixture) {
		entries := f.append(group(about("ann"), about("bob"), about("ann"), f.event()))
		again := f.append(group(about("ann")))[0]
		ann, bob := entries[0].SubjectKey, entries[1].SubjectKey
		if ann.IsZero() || bob.IsZero() || ann == bob || entries[2].SubjectKey != ann || again.SubjectKey != ann {
			f.Errorf("keys are %s, %s, %s and later %s", ann, bob, entries[2].SubjectKey, again.SubjectKey)
		}
		if key := entries[3].SubjectKey; !key.IsZero() {
			f.Errorf("an entry about nobody names key %s", key)
		}
		for _, e := range append(entries, again) {
			sameEntry(f.T, f.one(e), e)
		}
	})
	f.step("a routing without personal parts names its event's key", func(f *fixture) {
		event := about("ann")
		routed := f.on(event.Stream, 1)
		routed.Subject = event.Subject
		entries := f.append(group(event, routed))
		if entries[1].SubjectKey != entries[0].SubjectKey {
			f.Errorf("keys are %s and %s", entries[0].SubjectKey, entries[1].SubjectKey)
		}
	})
	f.step("a key may be named itself", func(f *fixture) {
		key := f.append(group(about("ann")))[0].SubjectKey
		end := f.on(domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}, 0)
		end.SubjectKey = key
		end.Fact = &domain.AttemptFinished{
			Body: []byte("thanks"),
			Result: domain.AttemptResult{
				AttemptEnd: domain.AttemptEnd{Number: 1, Outcome: domain.OutcomeSucceeded, Status: domain.DeliverySucceeded},
				Exchange:   domain.Exchange{Detail: "detail"},
			},
		}
		e := f.append(group(end))[0]
		if e.SubjectKey != key || e.Erased {
			f.Errorf("key %s, erased %v", e.SubjectKey, e.Erased)
		}
		sameFact(f.T, f.one(e).Fact, end.Fact)
	})
}
