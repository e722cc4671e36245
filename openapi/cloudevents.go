package openapi

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// The media types in which events come.
const (
	typeJSON       = "application/json"
	typeNDJSON     = "application/x-ndjson"
	typeCloudEvent = "application/cloudevents+json"
	typeCloudBatch = "application/cloudevents-batch+json"
)

// parseCloudEvent reads a CloudEvents 1.0 event in structured mode (JSON format §3).
func parseCloudEvent(members []domain.Member) (submission, error) {
	var s submission
	var spec string
	for _, m := range members {
		if m.Name != "data" && string(m.Raw) == "null" {
			continue // CloudEvents JSON format §2.3: the same as absent
		}
		var err error
		switch m.Name {
		case "data":
			s.data = m.Raw
		case "data_base64":
			s.data, err = encodedJSON(m)
		case "specversion":
			spec, err = text(m)
		default:
			var value string
			if value, err = scalar(m); err == nil {
				err = s.setCloud(m.Name, value)
			}
		}
		if err != nil {
			return s, err
		}
	}
	return s, s.checkCloud(spec)
}

// encodedJSON reads data in base64, in which some senders wrap JSON too.
func encodedJSON(m domain.Member) ([]byte, error) {
	encoded, err := text(m)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, domain.Invalid(m.Name, "must be base64")
	}
	if err := domain.CheckJSON("", data); err != nil {
		return nil, notJSON(m.Name)
	}
	return data, nil
}

// cloudEventOf reads a CloudEvents 1.0 event in binary mode (HTTP binding §3.1): attributes in headers, data as the body.
func cloudEventOf(header http.Header, body []byte) (submission, error) {
	s := submission{data: body, bare: true}
	for name, values := range header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok || attribute == "specversion" {
			continue
		}
		if len(values) > 1 {
			return s, domain.Invalid(name, "is given once")
		}
		if err := s.setCloud(attribute, unescape(values[0])); err != nil {
			return s, err
		}
	}
	return s, s.checkCloud(header.Get("Ce-Specversion"))
}

// unescape reads a header's value (HTTP binding §3.1.3.2): a quoted text loses its quotes, and what is percent-encoded is
// decoded. A percent sign that encodes nothing stands for itself: some senders encode nothing at all.
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

// setCloud sets an attribute; what CloudEvents doesn't know is an extension and is kept.
func (s *submission) setCloud(name, value string) (err error) {
	switch name {
	case "id":
		s.attrs.ID, s.named = value, true
	case "source":
		s.attrs.Source = value
	case "type":
		s.attrs.Type = domain.EventType(value)
	case "subject":
		s.attrs.Subject = value
	case "dataschema":
		s.attrs.DataSchema = value
	case "time":
		s.attrs.OccurredAt, err = moment3339(domain.Member{Name: "time", Raw: appendText(nil, value)})
	case "datacontenttype":
		if base, _, _ := strings.Cut(value, ";"); !jsonType(strings.TrimSpace(base)) {
			err = notJSON("datacontenttype")
		}
	default:
		if s.attrs.Extensions == nil {
			s.attrs.Extensions = make(map[string]string)
		}
		s.attrs.Extensions[name] = value
	}
	return err
}

func (s *submission) checkCloud(spec string) error {
	switch {
	case spec != "1.0":
		return domain.Invalid("specversion", "must be 1.0")
	case s.attrs.ID == "":
		return domain.Invalid("id", "is missing")
	case s.attrs.Source == "":
		return domain.Invalid("source", "is missing")
	case s.attrs.Type == "":
		return domain.Invalid("type", "is missing")
	case s.data == nil:
		return domain.Invalid("data", "is missing")
	}
	return nil
}

func jsonType(base string) bool {
	base = strings.ToLower(base)
	return base == typeJSON || base == "text/json" || strings.HasSuffix(base, "+json")
}

func notJSON(location string) *problem {
	return refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "An event's data is JSON.", fault{location, "must be JSON"})
}

// scalar is an attribute's canonical text (CloudEvents §3.1): texts as they are, Booleans and integers as JSON writes them.
func scalar(m domain.Member) (string, error) {
	switch m.Raw[0] {
	case '"':
		return text(m)
	case '{', '[':
		return "", domain.Invalid(clip(m.Name), "must be a text, a Boolean or an integer")
	}
	return string(m.Raw), nil
}
