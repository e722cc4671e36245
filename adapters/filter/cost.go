package filter

import (
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// costModel charges for what CEL's own model underestimates.
type costModel struct {
	patterns map[string]uint64 // of each regular expression, how many instructions it compiled to
}

// CallCost implements cost.ActualCostEstimator; nil: as CEL has it.
func (p costModel) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	switch function {
	case operators.Equals, operators.NotEquals:
		return deep(args[0])
	case operators.In:
		return deep(args[1])
	case operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return beyond(args, result)
	case operators.Add:
		if long := beyond(args, result); long != nil {
			return long
		}
		if _, gathering := result.(traits.MutableLister); gathering {
			return nil
		}
		return deep(result)
	case overloads.Size:
		if text, ok := args[0].(types.String); ok {
			return units(len(text) / 32)
		}
	case overloads.Contains:
		return deep(args[0]) // CEL multiplies the lengths
	case overloads.Matches:
		if text, ok := args[0].(types.String); ok {
			return units(len(text) * p.size(args[1]) / 8)
		}
	default:
		if len(args) == 2 && args[0].Type() == types.TimestampType && strings.HasPrefix(function, "get") {
			return units(200) // a time zone is read from a file
		}
	}
	return nil
}

// beyond charges for the digits of integers beyond 64 bits, nil where there is none.
func beyond(args []ref.Val, result ref.Val) *uint64 {
	digits := 0
	if n, ok := result.(integer); ok {
		digits = len(n)
	}
	for _, arg := range args {
		if n, ok := arg.(integer); ok {
			digits += len(n)
		}
	}
	if digits == 0 {
		return nil
	}
	return units(digits / 16)
}

func (p costModel) size(pattern ref.Val) int {
	text, _ := pattern.(types.String)
	return int(p.patterns[string(text)])
}

func units(n int) *uint64 {
	units := 1 + uint64(n)
	return &units
}

// deep charges for all that a value holds, nil for what is one unit anyway.
func deep(v ref.Val) *uint64 {
	switch v.(type) {
	case integer, types.String, types.Bytes, traits.Lister, traits.Mapper, *types.Optional:
		return units(costLimit - weigh(v, costLimit))
	}
	return nil
}

// weigh returns what is left of a budget after every part of a value was counted, and stops when nothing is.
func weigh(v ref.Val, left int) int {
	switch v := v.(type) {
	case integer:
		return left - 1 - len(v)/32
	case types.String:
		return left - 1 - len(v)/32
	case types.Bytes:
		return left - 1 - len(v)/32
	case *types.Optional:
		if v.HasValue() {
			return weigh(v.GetValue(), left-1)
		}
	case traits.Mapper:
		for it := v.Iterator(); left > 0 && it.HasNext() == types.True; {
			key := it.Next()
			left = weigh(v.Get(key), weigh(key, left))
		}
	case traits.Lister:
		for it := v.Iterator(); left > 0 && it.HasNext() == types.True; {
			left = weigh(it.Next(), left)
		}
	}
	return left - 1
}
