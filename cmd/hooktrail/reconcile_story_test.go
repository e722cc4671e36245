package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStory_Reconciliation: a receiver's list finds what it lost. Killed while a list comes in, the server forgets it;
// killed while it works, it begins again and ends once. The state's hash is the same after as before.
func TestStory_Reconciliation(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	receiver := newReceiver(t, nil)
	endpoint, _ := p.endpointTo(receiver.server.URL, nil)
	for n := range 20 {
		p.do("POST", "/v1/tenants/default/events", map[string]any{"id": fmt.Sprintf("order-%d", n), "type": "order.paid", "data": n}, nil)
	}
	eventually(t, 30*time.Second, "everything arrived", func() bool {
		rows := p.deliveries()
		return len(rows) == 20 && !slices.ContainsFunc(rows, func(d deliveryRow) bool { return d.Status != "succeeded" })
	})
	var before, after struct {
		Sequence int64
		SHA256   string `json:"state_sha256"`
	}
	p.do("GET", "/v1/tenants/default/state", nil, &before)

	var list strings.Builder // what the receiver has, but for order-7, with order-3 twice and many that nobody sent
	list.WriteString("received_at,event_id\n")
	for _, r := range receiver.all() {
		if r.ID != "order-7" {
			_, _ = fmt.Fprintf(&list, "now,%s\n", r.ID)
		}
	}
	list.WriteString("now,order-3\n")
	for n := range 100_000 {
		_, _ = fmt.Fprintf(&list, "now,of-another-%d\n", n)
	}
	half, whole := list.String()[:list.Len()/2], list.String()
	path := "http://" + p.address + "/v1/tenants/default/reconciliations?endpoint_id=" + endpoint
	send := func(body io.Reader) (*http.Response, error) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+p.key)
		r.Header.Set("Content-Type", "text/csv")
		return http.DefaultClient.Do(r)
	}
	reader, writer := io.Pipe()
	broken := make(chan error)
	go func() {
		answer, err := send(reader)
		if err == nil {
			err = fmt.Errorf("answered %s", answer.Status)
			_ = answer.Body.Close()
		}
		_ = reader.CloseWithError(err)
		broken <- err
	}()
	if _, err := io.WriteString(writer, half); err != nil {
		t.Fatal(err)
	}
	p.kill()
	_ = writer.Close() // the client waits for the end of what it sends
	if err := <-broken; strings.Contains(err.Error(), "answered") {
		t.Error(err)
	}
	p.start()
	answer, err := send(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID, Status string }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatalf("%s %v %+v", answer.Status, err, made)
	}
	_ = answer.Body.Close()
	p.kill()
	p.start()
	var result struct {
		Status string
		Sums   struct {
			Delivered int
			Closes    bool
		}
		Received struct {
			Both    int
			Lacking struct {
				Items []struct {
					EventID string `json:"event_id"`
				}
			}
			Repeated, Unsent struct {
				Count int
				Lines []int
			}
		}
	}
	eventually(t, 30*time.Second, "the reconciliation ended", func() bool {
		p.do("GET", "/v1/tenants/default/reconciliations/"+made.ID, nil, &result)
		return result.Status == "succeeded" || result.Status == "failed"
	})
	r := result.Received
	if !result.Sums.Closes || result.Sums.Delivered != 20 || r.Both != 19 || len(r.Lacking.Items) != 1 || r.Lacking.Items[0].EventID != "order-7" ||
		r.Repeated.Count != 1 || r.Repeated.Lines[0] != 21 || r.Unsent.Count != 100_000 || r.Unsent.Lines[0] != 22 {
		t.Errorf("%+v", result)
	}
	if n := len(p.logEntries("&kind=reconciliation.*")); n != 2 {
		t.Errorf("%d entries of reconciliations", n)
	}
	p.do("GET", fmt.Sprintf("/v1/tenants/default/state?as_of_sequence=%d", before.Sequence), nil, &after)
	if after.SHA256 != before.SHA256 || after.SHA256 == "" {
		t.Errorf("the state's hash was %s, and is %s", before.SHA256, after.SHA256)
	}
	p.stop()
	p.verify()
}
