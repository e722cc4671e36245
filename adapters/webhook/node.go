package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

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

// parseNode reads one JSON document. Duplicate member names are refused.
func parseNode(document []byte) (*node, error) {
	if !utf8.Valid(document) {
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: "is not UTF-8"}}}
	}
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	n, err := readNode(dec, "", 0)
	if err == nil {
		if _, extra := dec.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("something follows the document's end")
		}
	}
	var fault *DocumentError
	if err != nil && !errors.As(err, &fault) {
		line := 1 + bytes.Count(document[:min(dec.InputOffset(), int64(len(document)))], []byte("\n"))
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: fmt.Sprintf("is not JSON, in line %d: %s", line, jsonReason(err))}}}
	}
	return n, err
}

// jsonReason says what the decoder disliked; an early end has a clumsy error of its own.
func jsonReason(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return err.Error()
}

func readNode(dec *json.Decoder, pointer string, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, &DocumentError{[]Fault{{Pointer: pointer, Text: fmt.Sprintf("is nested deeper than %d levels", maxDepth)}}}
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{pointer: pointer}
	switch t := token.(type) {
	case nil:
		n.text = "null"
	case bool:
		n.kind, n.text = kindBool, strconv.FormatBool(t)
	case json.Number:
		n.kind, n.text = kindNumber, t.String()
	case string:
		n.kind, n.text = kindString, t
	case json.Delim:
		if t == '[' {
			return n, n.readArray(dec, depth)
		}
		return n, n.readObject(dec, depth)
	}
	return n, nil
}

func (n *node) readArray(dec *json.Decoder, depth int) error {
	n.kind = kindArray
	for i := 0; dec.More(); i++ {
		item, err := readNode(dec, n.pointer+"/"+strconv.Itoa(i), depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := dec.Token()
	return err
}

func (n *node) readObject(dec *json.Decoder, depth int) error {
	n.kind = kindObject
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder lets nothing else stand before a colon
		place := n.pointer + "/" + pointerEscaper().Replace(name)
		if n.member(name) != nil {
			return &DocumentError{[]Fault{{Pointer: place, Text: "stands twice"}}}
		}
		item, err := readNode(dec, place, depth+1)
		if err != nil {
			return err
		}
		n.names, n.items = append(n.names, name), append(n.items, item)
	}
	_, err := dec.Token()
	return err
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

// pointerEscaper escapes a member name for a JSON pointer (RFC 6901 §3).
func pointerEscaper() *strings.Replacer { return strings.NewReplacer("~", "~0", "/", "~1") }

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
