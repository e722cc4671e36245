package eventlog

import (
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/transparency-dev/merkle/compact"
	"golang.org/x/mod/sumdb/tlog"
)

// tree is a tenant's Merkle tree while a batch is integrated: the frontier, and the hashes of tiles that aren't full
// yet. Its nodes are those of RFC 6962 §2.1, computed by package tlog.
type tree struct {
	frontier *compact.Range
	tails    *tails
	full     []tile // that the appended leaves filled
}

var treeFactory = compact.RangeFactory{Hash: func(left, right []byte) []byte {
	node := tlog.NodeHash(tlog.Hash(left), tlog.Hash(right))
	return node[:]
}}

// newTree goes on from a size and its frontier (the hashes, one behind the other). It changes neither the frontier nor
// the tails that it was given.
func newTree(size int64, frontier []byte, known *tails) (*tree, error) {
	if len(frontier)%tlog.HashSize != 0 {
		return nil, errors.New("the frontier is damaged")
	}
	hashes := make([][]byte, 0, len(frontier)/tlog.HashSize)
	for i := 0; i < len(frontier); i += tlog.HashSize {
		hashes = append(hashes, frontier[i:i+tlog.HashSize:i+tlog.HashSize])
	}
	r, err := treeFactory.NewRange(0, uint64(size), hashes)
	if err != nil {
		return nil, fmt.Errorf("the frontier is damaged: %w", err)
	}
	return &tree{frontier: r, tails: known.clone(size)}, nil
}

// add appends the leaf of the entry at a position.
func (t *tree) add(position domain.Position, leaf []byte) error {
	hash := tlog.RecordHash(leaf)
	return t.frontier.Append(hash[:], func(id compact.NodeID, hash []byte) {
		if id.Level%tileHeight != 0 {
			return
		}
		if full, ok := t.tails.add(int(id.Level/tileHeight), int64(id.Index), tlog.Hash(hash)); ok {
			full.position = position
			t.full = append(t.full, full)
		}
	})
}

func (t *tree) size() int64 { return int64(t.frontier.End()) }

// bytes is the frontier as the head keeps it.
func (t *tree) bytes() []byte {
	hashes := t.frontier.Hashes()
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h...)
	}
	return b
}
