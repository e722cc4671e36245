package ingest

import (
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
)

// Binary reports whether a request is an event in CloudEvents' binary mode, whose content type is its data's: any of
// JSON, or none where there is no data.
func Binary(contentType string, header http.Header, body []byte) bool {
	if header.Get("Ce-Specversion") == "" || contentType == CloudEvent || contentType == CloudBatch {
		return false
	}
	return isJSON(contentType) || len(body) == 0
}

// ReadEvent reads the one event of a request in any of its forms: contentType is the body's, without parameters. The
// body is checked as JSON. The event is to be completed before anything else is done with it.
func ReadEvent(contentType string, header http.Header, body []byte) (Event, error) {
	parse := parseEvent
	switch {
	case contentType == CloudEvent:
		parse = parseCloudEvent
	case header.Get("Ce-Specversion") != "":
		if len(body) > 0 {
			if err := domain.CheckJSON("", body); err != nil {
				return Event{}, unreadable("body", err)
			}
		}
		e, err := binaryCloudEvent(header, body)
		return e, within("header", err)
	}
	members, err := domain.SplitObject(body)
	if err != nil {
		return Event{}, unreadable("body", err)
	}
	e, err := parse(members)
	return e, within("body", err)
}
