package domain_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func TestNewUUID(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 5000 // more in a millisecond than the counter's 4096 values
	drawn := make([][]domain.UUID, callers)
	before := time.Now().UnixMilli()
	var done sync.WaitGroup
	for i := range drawn {
		done.Go(func() {
			for range each {
				drawn[i] = append(drawn[i], domain.NewUUID())
			}
		})
	}
	done.Wait()
	var all []domain.UUID
	for _, ids := range drawn {
		if !slices.IsSortedFunc(ids, compareUUID) {
			t.Error("a caller got an id that isn't greater than the one before")
		}
		all = append(all, ids...)
	}
	slices.SortFunc(all, compareUUID)
	if len(slices.Compact(all)) != callers*each {
		t.Error("an id was given twice")
	}
	for _, id := range all {
		if id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Fatalf("%s isn't version 7 of RFC 9562's variant", id)
		}
	}
	// The clock may be overtaken by the counter, a millisecond for every 4096 ids of this process.
	ms := int64(all[0][0])<<40 | int64(all[0][1])<<32 | int64(all[0][2])<<24 | int64(all[0][3])<<16 | int64(all[0][4])<<8 | int64(all[0][5])
	if ms < before || ms > time.Now().UnixMilli()+60_000 {
		t.Errorf("the first id says %d ms, it was %d", ms, before)
	}
}

func compareUUID(a, b domain.UUID) int { return bytes.Compare(a[:8], b[:8]) }

func TestParseUUID(t *testing.T) {
	t.Parallel()
	const text = "01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d01"
	for _, s := range []string{text, strings.ToUpper(text)} {
		if got, err := domain.ParseUUID(s); err != nil || got != id(1) || got.String() != text {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", text[:35], text + "0", "{" + text[1:35] + "}", strings.ReplaceAll(text, "-", ""), strings.Replace(text, "-", "0", 1),
		strings.Replace(text, "9f", "9g", 1), "01939f2e-8a007-c3d-9d4e-1f2a3b4c5d01", "urn:uuid:" + text,
	} {
		if got, err := domain.ParseUUID(s); err == nil || !got.IsZero() {
			t.Errorf("%q was accepted as %s", s, got)
		}
	}
}

func TestUUID_Text(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawUUID(t)
		b, err := json.Marshal(map[domain.UUID]domain.UUID{want: want})
		if err != nil {
			t.Fatal(err)
		}
		var got map[domain.UUID]domain.UUID
		if err := json.Unmarshal(b, &got); err != nil || got[want] != want || len(got) != 1 {
			t.Fatalf("%s: %v, %v", b, got, err)
		}
		if appended, err := want.AppendText([]byte("x")); err != nil || string(appended) != "x"+want.String() {
			t.Fatalf("appended %q, %v", appended, err)
		}
	})
	var none domain.UUID
	if none.String() != "" || !none.IsZero() {
		t.Errorf("the zero id is %q", none)
	}
	kept := id(1)
	if err := kept.UnmarshalText([]byte("nonsense")); err == nil || kept != id(1) {
		t.Errorf("nonsense was read as %s", kept)
	}
}

func TestTenantID_Validate(t *testing.T) {
	t.Parallel()
	for _, good := range []domain.TenantID{"a", "0", "-", "acme-2", domain.DefaultTenant, domain.TenantID(strings.Repeat("a", 63))} {
		if err := good.Validate(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []domain.TenantID{"", "A", "a_b", "a.b", "a/b", "é", "a ", domain.InstanceTenant, domain.TenantID(strings.Repeat("a", 64))} {
		if bad.Validate() == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestParseStream(t *testing.T) {
	t.Parallel()
	want := domain.Stream{Kind: "event-type", ID: id(1)}
	if got, err := domain.ParseStream(want.String()); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "/", "event", "event/", "/" + id(1).String(), "event/x", "a/b/" + id(1).String(), "event/" + id(1).String() + "/"} {
		if got, err := domain.ParseStream(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}
