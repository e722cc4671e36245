package seal

import (
	"encoding/binary"
	"math/bits"
)

// smallEncoder writes blocks of S2 with a dictionary, which package s2 reads. That package's own encoder clears a table of
// 64 KiB on the stack for each content, whatever its size: for contents of a few hundred bytes that was three quarters of
// the time, and had every goroutine that appends grow its stack.
//
// Blocks consist of literals and copies (https://github.com/google/snappy/blob/main/format_description.txt); a copy may
// reach back into the dictionary, as if that stood before the content, but not across its end. Immutable.
type smallEncoder struct {
	dictionary string
	places     smallTable // in the dictionary
}

// smallTable remembers, by the hash of the four bytes there, where in the window something stood last.
type smallTable [1 << smallTableBits]uint16

const (
	smallTableBits = 11
	minCopy        = 4
	maxCopy        = 64 // by one element
)

func newSmallEncoder(dictionary string) *smallEncoder {
	e := &smallEncoder{dictionary: dictionary}
	for at := range len(dictionary) - minCopy + 1 {
		e.places[smallHash([]byte(dictionary[at:at+minCopy]))] = uint16(at)
	}
	return e
}

func smallHash(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b) * 0x9E3779B1 >> (32 - smallTableBits)
}

// encode appends the block of what follows the dictionary in a window that begins with it.
func (e *smallEncoder) encode(dst, window []byte) []byte {
	places := e.places
	begin := len(e.dictionary)
	dst = binary.AppendUvarint(dst, uint64(len(window)-begin))
	written := begin
	for at := begin; at+minCopy <= len(window); {
		hash := smallHash(window[at:])
		from, floor, end := int(places[hash]), 0, begin
		places[hash] = uint16(at)
		if binary.LittleEndian.Uint32(window[from:]) != binary.LittleEndian.Uint32(window[at:]) {
			at += 1 + (at-written)>>4 // the longer nothing is found, the less is tried
			continue
		}
		if from >= begin {
			floor, end = begin, len(window)
		}
		n := minCopy + sameBytes(window[from+minCopy:end], window[at+minCopy:])
		for at > written && from > floor && window[at-1] == window[from-1] {
			at, from, n = at-1, from-1, n+1
		}
		dst = appendLiteral(dst, window[written:at])
		dst = appendCopy(dst, at-from, n)
		at += n
		written = at
	}
	return appendLiteral(dst, window[written:])
}

// sameBytes is how many bytes two texts have in common at their beginnings.
func sameBytes(a, b []byte) int {
	n, limit := 0, min(len(a), len(b))
	for ; n+8 <= limit; n += 8 {
		if differ := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); differ != 0 {
			return n + bits.TrailingZeros64(differ)/8
		}
	}
	for n < limit && a[n] == b[n] {
		n++
	}
	return n
}

// The two low bits of an element's first byte say what it is.
const (
	elementLiteral = 0
	elementCopy1   = 1 // 4 to 11 bytes, from less than 2048 back
	elementCopy2   = 2 // 1 to 64 bytes, from less than 65536 back
)

// appendLiteral takes texts up to 64 KiB.
func appendLiteral(dst, text []byte) []byte {
	switch n := len(text) - 1; {
	case n < 0:
		return dst
	case n < 60:
		dst = append(dst, byte(n)<<2|elementLiteral)
	case n < 1<<8:
		dst = append(dst, 60<<2|elementLiteral, byte(n))
	default:
		dst = append(dst, 61<<2|elementLiteral, byte(n), byte(n>>8))
	}
	return append(dst, text...)
}

func appendCopy(dst []byte, back, n int) []byte {
	for ; n > maxCopy; n -= maxCopy {
		dst = append(dst, (maxCopy-1)<<2|elementCopy2, byte(back), byte(back>>8))
	}
	if n < minCopy || n > 11 || back >= 2048 {
		return append(dst, byte(n-1)<<2|elementCopy2, byte(back), byte(back>>8))
	}
	return append(dst, byte(back>>8)<<5|byte(n-minCopy)<<2|elementCopy1, byte(back))
}
