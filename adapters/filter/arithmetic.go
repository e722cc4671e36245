package filter

import (
	"maps"
	"math/big"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// operation is an arithmetic operator.
type operation struct {
	own     func(l, r ref.Val) ref.Val // CEL's own, of two numbers of one type or of what isn't a number
	whole   func(z, x, y *big.Int) *big.Int
	divides bool
	floats  bool // has a meaning for doubles
}

func operations() map[string]operation {
	return map[string]operation{
		operators.Add: {own: func(l, r ref.Val) ref.Val {
			if l, ok := l.(traits.Adder); ok {
				return l.Add(r)
			}
			return noOverload()
		}, whole: (*big.Int).Add, floats: true},
		operators.Subtract: {own: func(l, r ref.Val) ref.Val {
			if l, ok := l.(traits.Subtractor); ok {
				return l.Subtract(r)
			}
			return noOverload()
		}, whole: (*big.Int).Sub, floats: true},
		operators.Multiply: {own: func(l, r ref.Val) ref.Val {
			if l, ok := l.(traits.Multiplier); ok {
				return l.Multiply(r)
			}
			return noOverload()
		}, whole: (*big.Int).Mul, floats: true},
		operators.Divide: {own: func(l, r ref.Val) ref.Val {
			if l, ok := l.(traits.Divider); ok {
				return l.Divide(r)
			}
			return noOverload()
		}, whole: (*big.Int).Quo, divides: true, floats: true},
		operators.Modulo: {own: func(l, r ref.Val) ref.Val {
			if l, ok := l.(traits.Modder); ok {
				return l.Modulo(r)
			}
			return noOverload()
		}, whole: (*big.Int).Rem, divides: true},
	}
}

// apply computes l op r. Integers are exact, also where 64 bits don't suffice; with a double on one side both are
// doubles.
func (o operation) apply(l, r ref.Val) ref.Val {
	if !isNumber(l) || !isNumber(r) {
		return o.own(l, r)
	}
	_, left := l.(types.Double)
	_, right := r.(types.Double)
	switch {
	case (left || right) && !o.floats:
		return noOverload()
	case left || right:
		return o.own(l.ConvertToType(types.DoubleType), r.ConvertToType(types.DoubleType))
	}
	if l.Type() == r.Type() && l.Type() != integerType {
		result := o.own(l, r)
		if l.Type() == types.UintType || !types.IsError(result) || r == types.IntZero && o.divides {
			return result
		}
	}
	x, y := whole(l), whole(r)
	switch {
	case x == nil || y == nil:
		return overflow()
	case o.divides && y.Sign() == 0:
		return o.own(types.IntOne, types.IntZero) // CEL's own words for it
	}
	return fromWhole(o.whole(x, x, y))
}

// negate is the unary minus.
func negate(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Int, integer:
		x := whole(v)
		if x == nil {
			return overflow()
		}
		return fromWhole(x.Neg(x))
	case traits.Negater:
		return v.Negate()
	}
	return noOverload()
}

// whole returns an integer's value, to be changed at will, nil for one that is too long to be computed with.
func whole(v ref.Val) *big.Int {
	switch v := v.(type) {
	case types.Int:
		return big.NewInt(int64(v))
	case types.Uint:
		return new(big.Int).SetUint64(uint64(v))
	case integer:
		if v.size() <= maxDigits {
			n, _ := new(big.Int).SetString(string(v), 10)
			return n
		}
	}
	return nil
}

func fromWhole(n *big.Int) ref.Val {
	if n.IsInt64() {
		return types.Int(n.Int64())
	}
	result := integer(n.String())
	if result.size() > maxDigits {
		return overflow()
	}
	return result
}

// mixedArithmetic declares to the checker what operation.apply can do beyond CEL's own overloads. The results are of no
// declared type, so that data.amount * 1.5 can be compared with 6 as well as with 6.0.
func mixedArithmetic() []cel.EnvOption {
	mixes := map[string][]*cel.Type{
		"int64_double": {cel.IntType, cel.DoubleType}, "double_int64": {cel.DoubleType, cel.IntType},
		"uint64_double": {cel.UintType, cel.DoubleType}, "double_uint64": {cel.DoubleType, cel.UintType},
		"int64_uint64": {cel.IntType, cel.UintType}, "uint64_int64": {cel.UintType, cel.IntType},
	}
	var options []cel.EnvOption
	all := operations()
	for _, operator := range slices.Sorted(maps.Keys(all)) { // in order, so that every node tries overloads alike
		for _, name := range slices.Sorted(maps.Keys(mixes)) {
			args := mixes[name]
			if !all[operator].floats && slices.Contains(args, cel.DoubleType) {
				continue
			}
			options = append(options, cel.Function(operator, cel.Overload("mixed_"+operator+"_"+name, args, cel.DynType)))
		}
	}
	return options
}

// byValue makes a program compute with numbers, compare them and convert them by value, whatever their types.
func byValue() cel.ProgramOption {
	binary := map[string]functions.BinaryOp{
		operators.Equals:        equal,
		operators.NotEquals:     func(l, r ref.Val) ref.Val { return !equal(l, r).(types.Bool) },
		operators.In:            in,
		operators.Less:          ordered(func(order types.Int) bool { return order < 0 }),
		operators.LessEquals:    ordered(func(order types.Int) bool { return order <= 0 }),
		operators.Greater:       ordered(func(order types.Int) bool { return order > 0 }),
		operators.GreaterEquals: ordered(func(order types.Int) bool { return order >= 0 }),
	}
	for name, o := range operations() {
		binary[name] = o.apply
	}
	unary := map[string]functions.UnaryOp{
		operators.Negate:            negate,
		overloads.TypeConvertString: toString,
		overloads.TypeConvertInt:    toInt,
		overloads.TypeConvertUint:   func(v ref.Val) ref.Val { return convert(v, types.UintType) },
		overloads.TypeConvertDouble: func(v ref.Val) ref.Val { return convert(v, types.DoubleType) },
	}
	return cel.CustomDecoratorV2(func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		call, ok := i.(interpreter.InterpretableCall)
		if !ok {
			return i, nil
		}
		var impl functions.FunctionOp
		if op := binary[call.Function()]; op != nil && len(call.Args()) == 2 {
			impl = func(args ...ref.Val) ref.Val { return unshared(op(args[0], args[1])) }
		} else if op := unary[call.Function()]; op != nil && len(call.Args()) == 1 {
			impl = func(args ...ref.Val) ref.Val { return unshared(op(args[0])) }
		} else {
			return i, nil
		}
		overload := call.OverloadID()
		if call.Function() == operators.In {
			overload = "" // else CEL would make a set of the list, in which numbers are found by type
		}
		return interpreter.NewCall(call.ID(), call.Function(), overload, call.Args(), impl), nil
	})
}

// unshared replaces an error that CEL has only one of for all programs, and writes into: each would name another's
// place.
func unshared(v ref.Val) ref.Val {
	if v == types.NoSuchOverloadErr() {
		return noOverload()
	}
	return v
}
