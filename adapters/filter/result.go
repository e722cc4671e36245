package filter

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// result reads what an evaluation gave.
func (p *program) result(out ref.Val, err error) (bool, error) {
	if err != nil {
		return false, p.failure(err)
	}
	matches, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("gave a value of type %s instead of a bool", out.Type().TypeName())
	}
	return bool(matches), nil
}

// failures are beginnings of CEL's texts. What follows them can hold event data and is left out.
var failures = [...]string{
	"no such key", "no such overload", "index out of bounds", "no such attribute", "division by zero", "modulus by zero",
	"integer overflow", "unsigned integer overflow", "range error",
	"type conversion error", "unsupported timestamp format", "invalid RFC 3339 timestamp", "timestamp overflow",
	"duration overflow", "invalid duration", "NaN values cannot be ordered", "unsupported index", "invalid argument",
	"optional.none() dereference", tooLongToMatch,
}

// failure says of which kind an error is and, where CEL tells, what part of the expression had it.
func (p *program) failure(err error) error {
	var cancelled interpreter.EvalCancelledError
	var value *types.Err
	switch {
	case errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded:
		return fmt.Errorf("took more than %d steps: let it look at less of the data", costLimit)
	case !errors.As(err, &value):
		return errors.New("an operation failed")
	}
	text := "an operation failed"
	for _, f := range failures {
		if strings.HasPrefix(value.Error(), f) {
			text = f
		}
	}
	l := p.info.GetStartLocation(value.NodeID())
	if value == types.NoSuchOverloadErr() || l.Line() < 1 { // that error is shared by all programs, and so is its place
		return errors.New(text)
	}
	return fmt.Errorf("%s: %s", place(l), text)
}
