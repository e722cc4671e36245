package filter

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/ext"
	"github.com/hooktrail/hooktrail/domain"
)

// MaxSourceBytes is how long a filter may be.
const MaxSourceBytes = 4096

// maxNodes is how many nodes an expression may have after its macros are expanded; a few nodes take a KiB of memory.
const maxNodes = 2000

// names are the variables, as an answer to one that isn't known.
const names = "id, source, type, subject, occurred_at, schema_version, extensions and data"

// newEnv declares what the package comment lists. The versions of the libraries are pinned: a filter that was accepted
// mustn't change its meaning.
func newEnv() (*cel.Env, error) {
	options := append(mixedArithmetic(),
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro),
		cel.Variable("id", cel.StringType),
		cel.Variable("source", cel.StringType),
		cel.Variable("type", cel.StringType),
		cel.Variable("subject", cel.StringType),
		cel.Variable("schema_version", cel.StringType),
		cel.Variable("occurred_at", cel.TimestampType),
		cel.Variable("extensions", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("data", cel.DynType),
		cel.OptionalTypes(cel.OptionalTypesVersion(1)),
		ext.Strings(ext.StringsVersion(5)),
		cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(100),
		cel.ParserExpressionSizeLimit(MaxSourceBytes),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(), cel.ValidateRegexLiterals()),
		cel.RegexProgramSizeLimit(maxRegexpProgram),
		cel.CrossTypeNumericComparisons(true),
	)
	return cel.NewEnv(options...)
}

// program is a compiled filter.
type program struct {
	prog    cel.Program
	info    *ast.SourceInfo
	tracker *cost.Tracker // to be cloned for each evaluation
	data    bool          // reads the event's data
	loops   bool
}

// compile makes a filter's program or says, with a *domain.InvalidError, where the expression is wrong.
func compile(env *cel.Env, src string) (*program, error) {
	if len(src) > MaxSourceBytes || strings.TrimSpace(src) == "" {
		return nil, domain.Invalid("filter", "has 1 to %d bytes", MaxSourceBytes)
	}
	if !utf8.ValidString(src) {
		return nil, domain.Invalid("filter", "must be UTF-8")
	}
	checked, issues := env.Compile(src)
	if issues.Err() != nil {
		return nil, issueOf(issues)
	}
	tree := checked.NativeRep()
	p := &program{info: tree.SourceInfo()}
	r := rules{program: p, patterns: make(map[string]uint64)}
	if ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(r.visit)); r.fault != nil {
		return nil, r.fault
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		return nil, wrongType(t)
	}
	prog, err := env.Program(checked, programOptions(r.patterns)...)
	if err != nil {
		return nil, domain.Invalid("filter", "%s", clip(err.Error()))
	}
	p.prog = prog
	if p.tracker, err = cost.NewTracker(costModel{r.patterns}); err != nil {
		return nil, fmt.Errorf("price a filter: %w", err)
	}
	return p, nil
}

// issueOf tells of the first issue by place.
func issueOf(issues *cel.Issues) error {
	first := issues.Errors()[0]
	for _, e := range issues.Errors() {
		if l, f := e.Location, first.Location; l.Line() < f.Line() || l.Line() == f.Line() && l.Column() < f.Column() {
			first = e
		}
	}
	text := clip(strings.ReplaceAll(first.Message, " (in container '')", ""))
	switch {
	case strings.HasPrefix(text, "undeclared reference"):
		text += "; variables are " + names
	case strings.Contains(text, "invalid int literal"):
		text += `; an integer beyond 64 bits is compared as text, such as string(data.id) == "18446744073709551616"`
	case mixesNumbers(text):
		text += "; write both as integers (2) or both with a fraction (2.0), or convert one with int(…) or double(…)"
	}
	return domain.Invalid("filter", "%s: %s", place(first.Location), text)
}

// mixesNumbers reports whether no overload was found for numbers that a value of the event would pass for.
func mixesNumbers(text string) bool {
	if !strings.HasPrefix(text, "found no matching overload") {
		return false
	}
	kinds := 0
	for _, kind := range []string{"double", "int", "uint"} {
		if regexp.MustCompile(`\b` + kind + `\b`).MatchString(text) {
			kinds++
		}
	}
	return kinds > 1
}

func wrongType(t *cel.Type) error {
	if t.IsExactType(cel.DynType) {
		return domain.Invalid("filter", "line 1, column 1: gives whatever the data has there, but must give a bool: compare it, such as data.active == true")
	}
	return domain.Invalid("filter", "line 1, column 1: gives a value of type %s, but must give a bool: compare it with something", clip(t.String()))
}

// place counts columns in characters, both from 1.
func place(l common.Location) string {
	if l.Line() < 1 {
		return "line 1, column 1"
	}
	return fmt.Sprintf("line %d, column %d", l.Line(), l.Column()+1)
}

// clip bounds what an answer repeats of an expression, on one line.
func clip(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
