package ingest

import (
	"bytes"
	"encoding/json"

	"github.com/hooktrail/hooktrail/domain"
)

// This file splits JSON that domain.SplitObject or domain.CheckJSON has accepted as part of a larger text: checking
// each event of a batch a second time would cost more than everything else that is done with it. On JSON that wasn't
// checked these functions panic or return nonsense.

// splitChecked appends the members of a checked object to a list.
func splitChecked(object []byte, members []domain.Member) []domain.Member {
	members, _ = splitFrom(object, 0, members)
	return members
}

// splitFrom appends the members of the checked object that begins at i, and returns where it ends.
func splitFrom(b []byte, i int, members []domain.Member) ([]domain.Member, int) {
	i = skipSpace(b, i+1)
	for b[i] != '}' {
		end := valueEnd(b, i)
		name := unquote(b[i:end])
		begin := skipSpace(b, skipSpace(b, end)+1) // behind the colon
		end = valueEnd(b, begin)
		members = append(members, domain.Member{Name: name, Raw: b[begin:end:end]})
		if i = skipSpace(b, end); b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	return members, i + 1
}

// eachChecked calls do with the members of every object in a checked array, and with none for an element that isn't an
// object. The members are valid until do returns.
func eachChecked(array []byte, do func(members []domain.Member, object bool) error) error {
	var members []domain.Member
	i := skipSpace(array, 1)
	for array[i] != ']' {
		var end int
		object := array[i] == '{'
		if object {
			members, end = splitFrom(array, i, members[:0])
		} else {
			members, end = members[:0], valueEnd(array, i)
		}
		if err := do(members, object); err != nil {
			return err
		}
		if i = skipSpace(array, end); array[i] == ',' {
			i = skipSpace(array, i+1)
		}
	}
	return nil
}

// skipSpace returns the first index from i on that isn't white space.
func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r' {
		i++
	}
	return i
}

// valueEnd returns where the value that begins at i ends.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return bracketEnd(b, i)
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

// stringEnd returns where the text that begins at i ends.
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// bracketEnd returns where the object or array that begins at i ends.
func bracketEnd(b []byte, i int) int {
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// unquote reads a checked JSON text.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		panic("ingest: a checked text isn't JSON")
	}
	return s
}
