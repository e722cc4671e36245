package webhook

import (
	"encoding/json"
	"strconv"
	"strings"
)

// bodySchema writes the JSON Schema (2020-12) of a profile's bodies.
func bodySchema(p *Profile, envelope *node) json.RawMessage {
	schema := objectNode().
		set("$schema", textNode("https://json-schema.org/draft/2020-12/schema")).
		set("title", textNode("Body of a webhook in the format "+p.Name)).
		with(schemaOf(envelope))
	return schema.append(nil)
}

func objectNode() *node { return &node{kind: kindObject} }

func textNode(s string) *node { return &node{kind: kindString, text: s} }

func numberNode(n int) *node { return &node{kind: kindNumber, text: strconv.Itoa(n)} }

func boolNode(b bool) *node { return &node{kind: kindBool, text: strconv.FormatBool(b)} }

// set adds a member.
func (n *node) set(name string, value *node) *node {
	n.names, n.items = append(n.names, name), append(n.items, value)
	return n
}

// with adds another object's members.
func (n *node) with(o *node) *node {
	n.names, n.items = append(n.names, o.names...), append(n.items, o.items...)
	return n
}

// schemaOf describes what an envelope's node becomes.
func schemaOf(n *node) *node {
	switch n.kind {
	case kindString:
		return schemaOfText(n.text)
	case kindArray:
		return schemaOfArray(n)
	case kindObject:
		return schemaOfObject(n)
	case kindNull:
		return objectNode().set("type", textNode("null"))
	}
	return objectNode().set("const", &node{kind: n.kind, text: n.text})
}

func schemaOfArray(n *node) *node {
	items := &node{kind: kindArray}
	for _, item := range n.items {
		items.items = append(items.items, schemaOf(item))
	}
	schema := objectNode().set("type", textNode("array")).set("minItems", numberNode(len(n.items)))
	if len(n.items) > 0 {
		schema.set("prefixItems", items)
	}
	return schema.set("items", boolNode(false))
}

func schemaOfObject(n *node) *node {
	properties, required := objectNode(), &node{kind: kindArray}
	others := boolNode(false)
	for i, written := range n.names {
		if written == "..." {
			others = objectNode().set("description",
				textNode("A CloudEvents extension attribute of the event: a text, a Boolean or an integer."))
			continue
		}
		name, optional := strings.CutSuffix(written, "?")
		properties.set(name, schemaOf(n.items[i]))
		if !optional {
			required.items = append(required.items, textNode(name))
		}
	}
	return objectNode().set("type", textNode("object")).set("properties", properties).
		set("required", required).set("additionalProperties", others)
}

// schemaOfText describes a string of the envelope: a constant, one field with the type that it has, or both mixed.
func schemaOfText(written string) *node {
	parts := parseParts(written, func(string, ...any) {}) // it was parsed before, without a fault
	switch {
	case len(parts) == 0:
		return objectNode().set("const", textNode(""))
	case len(parts) == 1 && parts[0].field == fieldNone:
		return objectNode().set("const", textNode(parts[0].literal))
	case len(parts) == 1 && parts[0].literal == "":
		return schemaOfField(parts[0]).set("description", textNode(parts[0].describe()))
	}
	return objectNode().set("type", textNode("string")).set("description", textNode(describeParts(parts, written)))
}

// schemaOfField describes a value that is one field.
func schemaOfField(p part) *node {
	switch {
	case p.field == fieldData && p.how == jsonArray:
		return objectNode().set("type", textNode("array"))
	case p.field == fieldData:
		return objectNode()
	case p.field.numeric() && p.how == plain:
		return objectNode().set("type", textNode("integer"))
	case p.field.numeric():
		return objectNode().set("type", textNode("string")).set("pattern", textNode("^[0-9]+$"))
	case p.field == fieldOccurredAt:
		return objectNode().set("type", textNode("string")).set("format", textNode("date-time"))
	case p.field == fieldInternalID:
		return objectNode().set("type", textNode("string")).set("format", textNode("uuid"))
	}
	return objectNode().set("type", textNode("string"))
}
