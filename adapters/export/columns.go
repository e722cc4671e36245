package export

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// cell is one value of a row. Its type is its column's.
type cell struct {
	set     bool  // false: null
	integer int64 // also of a boolean (0 or 1), and of a timestamp: microseconds since 1970
	text    string
	json    []byte
}

func (c *cell) setText(s string) {
	if s != "" {
		c.set, c.text = true, s
	}
}

func (c *cell) setID(id domain.UUID) { c.setText(id.String()) }

func (c *cell) setInteger(n int64) { c.set, c.integer = true, n }

func (c *cell) setSequence(n domain.Sequence) { c.setInteger(int64(n)) }

func (c *cell) setBoolean(b bool) {
	c.set = true
	if b {
		c.integer = 1
	}
}

func (c *cell) setTime(t time.Time) {
	if !t.IsZero() {
		c.set, c.integer = true, t.UnixMicro()
	}
}

func (c *cell) setJSON(b []byte) {
	if len(b) > 0 {
		c.set, c.json = true, b
	}
}

// row is what the columns take their values from.
type row struct {
	entry *domain.Entry // of an event, a change or the log; nil for a delivery

	delivery *projections.Delivery
	event    *eventInfo
	attempt  *projections.Attempt // nil: the delivery has none

	erased, damaged bool
	sequence        domain.Sequence // of the entry that is erased
}

// eventInfo is what a delivery's rows need of its event.
type eventInfo struct {
	id     string
	class  domain.EventClass
	erased bool
}

// fill sets one cell from a row.
type fill func(r *row, c *cell) error

// filler returns the function that fills a column.
func filler(what domain.ExportWhat, name string) (fill, error) {
	table := entryColumns()
	switch what {
	case domain.ExportDeliveries:
		table = deliveryColumns()
	case domain.ExportEvents:
		table = eventColumns()
	}
	f, ok := table[name]
	if !ok {
		return nil, fmt.Errorf("column %s of %s has no values: this is a defect of the program", name, what)
	}
	return f, nil
}

// plain makes a fill that can't fail.
func plain(f func(r *row, c *cell)) fill {
	return func(r *row, c *cell) error {
		f(r, c)
		return nil
	}
}

// ofAttempt makes a fill that leaves the cell null where a delivery has no attempt.
func ofAttempt(f func(a *projections.Attempt, c *cell)) fill {
	return plain(func(r *row, c *cell) {
		if r.attempt != nil {
			f(r.attempt, c)
		}
	})
}

// ofResult makes a fill that leaves the cell null until the attempt has ended.
func ofResult(f func(result *domain.AttemptResult, c *cell)) fill {
	return ofAttempt(func(a *projections.Attempt, c *cell) {
		if a.Result != nil {
			f(a.Result, c)
		}
	})
}

func deliveryColumns() map[string]fill {
	return map[string]fill{
		"delivery_id":       plain(func(r *row, c *cell) { c.setID(r.delivery.ID) }),
		"status":            plain(func(r *row, c *cell) { c.setText(string(r.delivery.Status)) }),
		"attempts":          plain(func(r *row, c *cell) { c.setInteger(int64(r.delivery.Attempts)) }),
		"event_id":          plain(func(r *row, c *cell) { c.setText(r.event.id) }),
		"event_internal_id": plain(func(r *row, c *cell) { c.setID(r.delivery.Event) }),
		"event_sequence":    plain(func(r *row, c *cell) { c.setSequence(r.delivery.EventSequence) }),
		"event_type":        plain(func(r *row, c *cell) { c.setText(string(r.event.class.Type)) }),
		"endpoint_id":       plain(func(r *row, c *cell) { c.setID(r.delivery.Endpoint) }),
		"subscription_ids":  plain(func(r *row, c *cell) { c.setJSON(subscriptionIDs(r.delivery.Subscriptions)) }),
		"created_at":        plain(func(r *row, c *cell) { c.setTime(r.delivery.Created.RecordedAt) }),
		"created_sequence":  plain(func(r *row, c *cell) { c.setSequence(r.delivery.Created.Sequence) }),
		"ended_at":          plain(func(r *row, c *cell) { c.setTime(r.delivery.Ended.RecordedAt) }),
		"ended_sequence": plain(func(r *row, c *cell) {
			if r.delivery.Ended != (projections.Origin{}) {
				c.setSequence(r.delivery.Ended.Sequence)
			}
		}),
		"next_attempt_at": plain(func(r *row, c *cell) { c.setTime(r.delivery.NextAttemptAt) }),
		"cancel_reason":   plain(func(r *row, c *cell) { c.setText(string(r.delivery.Cancel)) }),

		"attempt_number":  ofAttempt(func(a *projections.Attempt, c *cell) { c.setInteger(int64(a.Started.Number)) }),
		"attempt_outcome": ofResult(func(r *domain.AttemptResult, c *cell) { c.setText(string(r.Outcome)) }),
		"attempt_status_code": ofResult(func(r *domain.AttemptResult, c *cell) {
			if r.StatusCode != 0 {
				c.setInteger(int64(r.StatusCode))
			}
		}),
		"attempt_error":            ofResult(func(r *domain.AttemptResult, c *cell) { c.setText(r.Error) }),
		"attempt_duration_us":      ofResult(func(r *domain.AttemptResult, c *cell) { c.setInteger(r.DurationUS) }),
		"attempt_started_at":       ofAttempt(func(a *projections.Attempt, c *cell) { c.setTime(a.Begun.RecordedAt) }),
		"attempt_started_sequence": ofAttempt(func(a *projections.Attempt, c *cell) { c.setSequence(a.Begun.Sequence) }),
		"attempt_finished_at":      ofResult(func(r *domain.AttemptResult, c *cell) { c.setTime(r.FinishedAt) }),
		"attempt_finished_sequence": ofAttempt(func(a *projections.Attempt, c *cell) {
			if a.Result != nil {
				c.setSequence(a.Finished.Sequence)
			}
		}),
		"attempt_request_bytes":  ofResult(func(r *domain.AttemptResult, c *cell) { c.setInteger(int64(r.RequestBytes)) }),
		"attempt_answer_bytes":   ofResult(func(r *domain.AttemptResult, c *cell) { c.setInteger(r.AnswerBytes) }),
		"attempt_remote_addr":    ofResult(func(r *domain.AttemptResult, c *cell) { c.setText(r.RemoteAddr) }),
		"attempt_url":            ofResult(func(r *domain.AttemptResult, c *cell) { c.setText(r.Request.URL) }),
		"attempt_body_sha256":    ofResult(func(r *domain.AttemptResult, c *cell) { c.setText(r.Request.BodySHA256) }),
		"attempt_profile_digest": ofAttempt(func(a *projections.Attempt, c *cell) { c.setText(a.Started.ProfileDigest) }),
		"erased":                 plain(func(r *row, c *cell) { c.setBoolean(r.erased) }),
	}
}

func subscriptionIDs(matches []domain.SubscriptionMatch) []byte {
	b := make([]byte, 0, 2+39*len(matches))
	b = append(b, '[')
	for i, m := range matches {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b, _ = m.ID.AppendText(b) // never fails
		b = append(b, '"')
	}
	return append(b, ']')
}

// common are the columns that every row of an entry has.
func common() map[string]fill {
	return map[string]fill{
		"sequence":    plain(func(r *row, c *cell) { c.setSequence(r.entry.Sequence) }),
		"recorded_at": plain(func(r *row, c *cell) { c.setTime(r.entry.RecordedAt) }),
		"principal":   plain(func(r *row, c *cell) { c.setID(r.entry.By.Principal) }),
		"credential":  plain(func(r *row, c *cell) { c.setID(r.entry.By.Credential) }),
		"leaf_hash":   plain(func(r *row, c *cell) { c.setText(leafHash(r.entry.Leaf)) }),
		"erased":      plain(func(r *row, c *cell) { c.setBoolean(r.erased) }),
		"damaged":     plain(func(r *row, c *cell) { c.setBoolean(r.damaged) }),
	}
}

// leafHash is RFC 6962 §2.1's hash of a leaf.
func leafHash(leaf []byte) string {
	b := make([]byte, 1, 1024)
	sum := sha256.Sum256(append(b, leaf...))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func entryColumns() map[string]fill {
	table := common()
	table["kind"] = plain(func(r *row, c *cell) { c.setText(string(r.entry.Kind)) })
	table["kind_version"] = plain(func(r *row, c *cell) { c.setInteger(int64(r.entry.KindVersion)) })
	table["stream"] = plain(func(r *row, c *cell) { c.setText(r.entry.Stream.String()) })
	table["stream_version"] = plain(func(r *row, c *cell) { c.setInteger(int64(r.entry.StreamVersion)) })
	table["cause"] = plain(func(r *row, c *cell) {
		if r.entry.Cause != 0 {
			c.setSequence(r.entry.Cause)
		}
	})
	table["reason"] = plain(func(r *row, c *cell) { c.setText(r.entry.Reason) })
	table["address"] = plain(func(r *row, c *cell) {
		if from := r.entry.Context; from != nil {
			c.setText(from.Address)
		}
	})
	table["user_agent"] = plain(func(r *row, c *cell) {
		if from := r.entry.Context; from != nil {
			c.setText(from.UserAgent)
		}
	})
	table["leaf"] = plain(func(r *row, c *cell) { c.setText(string(r.entry.Leaf)) })
	table["data"] = func(r *row, c *cell) error {
		if r.entry.Fact == nil {
			return nil
		}
		b, err := domain.AppendContent(nil, r.entry.Fact, r.entry.Erased)
		c.setJSON(b)
		return err
	}
	return table
}

func eventColumns() map[string]fill {
	of := func(f func(e *domain.EventAppended, c *cell)) fill {
		return plain(func(r *row, c *cell) {
			if e, ok := r.entry.Fact.(*domain.EventAppended); ok {
				f(e, c)
			}
		})
	}
	table := common()
	table["event_id"] = of(func(e *domain.EventAppended, c *cell) { c.setText(e.Event.ID) })
	table["internal_id"] = plain(func(r *row, c *cell) { c.setID(r.entry.Stream.ID) })
	table["source"] = of(func(e *domain.EventAppended, c *cell) { c.setText(e.Event.Source) })
	table["type"] = of(func(e *domain.EventAppended, c *cell) { c.setText(string(e.Event.Type)) })
	table["subject"] = of(func(e *domain.EventAppended, c *cell) { c.setText(e.Event.Subject) })
	table["occurred_at"] = of(func(e *domain.EventAppended, c *cell) { c.setTime(e.Event.OccurredAt) })
	table["schema_version"] = of(func(e *domain.EventAppended, c *cell) { c.setText(e.Event.SchemaVersion) })
	table["dataschema"] = of(func(e *domain.EventAppended, c *cell) { c.setText(e.Event.DataSchema) })
	table["datacontenttype"] = of(func(e *domain.EventAppended, c *cell) { c.setText(e.Event.DataContentType) })
	table["extensions"] = func(r *row, c *cell) error {
		e, ok := r.entry.Fact.(*domain.EventAppended)
		if !ok || len(e.Event.Extensions) == 0 {
			return nil
		}
		b, err := json.Marshal(e.Event.Extensions, json.Deterministic(true))
		c.setJSON(b)
		return err
	}
	table["data"] = of(func(e *domain.EventAppended, c *cell) { c.setJSON(e.Data) })
	table["data_bytes"] = of(func(e *domain.EventAppended, c *cell) {
		if len(e.Data) > 0 {
			c.setInteger(int64(len(e.Data)))
		}
	})
	table["deliveries"] = of(func(e *domain.EventAppended, c *cell) { c.setInteger(int64(len(e.Routing.Deliveries))) })
	table["test"] = of(func(e *domain.EventAppended, c *cell) { c.setBoolean(e.Event.Test != nil) })
	return table
}
