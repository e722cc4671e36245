package ingest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestReadEvent_refused: each refusal has its code and names the place in the request.
func TestReadEvent_refused(t *testing.T) {
	t.Parallel()
	const cloud = `"specversion":"1.0","id":"1","source":"/s","type":"a.b"`
	for _, test := range []struct {
		contentType, header, body string
		code                      Code
		location                  string
	}{
		{JSON, "", `{"type":"a.b"`, Malformed, "body"},
		{JSON, "", `{"type":"a.b","data":{"x":1,"x":2}}`, Ambiguous, "body"},
		{JSON, "", `{"type":"a.b"}`, Invalid, "body.data"},
		{JSON, "", `{"type":null,"data":1}`, Invalid, "body.type"},
		{JSON, "", `{"type":1,"data":1}`, Invalid, "body.type"},
		{JSON, "", `{"type":"a.b","data":1,"other":1}`, Invalid, "body.other"},
		{JSON, "", `{"type":"a.b","data":1,"occurred_at":"today"}`, Invalid, "body.occurred_at"},
		{JSON, "", `{"type":"a.b","data":1,"extensions":[]}`, Invalid, "body.extensions"},
		{JSON, "", `{"type":"a.b","data":1,"extensions":{"x":{}}}`, Invalid, "body.extensions.x"},
		{JSON, "", `{"type":"a.b","data":1,"extensions":{"x":1.0}}`, Invalid, "body.extensions.x"},
		{CloudEvent, "", `{` + cloud + `,"x":2147483648}`, Invalid, "body.x"},
		{CloudEvent, "", `{` + cloud + `,"x":1e2}`, Invalid, "body.x"},
		{CloudEvent, "", `{` + cloud + `,"subject":7}`, Invalid, "body.subject"},
		{CloudEvent, "", `{` + cloud + `,"data":1,"data_base64":"MQ=="}`, Invalid, "body.data_base64"},
		{CloudEvent, "", `{` + cloud + `,"data":null,"data_base64":"MQ=="}`, Invalid, "body.data_base64"},
		{CloudEvent, "", `{` + cloud + `,"data_base64":"e"}`, Invalid, "body.data_base64"},
		{CloudEvent, "", `{` + cloud + `,"data_base64":"e30x"}`, NotJSON, "body.data_base64"},
		{CloudEvent, "", `{` + cloud + `,"datacontenttype":"text/xml","data":1}`, NotJSON, "body.datacontenttype"},
		{JSON, "0.3", `1`, Invalid, "header.specversion"},
		{JSON, "1.0", `{`, Malformed, "body"},
	} {
		header := http.Header{}
		if test.header != "" {
			header = http.Header{"Ce-Specversion": {test.header}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"a.b"}}
		}
		_, err := ReadEvent(test.contentType, header, []byte(test.body))
		if !refusedAs(err, test.code, test.location) {
			t.Errorf("%s %s: %#v, want code %d at %s", test.contentType, test.body, err, test.code, test.location)
		}
	}
}

func refusedAs(err error, code Code, location string) bool {
	var wrong *Error
	return errors.As(err, &wrong) && wrong.Code == code && wrong.Location == location
}

// TestReadEvent_emptyAttributes: CloudEvents has no empty attributes, in no mode; an extension may be an empty text.
func TestReadEvent_emptyAttributes(t *testing.T) {
	t.Parallel()
	attributes := map[string]string{
		"specversion": "1.0", "id": "1", "source": "/s", "type": "a.b", "subject": "s", "time": "2026-07-01T12:00:00Z",
		"dataschema": "https://a.example/", "datacontenttype": "application/json", "partner": "p",
	}
	for empty := range attributes {
		header, object := http.Header{}, map[string]string{}
		for name, value := range attributes {
			if name == empty {
				value = ""
			}
			object[name] = value
			if name != "datacontenttype" {
				header.Set("Ce-"+name, value)
			}
		}
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		read := map[string]func() error{
			"structured": func() error { _, err := ReadEvent(CloudEvent, http.Header{}, body); return err },
			"batch":      func() error { _, err := ReadBatch("acme", CloudBatch, []byte("["+string(body)+"]"), 3); return err },
			"binary":     func() error { _, err := ReadEvent(JSON, header, []byte("1")); return err },
		}
		for mode, place := range map[string]string{"structured": "body.", "batch": "body[0].", "binary": "header."} {
			if mode == "binary" && (empty == "datacontenttype" || empty == "specversion") {
				continue // the former isn't a header there; without the latter it isn't a CloudEvent
			}
			err := read[mode]()
			if refusedAs(err, Invalid, place+empty) == (empty == "partner") || empty == "partner" && err != nil {
				t.Errorf("%s without a value for %s: %v", mode, empty, err)
			}
		}
	}
}

// TestComplete_narrower: where the log takes less than CloudEvents allows, the error says so.
func TestComplete_narrower(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`"id":"a b","type":"a.b"`: "visible ASCII", `"id":"é","type":"a.b"`: "visible ASCII",
		`"id":"1","type":"a/b"`: "letters, digits", `"id":"1","type":"urn:é"`: "letters, digits",
	} {
		for contentType, rest := range map[string]string{CloudEvent: `"specversion":"1.0","source":"/s"`, JSON: `"data":1`} {
			e, err := ReadEvent(contentType, http.Header{}, []byte("{"+body+","+rest+"}"))
			if err != nil {
				t.Fatal(err)
			}
			err = e.Complete(Defaults{Tenant: "acme", MaxData: 8})
			if err == nil || !strings.Contains(err.Error(), says) ||
				strings.Contains(err.Error(), "CloudEvents") != (contentType == CloudEvent) {
				t.Errorf("%s %s: %v", contentType, body, err)
			}
		}
	}
}

// TestBatch: events of a batch are refused where they are, repeated ones become one draft, and every event gets its receipt.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		contentType, body string
		code              Code
		location          string
	}{
		{JSON, `{}`, Invalid, "body.events"},
		{JSON, `{"events":1}`, Invalid, "body.events"},
		{JSON, `{"events":[]}`, Invalid, "body.events"},
		{JSON, `{"events":[],"x":1}`, Invalid, "body.x"},
		{JSON, `{"events":[{"type":"a","data":1},2]}`, Invalid, "body.events[1]"},
		{JSON, `{"events":[{"type":"a","data":1},{"type":"a"}]}`, Invalid, "body.events[1].data"},
		{JSON, `{"events":[` + strings.Repeat(`{"type":"a","data":1},`, 3) + `{"type":"a","data":1}]}`, TooMany, "body.events"},
		{NDJSON, "{\"type\":\"a\",\"data\":1}\n\n{", Malformed, "body[1]"},
		{CloudBatch, `[{"specversion":"1.0"}]`, Invalid, "body[0].id"},
		{CloudBatch, `{}`, Ambiguous, "body"},
	} {
		if _, err := ReadBatch("acme", test.contentType, []byte(test.body), 3); !refusedAs(err, test.code, test.location) {
			t.Errorf("%s %s: %#v, want code %d at %s", test.contentType, test.body, err, test.code, test.location)
		}
	}

	complete := func(events string) (*Batch, error) {
		b, err := ReadBatch("acme", JSON, []byte(`{"events":[`+events+`]}`), 10)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Events {
			if err := b.Complete(i, Defaults{Tenant: "acme", MaxData: 8}); err != nil {
				return b, err
			}
		}
		return b, nil
	}
	const one, other, unnamed = `{"id":"1","type":"a","data":1}`, `{"id":"1","type":"a","data":2}`, `{"type":"a","data":1}`
	if _, err := complete(one + "," + other); !refusedAs(err, Reused, "body.events[1].id") {
		t.Errorf("two events of one name: %v", err)
	}
	if _, err := complete(unnamed + `,{"type":"a","data":"too much"}`); !refusedAs(err, TooLarge, "body.events[1].data") {
		t.Errorf("too much data: %v", err)
	}
	b, err := complete(one + "," + unnamed + "," + one)
	if err != nil {
		t.Fatal(err)
	}
	drafts, claims := b.Drafts(b.Missing(), domain.Actor{})
	if len(drafts) != 2 || len(claims) != 1 || claims[0].Key != "1" || claims[0].First != 0 {
		t.Fatalf("%d drafts, claims %+v", len(drafts), claims)
	}
	for n, i := range b.Missing() {
		b.SetEntry(i, &domain.Entry{Sequence: domain.Sequence(n + 5), Fact: drafts[n].Fact})
	}
	if !b.HasEntry(6) || b.HasEntry(7) || len(b.Missing()) != 0 {
		t.Error("entries aren't known")
	}
	body, newest := b.Receipts()
	if newest != 6 || strings.Count(string(body), `"sequence":5`) != 2 || strings.Count(string(body), `"sequence":6`) != 1 {
		t.Errorf("receipts %s up to %d", body, newest)
	}
}
