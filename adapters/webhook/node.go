package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hooktrail/hooktrail/domain"
)

// kind is what a node of a document is.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// node is a JSON value that remembers its place and the order of its members; both are lost in Go's maps.
type node struct {
	pointer string // RFC 6901
	kind    kind
	text    string // of a string; the source text of a number or boolean
	names   []string
	items   []*node // of an array, or the values of names
}

// maxDepth bounds the nesting of a document, so that a hostile one can't exhaust the stack.
const maxDepth = 32

// parseNode reads one JSON document. Duplicate member names and invalid UTF-8 are refused.
func parseNode(document []byte) (*node, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(document))
	n, err := readNode(dec)
	if err == nil {
		if _, extra := dec.ReadToken(); !errors.Is(extra, io.EOF) {
			err = errors.New("something follows the document's end")
		}
	}
	var fault *DocumentError
	var wrong *jsontext.SyntacticError
	switch {
	case err == nil || errors.As(err, &fault):
		return n, err
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &wrong):
		return nil, &DocumentError{[]Fault{{Pointer: string(wrong.JSONPointer), Text: "is a duplicate"}}}
	case !utf8.Valid(document):
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: "is not UTF-8"}}}
	}
	at, reason := dec.InputOffset(), err.Error()
	if errors.As(err, &wrong) {
		at, reason = wrong.ByteOffset, wrong.Err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		reason = "it ends too early"
	}
	line := 1 + bytes.Count(document[:min(at, int64(len(document)))], []byte("\n"))
	return nil, &DocumentError{[]Fault{{Pointer: "", Text: fmt.Sprintf("is not JSON, in line %d: %s", line, reason)}}}
}

// readNode reads the next value.
func readNode(dec *jsontext.Decoder) (*node, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	n := &node{pointer: string(dec.StackPointer())}
	if dec.StackDepth() > maxDepth {
		return nil, &DocumentError{
			[]Fault{{Pointer: n.pointer, Text: fmt.Sprintf("is nested deeper than %d levels", maxDepth)}},
		}
	}
	switch token.Kind() {
	case 'n':
		n.text = "null"
	case 't', 'f':
		n.kind, n.text = kindBool, token.String()
	case '0':
		n.kind, n.text = kindNumber, token.String()
	case '"':
		n.kind, n.text = kindString, token.String()
	case '[', '{':
		n.kind = kindArray
		if token.Kind() == '{' {
			n.kind = kindObject
		}
		for dec.PeekKind() != ']' && dec.PeekKind() != '}' {
			if n.kind == kindObject {
				name, err := dec.ReadToken()
				if err != nil {
					return nil, err
				}
				n.names = append(n.names, name.String())
			}
			item, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// member returns a member's value, or nil.
func (n *node) member(name string) *node {
	for i, have := range n.names {
		if have == name {
			return n.items[i]
		}
	}
	return nil
}

// append writes a node as JSON again.
func (n *node) append(b []byte) []byte {
	switch n.kind {
	case kindString:
		return appendString(b, n.text)
	case kindArray, kindObject:
		open, end := byte('['), byte(']')
		if n.kind == kindObject {
			open, end = '{', '}'
		}
		b = append(b, open)
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			if n.kind == kindObject {
				b = append(appendString(b, n.names[i]), ':')
			}
			b = item.append(b)
		}
		return append(b, end)
	}
	return append(b, n.text...)
}

// Fault is one thing wrong with a document.
type Fault = domain.Fault

// DocumentError says where a profile document is wrong. It holds every fault that was found, at least one.
type DocumentError struct{ Faults []Fault }

// Error implements error.
func (e *DocumentError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = strings.TrimSpace(f.Pointer + " " + f.Text)
		if f.Pointer == "" {
			texts[i] = "the document " + f.Text
		}
	}
	return strings.Join(texts, "; ")
}
