package ingest

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// parseCloudEvent reads the members of a CloudEvents 1.0 event in structured mode (JSON format §3).
func parseCloudEvent(members []domain.Member) (Event, error) {
	var e Event
	var spec string
	for _, m := range members {
		if m.Name != "data" && string(m.Raw) == "null" {
			continue // CloudEvents JSON format §2.3: the same as absent
		}
		var err error
		switch m.Name {
		case "data":
			e.Data = m.Raw
		case "data_base64":
			e.Data, err = encodedJSON(m)
		case "specversion":
			spec, err = Text(m)
		default:
			var value string
			if value, err = attributeText(m); err == nil {
				err = e.setAttribute(m.Name, value)
			}
		}
		if err != nil {
			return e, err
		}
	}
	return e, e.checkCloudEvent(spec)
}

// encodedJSON reads data in base64, in which some senders wrap JSON too.
func encodedJSON(m domain.Member) ([]byte, error) {
	encoded, err := Text(m)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, domain.Invalid(m.Name, "must be base64")
	}
	if err := domain.CheckJSON("", data); err != nil {
		return nil, &Error{NotJSON, m.Name, "must be JSON"}
	}
	return data, nil
}

// attributeText is an attribute's canonical text (CloudEvents §3.1): texts as they are, Booleans and integers as JSON
// writes them.
func attributeText(m domain.Member) (string, error) {
	switch m.Raw[0] {
	case '"':
		return Text(m)
	case '{', '[':
		return "", domain.Invalid(clip(m.Name), "must be a text, a Boolean or an integer")
	}
	return string(m.Raw), nil
}

// binaryCloudEvent reads a CloudEvents 1.0 event in binary mode (HTTP binding §3.1): attributes in headers, data as the
// body.
func binaryCloudEvent(header http.Header, body []byte) (Event, error) {
	e := Event{Data: body, dataIsBody: true}
	for name, values := range header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok || attribute == "specversion" {
			continue
		}
		if len(values) > 1 {
			return e, domain.Invalid(name, "is given once")
		}
		if err := e.setAttribute(attribute, unescape(values[0])); err != nil {
			return e, err
		}
	}
	return e, e.checkCloudEvent(header.Get("Ce-Specversion"))
}

// unescape reads a header's value (HTTP binding §3.1.3.2): a quoted text loses its quotes, and what is percent-encoded
// is decoded. A percent sign that encodes nothing is kept: some senders encode nothing at all.
func unescape(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(value[1 : len(value)-1])
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			if decoded, err := hex.DecodeString(value[i+1 : i+3]); err == nil {
				b.Write(decoded)
				i += 2
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// setAttribute sets a context attribute; one that CloudEvents doesn't know is an extension and is kept.
func (e *Event) setAttribute(name, value string) (err error) {
	switch name {
	case "id":
		e.Attrs.ID, e.Named = value, true
	case "source":
		e.Attrs.Source = value
	case "type":
		e.Attrs.Type = domain.EventType(value)
	case "subject":
		e.Attrs.Subject = value
	case "dataschema":
		e.Attrs.DataSchema = value
	case "time":
		e.Attrs.OccurredAt, err = parseInstant("time", value)
	case "datacontenttype":
		base, _, _ := strings.Cut(value, ";")
		base = strings.ToLower(strings.TrimSpace(base))
		if base != JSON && base != "text/json" && !strings.HasSuffix(base, "+json") {
			err = &Error{NotJSON, name, "must be JSON"}
		}
	default:
		if e.Attrs.Extensions == nil {
			e.Attrs.Extensions = make(map[string]string)
		}
		e.Attrs.Extensions[name] = value
	}
	return err
}

// checkCloudEvent refuses an event without what CloudEvents demands.
func (e *Event) checkCloudEvent(spec string) error {
	switch {
	case spec != "1.0":
		return domain.Invalid("specversion", "must be 1.0")
	case e.Attrs.ID == "":
		return domain.Invalid("id", "is missing")
	case e.Attrs.Source == "":
		return domain.Invalid("source", "is missing")
	case e.Attrs.Type == "":
		return domain.Invalid("type", "is missing")
	case e.Data == nil:
		return domain.Invalid("data", "is missing")
	}
	return nil
}
