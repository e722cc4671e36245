package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCache_shares(t *testing.T) {
	t.Parallel()
	c := NewCache()
	compileFor := func(tenant, document string) *Schema {
		s, err := c.Compile(t.Context(), tenant, []byte(document))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := compileFor("small", `{"const":0}`)
	if compileFor("small", `{"const":0}`) != first || compileFor("small", `{"const": 0}`) == first {
		t.Error("the cache goes by other than the bytes")
	}
	if _, err := c.Compile(t.Context(), "small", []byte(`{"const":0`)); err == nil {
		t.Error("bad JSON is cached as good")
	}
	for i := range 6 { // each fills its share, together more than the cache
		for j := range 32 {
			compileFor(
				fmt.Sprint("large", i),
				fmt.Sprintf(`{"const":%d,"x-i":"%s"}`, j, strings.Repeat("i", MaxSchemaBytes-100)),
			)
		}
	}
	if compileFor("small", `{"const":0}`) != first {
		t.Error("other tenants displaced a small one's only schema")
	}
	total := 0
	for name, share := range c.tenants {
		bytes := 0
		for _, s := range share.schemas.Values() {
			bytes += s.bytes
		}
		if total += bytes; bytes != share.bytes || bytes > shareBytes || share.users != 0 {
			t.Errorf("%s has %d bytes, counts %d, %d users", name, bytes, share.bytes, share.users)
		}
	}
	if total != c.bytes || total > cacheBytes || total < cacheBytes/2 {
		t.Errorf("%d bytes are kept, %d counted", total, c.bytes)
	}
}

// Validations under way are bounded, and a tenant that takes all of its slots leaves some to others.
func TestCache_slots(t *testing.T) {
	t.Parallel()
	c := NewCache()
	var releases []func()
	for range cap(c.slots) / 2 {
		release, err := c.acquire(t.Context(), "greedy")
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	gone, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := c.Session("greedy", NewBudget(RequestSteps)).Validate(gone, `true`, []byte(`1`))
		waiting <- err
	}()
	if found, err := c.Session("other", NewBudget(RequestSteps)).
		Validate(t.Context(), `true`, []byte(`1`)); err != nil ||
		found != nil {
		t.Error(found, err)
	}
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("a waiting call whose client has gone gives %v", err)
	}
	for _, release := range releases {
		release()
	}
	if len(c.slots) != 0 || len(c.tenants) != 1 { // other's schema
		t.Errorf("%d slots are taken, %d tenants kept", len(c.slots), len(c.tenants))
	}
}

func TestSession_budget(t *testing.T) {
	t.Parallel()
	const document = `{"items":{"type":"integer"}}`
	budget := NewBudget(5000)
	data := []byte("[" + strings.Repeat("1,", 999) + "1]")
	var verdicts []bool
	for range 6 { // of some 1,250 steps each, over sessions that share the budget
		found, err := NewCache().Session("t", budget).Validate(t.Context(), document, data)
		if err != nil || len(found) > 1 || len(found) == 1 && found[0].Text != tooMuchTogether {
			t.Fatal(found, err)
		}
		verdicts = append(verdicts, len(found) == 0)
	}
	if want := []bool{true, true, true, false, false, false}; !slices.Equal(verdicts, want) {
		t.Errorf("%v, want %v", verdicts, want)
	}
}

// A request that names many schemas, each as costly to compile as can be, ends soon: a schema's compilation counts,
// once.
func TestSession_hostile(t *testing.T) {
	schemas := make([]string, 200)
	for i := range schemas {
		var b strings.Builder
		for j := range 600 {
			fmt.Fprintf(&b, `"a%d":{"pattern":"%d(b{9}){9}"},`, j, i)
		}
		schemas[i] = `{"properties":{` + strings.TrimSuffix(b.String(), ",") + `}}`
	}
	c, budget := NewCache(), NewBudget(RequestSteps)
	session, valid, began := c.Session("t", budget), 0, time.Now()
	for i := range 1000 {
		found, err := session.Validate(t.Context(), schemas[i%len(schemas)], []byte(`{"a1":1}`))
		if err != nil || len(found) > 0 && found[0].Text != tooMuchTogether {
			t.Fatal(found, err)
		}
		if len(found) == 0 {
			valid++
		}
	}
	t.Logf("%d of 1,000 events were validated in %s, %d schemas compiled", valid, time.Since(began), len(session.schemas))
	if took := time.Since(began); took > 20*time.Second { // one second, unless the machine has much else to do
		t.Errorf("the request took %s", took)
	}
	if valid == 0 || valid != len(session.schemas)-1 {
		t.Errorf("%d events were valid, %d schemas compiled", valid, len(session.schemas))
	}
	// The cache has them by now, and the verdicts are the same.
	again, budget := 0, NewBudget(RequestSteps)
	for session, i := c.Session("t", budget), 0; i < valid+2; i++ {
		if found, err := session.Validate(t.Context(), schemas[i], []byte(`{"a1":1}`)); err == nil && len(found) == 0 {
			again++
		}
	}
	if again != valid {
		t.Errorf("%d events were valid, then %d", valid, again)
	}
}

// A schema is charged once a request.
func TestSession_compilesOnce(t *testing.T) {
	t.Parallel()
	budget := NewBudget(RequestSteps)
	session := NewCache().Session("t", budget)
	const document = `{"properties":{"a":{"pattern":"^[a-z]+$"}}}`
	var took []int
	for range 3 {
		before := budget.left
		if found, err := session.Validate(t.Context(), document, []byte(`{"a":"b"}`)); err != nil || found != nil {
			t.Fatal(found, err)
		}
		took = append(took, before-budget.left)
	}
	if compiling := session.schemas[document].steps; took[0] != took[1]+compiling || took[1] != took[2] ||
		compiling < 2*stepsPerNode {
		t.Errorf("validations took %v steps, compiling %d", took, compiling)
	}
}

// A comparison waits for its turn as a validation does.
func TestCache_Breaks(t *testing.T) {
	t.Parallel()
	c := NewCache()
	changes, err := c.Breaks(t.Context(), "t", `{"required":["a"]}`, `{}`)
	if err != nil || len(changes) != 1 || changes[0].Pointer != "/required/0" || len(c.slots) != 0 {
		t.Error(changes, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Breaks(gone, "t", `{}`, `{}`); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var bad *DocumentError
	if _, err := c.Breaks(t.Context(), "t", `{}`, `{"type":1}`); !errors.As(err, &bad) || len(c.slots) != 0 {
		t.Error(err)
	}
}

// What is counted ends when the client goes.
func TestSchema_Validate_ended(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"items":{"type":"integer"}}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	budget := NewBudget(RequestSteps)
	if _, err := s.Validate(ctx, []byte(`[1]`), budget); !errors.Is(err, context.Canceled) || budget.left != RequestSteps {
		t.Errorf("%v, %d steps left", err, budget.left)
	}
	count := counter{left: maxSteps, done: ctx.Done()}
	if count.eval(s.root, slices.Repeat([]any{true}, 10_000)) || count.evals > 1024 {
		t.Errorf("goes on for %d values", count.evals)
	}
}
