package webhook

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// describe says what a field holds, as a sentence.
func (p part) describe() string {
	what := p.field.describe()
	switch {
	case p.field == fieldMember:
		what = fmt.Sprintf("The member %s of the event's data as text; empty where it is missing or null", p.member)
	case p.how == jsonArray:
		what = "The event's data; in an array of its own unless it is one"
	case p.how == percent:
		what += ", percent-encoded"
	}
	return what + "."
}

// describe says what a field holds, without a full stop.
func (f field) describe() string {
	switch f {
	case fieldID, fieldWebhookID:
		return "The event's id, the same on every attempt: the producer's own, or the event's UUID where that isn't unique or can't be signed"
	case fieldProducerID:
		return "The event's id as its producer gave it, unique together with its source and the same on every attempt"
	case fieldInternalID:
		return "The event's UUID, the same on every attempt"
	case fieldSequence:
		return "The event's place in its tenant's log, unique and the same on every attempt"
	case fieldTenant:
		return "The tenant whose event it is"
	case fieldSource:
		return "Where the event comes from"
	case fieldType:
		return "The event's type"
	case fieldSubject:
		return "What the event is about"
	case fieldSchema:
		return "The version of the data's schema"
	case fieldDataSchema:
		return "The address of the data's schema"
	case fieldDataContentType:
		return "The data's media type: application/json, or another of JSON that its producer named"
	case fieldOccurredAt:
		return "When it happened: RFC 3339 in UTC, at most microseconds"
	case fieldEndpointID:
		return "The endpoint to which the request goes"
	case fieldAttempt:
		return "The number of the attempt, from 1"
	case fieldTimestamp:
		return "When this attempt was made, in Unix seconds"
	case fieldData:
		return "The event's data, byte for byte as it was appended"
	}
	return "The event's " + strings.ReplaceAll(fieldNames()[f], "_", " ")
}

// describeParts says what a text with fields in it holds, as sentences.
func describeParts(parts []part, written string) string {
	switch {
	case len(parts) == 0 || len(parts) == 1 && parts[0].field == fieldNone:
		return "Always the same."
	case len(parts) == 1 && parts[0].literal == "":
		return parts[0].describe()
	}
	said := []string{"Written as " + strconv.Quote(written) + "."}
	for _, p := range parts {
		if p.field != fieldNone {
			said = append(said, fieldNames()[p.field]+": "+p.describe())
		}
	}
	return strings.Join(said, " ")
}

// Retries is a schedule for people.
type Retries struct {
	Text  string   // all of it
	Gaps  []string // after each failed attempt, without jitter
	Total string   // the gaps' sum: when the last retry comes, apart from what the attempts take
	// Jitter is how far each gap may be from what is said: "±10 %"; "" for not at all.
	Jitter string
}

// maxNamedGaps bounds how many gaps a sentence lists.
const maxNamedGaps = 12

// DescribeRetries says in words when a failed delivery is tried again. A schedule that is zero is the default.
func DescribeRetries(s domain.Schedule) Retries {
	if s.IsZero() {
		s = domain.DefaultSchedule()
	}
	var r Retries
	var total time.Duration
	for gap, ok := s.Gap(1); ok; gap, ok = s.Gap(len(r.Gaps) + 1) {
		r.Gaps, total = append(r.Gaps, FormatDuration(gap)), total+gap
	}
	r.Total = FormatDuration(total)
	if s.Jitter > 0 {
		r.Jitter = "±" + strconv.FormatFloat(s.Jitter*100, 'g', 3, 64) + " %"
	}
	r.Text = r.sentence()
	return r
}

func (r Retries) sentence() string {
	var b strings.Builder
	switch len(r.Gaps) {
	case 0:
		return "A failed attempt is not repeated."
	case 1:
		b.WriteString("One retry, " + r.Gaps[0])
	default:
		named := r.Gaps
		if len(named) > maxNamedGaps {
			named = append(append([]string(nil), named[:maxNamedGaps-1]...), "…", named[len(named)-1])
		}
		fmt.Fprintf(&b, "%d retries, %s", len(r.Gaps), strings.Join(named, ", "))
	}
	b.WriteString(" after the end of the attempt before it")
	if r.Jitter != "" {
		b.WriteString(", each gap " + r.Jitter)
	}
	if len(r.Gaps) > 1 {
		b.WriteString("; the last comes about " + r.Total + " after the first attempt")
	}
	return b.String() + ". Then the delivery is dead until somebody redrives it."
}

// FormatDuration writes a duration for a person, in at most two units: "5 s", "2 h", "68 h 15 min", "1.5 s".
func FormatDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Round(10*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		return units(d.Round(time.Second), time.Minute, " min", time.Second, " s")
	}
	return units(d.Round(time.Minute), time.Hour, " h", time.Minute, " min")
}

func units(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	out := strconv.FormatInt(int64(d/large), 10) + largeName
	if rest := d % large / small; rest > 0 {
		out += " " + strconv.FormatInt(int64(rest), 10) + smallName
	}
	return out
}
