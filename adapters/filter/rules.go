package filter

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"github.com/hooktrail/hooktrail/domain"
)

// accumulator is the variable in which macros gather their result. No expression can name it.
const accumulator = "@result"

// rules looks through a checked expression for what one call could not do within bounds, and for what it needs.
type rules struct {
	program  *program
	patterns map[string]uint64 // size of each regular expression's program
	gathers  map[int64]bool    // lists that a macro's expansion made
	fault    error             // the first one
}

// visit sees parents before their children.
func (r *rules) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		r.program.data = r.program.data || e.AsIdent() == "data"
	case ast.ComprehensionKind:
		r.loop(e.AsComprehension().IterRange())
	case ast.StructKind:
		r.refuse(e, "an object can't be made in a filter")
	case ast.ListKind:
		r.list(e)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.literal(entry.AsMapEntry().Key())
			r.literal(entry.AsMapEntry().Value())
		}
	case ast.CallKind:
		r.call(e)
	}
}

func (r *rules) refuse(e ast.Expr, text string) {
	if r.fault == nil {
		r.fault = domain.Invalid("filter", "%s: %s", place(r.program.info.GetStartLocation(e.ID())), text)
	}
}

// loop: what goes through an empty list only binds a variable, as optMap does.
func (r *rules) loop(through ast.Expr) {
	empty := through.Kind() == ast.ListKind && through.AsList().Size() == 0
	r.program.loops = r.program.loops || !empty
}

func (r *rules) list(e ast.Expr) {
	if r.gathers[e.ID()] {
		return
	}
	for _, element := range e.AsList().Elements() {
		r.literal(element)
	}
}

// literal refuses what isn't one, or a list or map, which is visited on its own.
func (r *rules) literal(e ast.Expr) {
	switch e.Kind() {
	case ast.LiteralKind, ast.ListKind, ast.MapKind:
	default:
		r.refuse(e, "lists and maps hold only literals in a filter: compare one by one, such as a == b || a == c")
	}
}

func (r *rules) call(e ast.Expr) {
	call := e.AsCall()
	switch name := call.FunctionName(); name {
	case "format", "indexOf", "join", "lastIndexOf", "replace", "reverse", "strings.quote":
		r.refuse(e, name+" isn't available in filters")
	case operators.Add:
		if args := call.Args(); args[0].Kind() == ast.IdentKind && args[0].AsIdent() == accumulator {
			r.gather(args[1])
		}
	case overloads.Matches:
		r.pattern(call.Args()[len(call.Args())-1])
	}
}

// gather passes the one-element list that the filter macro adds to its result.
func (r *rules) gather(list ast.Expr) {
	if r.gathers == nil {
		r.gathers = make(map[int64]bool)
	}
	r.gathers[list.ID()] = true
}

func (r *rules) pattern(e ast.Expr) {
	if e.Kind() != ast.LiteralKind || e.AsLiteral().Type() != types.StringType {
		r.refuse(e, "the regular expression must be a text literal")
		return
	}
	pattern := e.AsLiteral().Value().(string)
	size, err := types.RegexProgramSize(pattern)
	if err != nil { // reported with the place by cel.ValidateRegexLiterals
		r.refuse(e, "the regular expression is malformed")
		return
	}
	r.patterns[pattern] = uint64(size)
}
