package eventlog

import (
	"bufio"
	"bytes"
	"container/heap"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
)

const (
	// uniqueBytes of a hash of tenant and commitment are compared: enough that two different ones never look the same.
	uniqueBytes = 16
	// maxUnique is how many are in memory; more go into sorted temporary files of that many.
	maxUnique = 1 << 20
)

// uniqueCheck finds a value that was added twice, in bounded memory.
type uniqueCheck struct {
	values [][uniqueBytes]byte
	runs   []*os.File
}

func newUniqueCheck() *uniqueCheck { return new(uniqueCheck) }

var errCommitmentTwice = errors.New("a commitment occurs twice in a tenant's log")

func (u *uniqueCheck) add(tenant domain.TenantID, commitment [sha256.Size]byte) error {
	sum := sha256.Sum256(append(commitment[:], tenant...))
	u.values = append(u.values, [uniqueBytes]byte(sum[:uniqueBytes]))
	if len(u.values) < maxUnique {
		return nil
	}
	return u.spill()
}

// spill writes what is in memory into a file, sorted.
func (u *uniqueCheck) spill() error {
	if err := u.sort(); err != nil {
		return err
	}
	file, err := os.CreateTemp("", "hooktrail-verify-*")
	if err != nil {
		return fmt.Errorf("compare commitments: %w", err)
	}
	u.runs = append(u.runs, file)
	if err := os.Remove(file.Name()); err != nil { // it lives as long as it is open
		return fmt.Errorf("compare commitments: %w", err)
	}
	w := bufio.NewWriter(file)
	for i := range u.values {
		if _, err := w.Write(u.values[i][:]); err != nil {
			return fmt.Errorf("compare commitments: %w", err)
		}
	}
	u.values = u.values[:0]
	if err := w.Flush(); err != nil {
		return fmt.Errorf("compare commitments: %w", err)
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}

func (u *uniqueCheck) sort() error {
	slices.SortFunc(u.values, func(a, b [uniqueBytes]byte) int { return bytes.Compare(a[:], b[:]) })
	for i := 1; i < len(u.values); i++ {
		if u.values[i] == u.values[i-1] {
			return errCommitmentTwice
		}
	}
	return nil
}

// check compares everything that was added.
func (u *uniqueCheck) check() error {
	if len(u.runs) == 0 {
		return u.sort()
	}
	if err := u.spill(); err != nil {
		return err
	}
	var merged runHeap
	for _, file := range u.runs {
		run := &sortedRun{reader: bufio.NewReader(file)}
		if more, err := run.next(); err != nil {
			return err
		} else if more {
			merged = append(merged, run)
		}
	}
	heap.Init(&merged)
	var last [uniqueBytes]byte
	for first := true; len(merged) > 0; first = false {
		run := merged[0]
		if !first && run.value == last {
			return errCommitmentTwice
		}
		last = run.value
		more, err := run.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&merged, 0)
		default:
			heap.Pop(&merged)
		}
	}
	return nil
}

func (u *uniqueCheck) close() {
	for _, file := range u.runs {
		_ = file.Close() // it is deleted already
	}
}

// sortedRun is a file that is read value by value.
type sortedRun struct {
	reader *bufio.Reader
	value  [uniqueBytes]byte
}

func (r *sortedRun) next() (more bool, err error) {
	_, err = io.ReadFull(r.reader, r.value[:])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("compare commitments: %w", err)
	}
	return true, nil
}

// runHeap implements heap.Interface, the least value first.
type runHeap []*sortedRun

// Len implements heap.Interface.
func (h runHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h runHeap) Less(i, j int) bool { return bytes.Compare(h[i].value[:], h[j].value[:]) < 0 }

// Swap implements heap.Interface.
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface; nothing is pushed.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*sortedRun)) }

// Pop implements heap.Interface.
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
