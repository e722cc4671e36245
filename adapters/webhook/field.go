package webhook

import "strings"

// field is something about an event, an endpoint or an attempt that a profile can put into a request.
type field uint8

const (
	fieldNone            field = iota // literal text only
	fieldID                           // unique in the tenant even without the source
	fieldProducerID                   // as the producer gave it: unique only with the source
	fieldInternalID                   // the event's UUID
	fieldWebhookID                    // fieldID, or the UUID where that holds a dot (Standard Webhooks signs id.timestamp.body)
	fieldSequence                     // the event's place in its tenant's log
	fieldTenant                       //
	fieldSource                       //
	fieldType                         //
	fieldSubject                      // may be empty
	fieldSchema                       // schema_version
	fieldDataSchema                   // may be empty
	fieldDataContentType              // the data's media type
	fieldOccurredAt                   //
	fieldEndpointID                   //
	fieldAttempt                      // number, from 1
	fieldTimestamp                    // Unix seconds of the attempt
	fieldData                         // the data's bytes
	fieldMember                       // one member of the data, as a string
	fieldExtensions                   // CloudEvents extension attributes, spread
	fieldBody                         // the finished body; only in what is signed
)

// fieldNames are the names by which documents know the fields, in the order of the constants.
func fieldNames() []string {
	return []string{
		"",
		"id",
		"producer_id",
		"internal_id",
		"webhook_id",
		"sequence",
		"tenant",
		"source",
		"type",
		"subject",
		"schema_version",
		"data_schema",
		"data_content_type",
		"occurred_at",
		"endpoint_id",
		"attempt",
		"timestamp",
		"data",
		"data.NAME",
		"extensions",
		"body",
	}
}

// numeric reports whether a field is written as a JSON number unless the document asks for something else.
func (f field) numeric() bool { return f == fieldSequence || f == fieldAttempt || f == fieldTimestamp }

// textual reports whether a field has a text that fits into a header or into other text.
func (f field) textual() bool { return f > fieldNone && f < fieldData }

// encoding is how a field is written.
type encoding uint8

const (
	plain      encoding = iota // as it is: in headers, in what is signed, numbers and raw data in JSON
	jsonString                 // a whole JSON string with its quotes
	jsonPart                   // the inside of a JSON string
	jsonArray                  // data, wrapped into an array unless it is one
	percent                    // percent-encoded as CloudEvents' HTTP binding asks of header values (§3.1.3.2)
)

// part is literal text followed by a field.
type part struct {
	literal string
	field   field
	how     encoding
	member  string // fieldMember's name
}

// parseParts splits a text of a document at its "${…}". "$${" stands for a literal "${". fault receives what is wrong.
func parseParts(text string, fault func(string, ...any)) []part {
	var parts []part
	var literal strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		literal.WriteString(before)
		if !found {
			break
		}
		if strings.HasSuffix(before, "$") {
			literal.WriteString("{") // with the dollar sign that is there already
			text = rest
			continue
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			fault(`has a "${" without "}" (write "$${" for the characters themselves)`)
			return nil
		}
		p, ok := parseField(inside, fault)
		if !ok {
			return nil
		}
		p.literal = literal.String()
		literal.Reset()
		parts = append(parts, p)
		text = after
	}
	if literal.Len() > 0 {
		parts = append(parts, part{literal: literal.String()})
	}
	return parts
}

// parseField reads "name" or "name|encoding".
func parseField(text string, fault func(string, ...any)) (part, bool) {
	name, how, given := strings.Cut(text, "|")
	var p part
	if member, ok := strings.CutPrefix(name, "data."); ok && member != "" {
		p = part{field: fieldMember, how: jsonString, member: member}
	}
	for i, known := range fieldNames() {
		if known == name && name != "" && field(i) != fieldMember {
			p.field = field(i)
		}
	}
	if p.field == fieldNone {
		fault("names the unknown field %q: the fields are %s", name, strings.Join(fieldNames()[1:], ", "))
		return p, false
	}
	if !given {
		return p, true
	}
	switch {
	case how == "string" && p.field.numeric():
		p.how = jsonString
	case how == "array" && p.field == fieldData:
		p.how = jsonArray
	case how == "percent" && p.field.textual():
		p.how = percent
	default:
		fault("can't write the field %q as %q: numbers go as string, data as array, texts in headers as percent", name, how)
		return p, false
	}
	return p, true
}
