package reconcile

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
)

// The names of the two sets of files.
const (
	receivedName = "received"
	sentName     = "sent"
)

// sent is what is said of an id that was sent: whether an attempt succeeded, and of which delivery.
func sentRecord(b []byte, delivered bool, created domain.Sequence, delivery domain.UUID) []byte {
	flag := byte(0)
	if delivered {
		flag = 1
	}
	return append(binary.AppendUvarint(append(b[:0], flag), uint64(created)), delivery[:]...)
}

// listed is what is known of an id in a receiver's list.
type listed struct {
	line            int64
	sent, delivered bool
}

// lacking is a delivery of which the id isn't in the list.
type lacking struct {
	created  domain.Sequence
	delivery domain.UUID
}

// match compares the files of a directory. longest is how many different ids the longest file had.
func match(ctx context.Context, dir string) (sums domain.ReceivedSums, longest int, err error) {
	var missed firstOf[lacking]
	missed.less = func(a, b lacking) int {
		if a.created != b.created {
			return int(a.created - b.created)
		}
		return slices.Compare(a.delivery[:], b.delivery[:])
	}
	ascending := func(a, b int64) int { return int(a - b) }
	repeated, unsent := firstOf[int64]{less: ascending}, firstOf[int64]{less: ascending}
	for n := range spillFiles {
		if ctx.Err() != nil {
			return sums, longest, ctx.Err()
		}
		ids := make(map[string]listed)
		err := readSpill(dir, receivedName, n, func(id, rest []byte) error {
			line, _ := binary.Uvarint(rest)
			_, known := ids[string(id)]
			if !known {
				ids[string(id)] = listed{line: int64(line)}
				return nil
			}
			repeated.add(int64(line))
			return nil
		})
		if err != nil {
			return sums, longest, err
		}
		longest = max(longest, len(ids))
		err = readSpill(dir, sentName, n, func(id, rest []byte) error {
			created, size := binary.Uvarint(rest[1:])
			if size < 1 || len(rest) != 1+size+len(domain.UUID{}) {
				return errors.New("a spilled record isn't one that is written")
			}
			delivered := rest[0] == 1
			entry, known := ids[string(id)]
			switch {
			case known:
				entry.sent, entry.delivered = true, entry.delivered || delivered
				ids[string(id)] = entry
			case delivered:
				missed.add(lacking{domain.Sequence(created), domain.UUID(rest[1+size:])})
			}
			return nil
		})
		if err != nil {
			return sums, longest, err
		}
		sums.Distinct += int64(len(ids))
		for _, entry := range ids {
			switch {
			case entry.delivered:
				sums.Both++
			case entry.sent:
				sums.Undelivered++
			default:
				unsent.add(entry.line)
			}
		}
	}
	for _, l := range missed.sorted() {
		sums.Lacking = append(sums.Lacking, l.delivery)
	}
	sums.LackingCount = missed.count
	sums.Repeated, sums.RepeatedCount = repeated.sorted(), repeated.count
	sums.Unsent, sums.UnsentCount = unsent.sorted(), unsent.count
	return sums, longest, nil
}

// firstOf keeps the first MaxDiscrepancies of any number of things, and counts all.
type firstOf[T any] struct {
	less  func(a, b T) int
	kept  []T
	count int64
}

func (f *firstOf[T]) add(thing T) {
	f.count++
	if f.kept = append(f.kept, thing); len(f.kept) >= 16*domain.MaxDiscrepancies {
		f.kept = f.sorted()
	}
}

func (f *firstOf[T]) sorted() []T {
	slices.SortFunc(f.kept, f.less)
	return f.kept[:min(len(f.kept), domain.MaxDiscrepancies)]
}
