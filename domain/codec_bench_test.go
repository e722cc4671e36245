package domain_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// hotFacts are the four facts of deliveries: an event with its routing, a continued routing, a retry's start, an end.
func hotFacts() []domain.Fact {
	event := exampleEvent()
	event.Event.Extensions, event.Event.Test = nil, nil
	event.Routing.Skipped, event.Verdicts.Skipped = nil, nil
	event.Routing.Deliveries[0].Subscriptions = event.Routing.Deliveries[0].Subscriptions[:1]
	finish := exampleFinish()
	finish.Result.Outcome, finish.Result.Status, finish.Result.Error, finish.Result.Detail =
		domain.OutcomeSucceeded, domain.DeliverySucceeded, "", ""
	return []domain.Fact{event, &domain.EventRouted{Routing: event.Routing}, exampleStart(), finish}
}

func BenchmarkEncodeFact(b *testing.B) {
	for _, f := range hotFacts() {
		b.Run(string(f.Kind()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.EncodeFact(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeFact(b *testing.B) {
	for _, f := range hotFacts() {
		parts, err := domain.EncodeFact(f)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(f.Kind()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.DecodeFact(f.Kind(), 1, parts, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLeaf_Append(b *testing.B) {
	leaf, buffer := exampleLeaf(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buffer = leaf.Append(buffer[:0])
	}
}

func BenchmarkLeaf_AppendContext(b *testing.B) {
	leaf, buffer := exampleLeaf(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buffer = leaf.AppendContext(buffer[:0])
	}
}

func BenchmarkParseLeaf(b *testing.B) {
	leaf := exampleLeaf()
	encoded := leaf.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := domain.ParseLeaf(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	salt, content := make([]byte, domain.SaltBytes), make([]byte, 1024)
	for b.Loop() {
		domain.Commit("data", salt, content)
	}
}

func exampleLeaf() domain.Leaf {
	return domain.Leaf{
		Origin: "hooktrail-4711/acme", Sequence: 4711, Kind: domain.KindAttemptFinished, KindVersion: 1,
		Stream: domain.Stream{Kind: domain.StreamDelivery, ID: id(2)}, StreamVersion: 3,
		By: domain.Actor{Principal: id(31), Credential: id(30)}, RecordedAt: noon, Cause: 4709, DataKey: id(60),
		Commitments: []domain.Commitment{
			domain.Commit(domain.PartOutcome, []byte("salt"), []byte("x")), domain.Commit(domain.PartAnswer, []byte("salt"), []byte("y")),
		},
	}
}
