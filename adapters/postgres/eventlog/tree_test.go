package eventlog

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestTree holds frontier and tiles against package tlog's own tree, over more than a tile of tiles and with the tails
// lost on the way.
func TestTree(t *testing.T) {
	t.Parallel()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	const size = tileWidth*tileWidth + 300
	var head tenantHead
	tiles := map[[2]int64]tile{}
	for n := int64(0); n < size; {
		grown, err := newTree(head.size, head.frontier, head.tails)
		if err != nil {
			t.Fatal(err)
		}
		for range min(1+n%777, size-n) {
			leaf := binary.BigEndian.AppendUint64(nil, uint64(n))
			if err := grown.add(1, leaf); err != nil {
				t.Fatal(err)
			}
			hashes, err := tlog.StoredHashes(n, leaf, reader)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, hashes...)
			n++
		}
		for _, full := range grown.full {
			tiles[[2]int64{int64(full.level), full.index}] = full
		}
		head = tenantHead{size: grown.size(), frontier: grown.bytes(), tails: grown.tails}
		if n%5 == 0 {
			head.tails = nil // another process went on
		}
		root, err := frontierRoot(head.size, head.frontier)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := tlog.TreeHash(n, reader); err != nil || root != want {
			t.Fatalf("root of %d leaves is %v, want %v, %v", n, root, want, err)
		}
	}
	if len(tiles) != size/tileWidth+1 {
		t.Errorf("%d tiles became full", len(tiles))
	}
	for at, full := range tiles {
		for i, hash := range full.hashes {
			index := full.index*tileWidth + int64(full.missing()+i)
			if want := stored[tlog.StoredHashIndex(full.level*tileHeight, index)]; hash != want {
				t.Fatalf("tile %v: hash %d is wrong", at, full.missing()+i)
			}
		}
	}
}

func TestTree_DamagedFrontier(t *testing.T) {
	t.Parallel()
	for _, frontier := range [][]byte{nil, make([]byte, 31), make([]byte, 96)} {
		if _, err := newTree(3, frontier, nil); err == nil {
			t.Errorf("a frontier of %d bytes was taken for that of 3 leaves", len(frontier))
		}
	}
}

// frontierRoot is the root hash of the tree that a head describes.
func frontierRoot(size int64, frontier []byte) (tlog.Hash, error) {
	t, err := newTree(size, frontier, nil)
	if err != nil {
		return tlog.Hash{}, err
	}
	root, err := t.frontier.GetRootHash(nil)
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("compute the root of %d leaves: %w", size, err)
	}
	return tlog.Hash(root), nil
}
