package domain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestKinds holds the table of kinds against the constants in its source, and the facts against the table.
func TestKinds(t *testing.T) {
	t.Parallel()
	constants := kindConstants(t)
	if len(constants) == 0 {
		t.Fatal("kind.go has no constants: the test reads it wrongly")
	}
	kinds := domain.Kinds()
	slices.Sort(kinds)
	slices.Sort(constants)
	if !slices.Equal(kinds, constants) {
		t.Errorf("the table has %v, the constants are %v", kinds, constants)
	}
	form := regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)
	facts := examples()
	for _, k := range kinds {
		if !form.MatchString(string(k)) {
			t.Errorf("%s isn't subject.past_tense in lower case", k)
		}
		if k.Version() < 1 {
			t.Errorf("%s has version %d", k, k.Version())
		}
		if facts[k] == nil {
			t.Errorf("%s has no example in examples_test.go", k)
		}
		if f := k.Format(); f < 1 || f > domain.Format {
			t.Errorf("%s came with format %d, the last is %d", k, f, domain.Format)
		}
	}
	if v := domain.Kind("event.dreamt").Version(); v != 0 {
		t.Errorf("an unknown kind has version %d", v)
	}
	if f := domain.Kind("event.dreamt").Format(); f != 0 {
		t.Errorf("an unknown kind came with format %d", f)
	}
}

func kindConstants(t *testing.T) (kinds []domain.Kind) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "kind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Kind") {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, domain.Kind(text))
		}
		return true
	})
	return kinds
}

// TestFacts_Sealed: every type of facts.go that says its kind is in the table, by its own kind: no two share one.
func TestFacts_Sealed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "facts.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	methods := 0
	sealed := false
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "Kind" {
			methods++
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if i, ok := n.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				sealed = sealed || len(m.Names) == 1 && !m.Names[0].IsExported()
			}
		}
		return true
	})
	if methods != len(domain.Kinds()) {
		t.Errorf("%d types say their kind, the table has %d", methods, len(domain.Kinds()))
	}
	if !sealed {
		t.Error("Fact has no unexported method: other packages could add facts that no log can say")
	}
}

// TestKind_Critical: no kind of the first form is critical, and a kind that isn't known can't say so: its leaf does. A step
// of a delivery or a replay is: passed over, it would leave a version of the stream out.
func TestKind_Critical(t *testing.T) {
	t.Parallel()
	for _, k := range append(domain.Kinds(), "event.dreamt") {
		subject, _, _ := strings.Cut(string(k), ".")
		if want := k.Format() > 1 && (subject == "delivery" || subject == "replay"); k.Critical() != want {
			t.Errorf("%s is critical: %v", k, k.Critical())
		}
	}
}

// TestKind_Configures lists every kind, so that a new one is decided on: the head of a tenant keeps the last of these.
func TestKind_Configures(t *testing.T) {
	t.Parallel()
	var configure []string
	for _, k := range domain.Kinds() {
		if k.Configures() {
			configure = append(configure, string(k))
		}
	}
	slices.Sort(configure)
	want := []string{
		"endpoint.created", "endpoint.deleted", "endpoint.disabled", "endpoint.handshake_finished", "endpoint.handshake_started",
		"endpoint.key_rotated", "endpoint.paused", "endpoint.resumed", "endpoint.updated",
		"subscription.created", "subscription.deleted", "subscription.paused", "subscription.resumed", "subscription.updated",
		"tenant.created", "tenant.deleted", "tenant.updated",
	}
	if !slices.Equal(configure, want) {
		t.Errorf("these configure routing: %v, want %v", configure, want)
	}
	if domain.Kind("event.dreamt").Configures() || domain.Kind("endpoints.dreamt").Configures() {
		t.Error("an unknown kind of another subject configures routing")
	}
}

func TestKind_AfterDeletion(t *testing.T) {
	t.Parallel()
	var still []domain.Kind
	for _, k := range domain.Kinds() {
		if k.AfterDeletion() {
			still = append(still, k)
		}
	}
	slices.Sort(still)
	want := []domain.Kind{
		domain.KindAttemptFinished, domain.KindDeliveryCancelled,
		domain.KindExportCancelled, domain.KindExportExpired, domain.KindExportFailed, domain.KindExportFinished,
	}
	if !slices.Equal(still, want) {
		t.Errorf("a deleted tenant's log takes %v, want %v", still, want)
	}
}

// TestExamples: each example sets every member, at least in one element of a list. Otherwise the golden file and the tests of
// the codec would miss what becomes of a member.
func TestExamples(t *testing.T) {
	t.Parallel()
	for kind, fact := range examples() {
		set := make(map[string]bool)
		visit(reflect.ValueOf(fact), set)
		for member, is := range set {
			if !is {
				t.Errorf("the example of %s leaves %s out", kind, member)
			}
		}
	}
}

// visit notes of every member of every struct below a value whether it is set anywhere.
func visit(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), set)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[domain.Schedule]() {
			return // a schedule has two forms, of which one is set
		}
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			set[name] = set[name] || !v.Field(i).IsZero()
			visit(v.Field(i), set)
		}
	}
}
