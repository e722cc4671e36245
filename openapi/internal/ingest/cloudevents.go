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
	var data, encoded bool
	for _, m := range members {
		if m.Name != "data" && string(m.Raw) == "null" {
			continue // CloudEvents JSON format §2.3: the same as absent
		}
		var err error
		switch m.Name {
		case "data":
			e.Data, data = m.Raw, true
		case "data_base64":
			e.Data, err = encodedJSON(m)
			encoded = true
		case "specversion":
			spec, err = Text(m)
		default:
			err = e.setMember(m)
		}
		if err != nil {
			return e, err
		}
	}
	if data && encoded {
		return e, domain.Invalid("data_base64", "must not be there beside data")
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

// setMember sets the attribute that is a member of an event in structured mode.
func (e *Event) setMember(m domain.Member) error {
	if !coreAttribute(m.Name) {
		value, err := domain.ParseExtension(clip(m.Name), m.Raw)
		if err != nil {
			return err
		}
		return e.setExtension(m.Name, value)
	}
	value, err := Text(m)
	if err != nil {
		return err
	}
	return e.setAttribute(m.Name, value)
}

// coreAttribute reports whether CloudEvents itself has the attribute. All of them are texts.
func coreAttribute(name string) bool {
	switch name {
	case "id", "source", "type", "subject", "dataschema", "time", "datacontenttype":
		return true
	}
	return false
}

// binaryCloudEvent reads a CloudEvents 1.0 event in binary mode (HTTP binding §3.1): attributes in headers, data as the
// body. An empty body is no data.
func binaryCloudEvent(header http.Header, body []byte) (Event, error) {
	e := Event{dataIsBody: true}
	if len(body) > 0 {
		e.Data, e.Attrs.DataContentType = body, header.Get("Content-Type")
	}
	for name, values := range header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok || attribute == "specversion" {
			continue
		}
		if len(values) > 1 {
			return e, domain.Invalid(name, "is given once")
		}
		value := unescape(values[0])
		var err error
		switch {
		case attribute == "datacontenttype":
			err = domain.Invalid(attribute, "must be the header Content-Type in binary mode")
		case coreAttribute(attribute):
			err = e.setAttribute(attribute, value)
		default:
			err = e.setExtension(attribute, domain.ExtensionText(value))
		}
		if err != nil {
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

// setAttribute sets an attribute that CloudEvents knows.
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
		e.Attrs.OccurredAt, err = domain.ParseTime("time", value)
	case "datacontenttype":
		base, _, _ := strings.Cut(value, ";")
		if !isJSON(strings.ToLower(strings.TrimSpace(base))) {
			return &Error{NotJSON, name, "must be JSON"}
		}
		e.Attrs.DataContentType = value
	}
	return err
}

// setExtension keeps an attribute that CloudEvents doesn't know.
func (e *Event) setExtension(name string, value domain.Extension) error {
	if name == "data" {
		return domain.Invalid(name, "must not be an attribute's name: CloudEvents reserves it")
	}
	if e.Attrs.Extensions == nil {
		e.Attrs.Extensions = make(map[string]domain.Extension)
	}
	e.Attrs.Extensions[name] = value
	return nil
}

// isJSON reports whether data of a media type is JSON (CloudEvents JSON format §3.1.1).
func isJSON(mediaType string) bool {
	return strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
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
	}
	return nil
}
