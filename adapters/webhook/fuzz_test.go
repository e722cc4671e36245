package webhook

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzBuild_dataArrivesAsAppended: whatever JSON is appended stands in the body byte for byte, and the body is JSON.
func FuzzBuild_dataArrivesAsAppended(f *testing.F) {
	for _, data := range []string{
		`{"a":19.90,"b":12345678901234567890,"b2":1e400}`, `[1,2 , 3]`, `"x\u0000\ud800"`, ` null `, `{"café":"<&>","\"":"\\"}`,
		`{"FolderName":"a\"","EntityId":1}`, `-0`, "{\n\t\"a\" : [ ] }",
	} {
		f.Add([]byte(data), "order.paid", "sub\"ject")
	}
	set, err := Embedded()
	if err != nil {
		f.Fatal(err)
	}
	var targets []*Target
	for _, p := range set.All() {
		targets = append(targets, sampleTarget(f, p, "https://r.example/hook"))
	}
	f.Fuzz(func(t *testing.T, data []byte, typ, subject string) {
		if !json.Valid(data) || !utf8.Valid(data) || !utf8.ValidString(typ) || !utf8.ValidString(subject) {
			return // never appended
		}
		e := sampleEvent()
		e.Data, e.Type, e.Subject = data, typ, subject
		for _, target := range targets {
			checkSplice(t, target, e)
		}
	})
}

func checkSplice(t *testing.T, target *Target, e *Event) {
	w := writer{target: target, event: e, attempt: Attempt{Number: 1, At: time.Unix(1700137999, 0)}}
	body, err := w.body()
	name := target.profile.Name
	if err != nil {
		if name != "coherent-spark" {
			t.Fatalf("%s: %v", name, err)
		}
		return
	}
	if !json.Valid(body) {
		t.Fatalf("%s makes bad JSON: %q", name, body)
	}
	switch name {
	case "coherent-spark":
		checkCopies(t, body, e.Data)
	case "cloudevents":
		if !bytes.Equal(body, e.Data) {
			t.Fatalf("%s sends %q for %q", name, body, e.Data)
		}
	default:
		checkMembers(t, name, body, e)
	}
}

// checkCopies: of coherent-spark's data six members arrive: strings in their source's own bytes, numbers and booleans
// as their source text, and nothing for null or what isn't there.
func checkCopies(t *testing.T, body, data []byte) {
	var from, got map[string]json.RawMessage
	_ = json.Unmarshal(data, &from) // data that is no object has no members
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"FolderName": "", "ServiceName": "", "EntityId": "", "AuditType": "", "FileName": "Data", "ServiceVersionId": "Data",
	} {
		object := got
		if in != "" {
			object = nil
			if err := json.Unmarshal(got[in], &object); err != nil {
				t.Fatal(err)
			}
		}
		want := from[name]
		switch {
		case len(want) == 0 || string(want) == "null":
			want = json.RawMessage(`""`)
		case want[0] != '"':
			want = json.RawMessage(`"` + string(want) + `"`)
		}
		if count := bytes.Count(data, []byte(name)); count < 2 && !bytes.Equal(object[name], want) {
			t.Fatalf("%s of %q became %s, want %s", name, data, object[name], want)
		}
	}
}

// checkMembers decodes a body as a receiver would, and finds the type and the data where the format has them.
func checkMembers(t *testing.T, name string, body []byte, e *Event) {
	want := bytes.Trim(e.Data, " \t\r\n")
	typeIn, dataIn := []string{"type"}, "data"
	switch name {
	case "sparkfly":
		typeIn = []string{"event_name"}
	case "firespring":
		typeIn, dataIn = []string{"event_type"}, "payload"
	case "sparkbox":
		typeIn = []string{"event", "event_type"}
		if want[0] != '[' {
			want = append(append([]byte("["), e.Data...), ']')
		}
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(body, &got); err != nil || !bytes.Equal(got[dataIn], want) {
		t.Fatalf("%s: the data %q became %q (%v)", name, e.Data, got[dataIn], err)
	}
	for len(typeIn) > 1 {
		inner := got[typeIn[0]]
		got, typeIn = nil, typeIn[1:]
		if err := json.Unmarshal(inner, &got); err != nil {
			t.Fatal(err)
		}
	}
	var typ string
	if err := json.Unmarshal(got[typeIn[0]], &typ); err != nil || typ != e.Type {
		t.Fatalf("%s: the type %q became %q (%v)", name, e.Type, got[typeIn[0]], err)
	}
}

// FuzzMembersOf: the scan finds what encoding/json finds, and never leaves its bounds, whatever the bytes.
func FuzzMembersOf(f *testing.F) {
	for _, data := range []string{`{"a":"x","b":1}`, `{"b":{"a":1},"a":[]}`, `{"a":"\\\"","\u0062":null}`, `{`, `{"a"`, `{"a":`, `[`, `{"a":tru`, `{]`, `{,,}`, `{"a" "b"}`} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names := []string{"a", "b"}
		found := make([][]byte, 2)
		err := membersOf(data, names, found)
		if !json.Valid(data) || !utf8.Valid(data) {
			return // only that it ends
		}
		var want map[string]json.RawMessage
		_ = json.Unmarshal(data, &want) // data that is no object has no members
		for i, name := range names {
			compareMember(t, data, want[name], found[i], err)
		}
	})
}

func compareMember(t *testing.T, data, want, got []byte, err error) {
	switch {
	case len(want) == 0 || string(want) == "null":
		want = nil
	case want[0] == '{' || want[0] == '[':
		if err == nil && !duplicates(data) {
			t.Fatalf("%q is not refused", data)
		}
		return
	case want[0] == '"':
		want = want[1 : len(want)-1]
	}
	if err == nil && !bytes.Equal(want, got) && !duplicates(data) {
		t.Fatalf("in %q: got %q, want %q", data, got, want)
	}
}

// duplicates reports whether a name stands twice at the top, which appending refuses.
func duplicates(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	seen := map[string]bool{}
	for dec.More() {
		token, _ := dec.Token()
		name, _ := token.(string)
		var skip json.RawMessage
		if seen[name] || dec.Decode(&skip) != nil {
			return true
		}
		seen[name] = true
	}
	return false
}
