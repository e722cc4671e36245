package filter

import (
	"regexp"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

const (
	// costLimit is in CEL's units, about one an operation: enough for a comparison on each of 10,000 elements.
	costLimit = 100_000
	// baseCost is what asking a filter costs at least, and entering one that ends at once.
	baseCost = 10
	// interruptEvery is after how many elements of a list the context is looked at.
	interruptEvery = 100
	// maxRegexpProgram is how many instructions a regular expression may compile to.
	maxRegexpProgram = 250
	// maxMatched is how many bytes of text a regular expression may be matched with.
	maxMatched = 8 << 10

	tooLongToMatch = "matches takes a text of at most 8192 bytes"
)

// programOptions bounds an evaluation. patterns are the regular expressions and their sizes.
func programOptions(patterns map[string]uint64) []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize),
		cel.OptimizeRegex(boundedMatches(overloads.Matches), boundedMatches(overloads.MatchesString)),
		byValue(),
		cel.CostTracking(costModel{patterns}),
		cel.InterruptCheckFrequency(interruptEvery),
	}
}

// boundedMatches compiles a regular expression once and refuses long text before it is looked at.
func boundedMatches(overload string) *interpreter.RegexOptimization {
	return &interpreter.RegexOptimization{
		Function: overloads.Matches, OverloadID: overload, RegexIndex: 1,
		Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
			compiled, err := regexp.Compile(pattern)
			if err != nil {
				return nil, err
			}
			matches := func(args ...ref.Val) ref.Val {
				text, ok := args[0].(types.String)
				switch {
				case !ok:
					return types.NewErr("no such overload")
				case len(text) > maxMatched:
					return types.NewErr(tooLongToMatch)
				}
				return types.Bool(compiled.MatchString(string(text)))
			}
			return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), matches), nil
		},
	}
}
