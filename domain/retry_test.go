package domain_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func firespring() domain.Schedule {
	return domain.Schedule{First: domain.Duration(time.Minute), Factor: 2, MaxElapsed: domain.Duration(72 * time.Hour)}
}

// walk attempts at once whenever it is due, and returns when the attempts were, from the first.
func walk(s domain.Schedule, random float64) []time.Duration {
	at, attempts := noon, []time.Duration{0}
	for {
		next, ok := s.Next(len(attempts), at, random)
		if !ok {
			return attempts
		}
		attempts = append(attempts, next.Sub(noon))
		at = next
	}
}

func TestSchedule_Default(t *testing.T) {
	t.Parallel()
	s := domain.DefaultSchedule()
	if err := s.Validate("retry"); err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{
		0, 5 * time.Second, 5*time.Minute + 5*time.Second, 35*time.Minute + 5*time.Second, 2*time.Hour + 35*time.Minute + 5*time.Second,
	}
	for _, hours := range []int{5, 10, 14, 20, 24} {
		want = append(want, want[len(want)-1]+time.Duration(hours)*time.Hour)
	}
	if got := walk(s, 0.5); !reflect.DeepEqual(got, want) {
		t.Errorf("attempts at %v, want %v", got, want)
	}
}

func TestSchedule_Firespring(t *testing.T) {
	t.Parallel()
	s := firespring()
	if err := s.Validate("retry"); err != nil {
		t.Fatal(err)
	}
	for _, random := range []float64{0, 0.5, 0.999} { // no jitter
		got := walk(s, random)
		if len(got) != 13 {
			t.Fatalf("%d retries, want 12", len(got)-1)
		}
		for i, at := range got {
			if want := time.Duration(1<<i-1) * time.Minute; at != want {
				t.Errorf("attempt %d at %v, want %v", i+1, at, want)
			}
		}
		if last := got[12]; last != 4095*time.Minute {
			t.Errorf("the last attempt is at %v, want 4095 min", last)
		}
	}
}

func TestSchedule_MaxInterval(t *testing.T) {
	t.Parallel()
	s := firespring()
	s.MaxInterval, s.MaxElapsed = domain.Duration(3*time.Minute), domain.Duration(10*time.Minute)
	want := []time.Duration{0, time.Minute, 3 * time.Minute, 6 * time.Minute, 9 * time.Minute}
	if got := walk(s, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("attempts at %v, want %v", got, want)
	}
}

func TestSchedule_Next(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		if err := s.Validate("retry"); err != nil {
			t.Fatal(err)
		}
		n, random := rapid.IntRange(-1, 120).Draw(t, "n"), rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "random")
		gap, ok := s.Gap(n)
		next, also := s.Next(n, noon, random)
		if ok != also || ok != (n >= 1 && n < len(walk(s, 0.5))) {
			t.Fatalf("gap %d: %v, %v", n, ok, also)
		}
		if !ok {
			return
		}
		least := noon.Add(time.Duration(float64(gap)*(1-s.Jitter)) - time.Microsecond)
		most := noon.Add(time.Duration(float64(gap)*(1+s.Jitter)) + time.Microsecond)
		if next.Before(least) || next.After(most) || next.Location() != time.UTC || next.Nanosecond()%1000 != 0 {
			t.Fatalf("due at %v, want between %v and %v", next, least, most)
		}
	})
}

func drawSchedule(t *rapid.T) domain.Schedule {
	s := domain.Schedule{Jitter: rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "jitter")}
	if rapid.Bool().Draw(t, "list") {
		for i := range rapid.IntRange(1, 100).Draw(t, "gaps") {
			s.Gaps = append(s.Gaps, domain.Duration(rapid.Int64Range(int64(domain.LeastGap(i+1)), int64(domain.MaxGap)).Draw(t, "gap")))
		}
		return s
	}
	s.First = domain.Duration(rapid.Int64Range(int64(time.Hour), int64(domain.MaxGap)).Draw(t, "first"))
	s.Factor = rapid.Float64Range(1, 100).Draw(t, "factor")
	s.MaxElapsed = s.First * domain.Duration(rapid.IntRange(1, 3).Draw(t, "times"))
	if rapid.Bool().Draw(t, "limited") {
		s.MaxInterval = s.First
	}
	return s
}

func TestSchedule_Validate(t *testing.T) {
	t.Parallel()
	gaps := func(d ...time.Duration) (g []domain.Duration) {
		for _, one := range d {
			g = append(g, domain.Duration(one))
		}
		return g
	}
	change := func(f func(*domain.Schedule)) domain.Schedule {
		s := firespring()
		f(&s)
		return s
	}
	for field, s := range map[string]domain.Schedule{
		"retry":              {},
		"retry.jitter":       {Gaps: gaps(time.Second), Jitter: 0.51},
		"retry.schedule[1]":  {Gaps: gaps(time.Second, time.Millisecond)},
		"retry.schedule[0]":  {Gaps: gaps(721 * time.Hour)},
		"retry.schedule":     {Gaps: make([]domain.Duration, 101)},
		"retry.first":        change(func(s *domain.Schedule) { s.First = 0 }),
		"retry.factor":       change(func(s *domain.Schedule) { s.Factor = 0.5 }),
		"retry.max_interval": change(func(s *domain.Schedule) { s.MaxInterval = -1 }),
		"retry.max_elapsed":  change(func(s *domain.Schedule) { s.MaxElapsed = domain.Duration(time.Second) }),
	} {
		var invalid *domain.InvalidError
		if err := s.Validate("retry"); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for name, s := range map[string]domain.Schedule{
		"both forms":       change(func(s *domain.Schedule) { s.Gaps = gaps(time.Second) }),
		"too many retries": change(func(s *domain.Schedule) { s.Factor = 1 }),
		"NaN jitter":       change(func(s *domain.Schedule) { s.Jitter = math.NaN() }),
		"negative jitter":  change(func(s *domain.Schedule) { s.Jitter = -0.1 }),
		"NaN factor":       change(func(s *domain.Schedule) { s.Factor = math.NaN() }),
		"infinite factor":  change(func(s *domain.Schedule) { s.Factor = math.Inf(1) }),
		"jitter alone":     {Jitter: 0.1},
	} {
		if s.Validate("retry") == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestSchedule_JSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]domain.Schedule{
		`{"schedule":["5s","5m0s"],"jitter":0.1}`:                 {Gaps: []domain.Duration{5e9, 300e9}, Jitter: 0.1},
		`{"first":"1m0s","factor":2,"max_elapsed":"72h0m0s"}`:     firespring(),
		`{"first":"1s","max_interval":"1.5s","max_elapsed":"0s"}`: {First: 1e9, MaxInterval: 15e8},
	} {
		var got domain.Schedule
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var again domain.Schedule
		if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%+v is written %s", want, b)
		}
	}
	for _, bad := range []string{`{"schedule":["5"]}`, `{"schedule":["5d"]}`, `{"schedule":[5]}`, `{"first":"soon"}`} {
		if err := json.Unmarshal([]byte(bad), new(domain.Schedule)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestSchedule_Decide(t *testing.T) {
	t.Parallel()
	s := firespring()
	failed := domain.Verdict{Outcome: domain.OutcomeFailed}
	for name, test := range map[string]struct {
		number, base int
		verdict      domain.Verdict
		status       domain.DeliveryStatus
		next         time.Time
	}{
		"succeeded":             {1, 0, domain.Verdict{Outcome: domain.OutcomeSucceeded}, domain.DeliverySucceeded, time.Time{}},
		"succeeded at the last": {13, 0, domain.Verdict{Outcome: domain.OutcomeSucceeded, Permanent: true}, domain.DeliverySucceeded, time.Time{}},
		"failed":                {3, 0, failed, domain.DeliveryRetrying, noon.Add(4 * time.Minute)},
		"unknown":               {1, 0, domain.Verdict{Outcome: domain.OutcomeUnknown}, domain.DeliveryRetrying, noon.Add(time.Minute)},
		"last retry":            {12, 0, failed, domain.DeliveryRetrying, noon.Add(2048 * time.Minute)},
		"exhausted":             {13, 0, failed, domain.DeliveryDead, time.Time{}},
		"redriven":              {14, 13, failed, domain.DeliveryRetrying, noon.Add(time.Minute)},
		"redriven, exhausted":   {26, 13, failed, domain.DeliveryDead, time.Time{}},
		"refused for good":      {1, 0, domain.Verdict{Outcome: domain.OutcomeFailed, Permanent: true}, domain.DeliveryDead, time.Time{}},
		"asked to wait": {
			1, 0, domain.Verdict{Outcome: domain.OutcomeFailed, NotBefore: noon.Add(time.Hour + 1)}, domain.DeliveryRetrying, noon.Add(time.Hour),
		},
		"asked to come sooner": {
			1, 0, domain.Verdict{Outcome: domain.OutcomeFailed, NotBefore: noon.Add(time.Second)}, domain.DeliveryRetrying, noon.Add(time.Minute),
		},
	} {
		status, next := s.Decide(test.number, test.base, test.verdict, noon, 0.5)
		if status != test.status || !next.Equal(test.next) {
			t.Errorf("%s: %s, next at %v; want %s, %v", name, status, next, test.status, test.next)
		}
	}
}

// TestSchedule_LeastGap: a receiver that is down can't be tried many times a second for long, whatever was asked for.
func TestSchedule_LeastGap(t *testing.T) {
	t.Parallel()
	ms := func(n int, times int) (gaps []domain.Duration) {
		for range times {
			gaps = append(gaps, domain.Duration(time.Duration(n)*time.Millisecond))
		}
		return gaps
	}
	tests := map[string]struct {
		schedule domain.Schedule
		field    string // "": valid
	}{
		"three short ones":       {domain.Schedule{Gaps: ms(100, 3)}, ""},
		"four short ones":        {domain.Schedule{Gaps: ms(100, 4)}, "retry.schedule[3]"},
		"a hundred short ones":   {domain.Schedule{Gaps: ms(100, 100)}, "retry.schedule[3]"},
		"seconds for ever":       {domain.Schedule{Gaps: ms(1000, 100)}, "retry.schedule[4]"},
		"minutes for ever":       {domain.Schedule{Gaps: ms(60_000, 100)}, ""},
		"growing":                {domain.Schedule{Gaps: append(ms(100, 3), ms(1000, 1)...)}, ""},
		"exponential, too short": {domain.Schedule{First: domain.MinGap, Factor: 1, MaxElapsed: domain.Duration(5 * time.Second)}, "retry"},
		"exponential, doubling": {
			domain.Schedule{First: domain.Duration(200 * time.Millisecond), Factor: 2, MaxElapsed: domain.Duration(time.Hour)}, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.schedule.Validate("retry")
			var invalid *domain.InvalidError
			switch {
			case test.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.field != "" && (!errors.As(err, &invalid) || invalid.Field != test.field):
				t.Errorf("%v, want %s refused", err, test.field)
			}
		})
	}
	old := domain.Schedule{Gaps: ms(100, 100)} // such as a log may have from before the rule
	within := 0
	for _, at := range walk(old, 0.5) {
		if at <= 12*time.Second {
			within++
		}
	}
	if within > 8 {
		t.Errorf("%d attempts within 12 s", within)
	}
	if all := walk(old, 0.5); len(all) != 101 {
		t.Errorf("%d attempts, want as many as promised", len(all))
	}
}
