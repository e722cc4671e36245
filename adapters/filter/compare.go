package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// ordered is a comparison: numbers by their exact values, everything else as CEL has it.
func ordered(holds func(order types.Int) bool) func(l, r ref.Val) ref.Val {
	return func(l, r ref.Val) ref.Val {
		if isNumber(l) && isNumber(r) {
			order, ok := compareNumbers(l, r)
			if !ok {
				return types.NewErr("NaN values cannot be ordered")
			}
			return types.Bool(holds(types.Int(order)))
		}
		comparer, ok := l.(traits.Comparer)
		if !ok {
			return noOverload()
		}
		switch order := comparer.Compare(r).(type) {
		case types.Int:
			return types.Bool(holds(order))
		default:
			return order
		}
	}
}

// equal compares two values: numbers by their exact values, also within lists and maps. It always returns a types.Bool.
func equal(l, r ref.Val) ref.Val {
	if isNumber(l) || isNumber(r) {
		order, ok := compareNumbers(l, r)
		return types.Bool(ok && order == 0)
	}
	switch l := l.(type) {
	case traits.Lister:
		r, ok := r.(traits.Lister)
		if !ok || l.Size() != r.Size() {
			return types.False
		}
		for left, right := l.Iterator(), r.Iterator(); left.HasNext() == types.True; {
			if equal(left.Next(), right.Next()) != types.True {
				return types.False
			}
		}
		return types.True
	case traits.Mapper:
		r, ok := r.(traits.Mapper)
		if !ok || l.Size() != r.Size() {
			return types.False
		}
		for it := l.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			value, found := r.Find(key)
			if !found || equal(l.Get(key), value) != types.True {
				return types.False
			}
		}
		return types.True
	case *types.Optional:
		r, ok := r.(*types.Optional)
		if !ok || l.HasValue() != r.HasValue() {
			return types.False
		}
		return types.Bool(!l.HasValue() || equal(l.GetValue(), r.GetValue()) == types.True)
	}
	return types.Bool(types.Equal(l, r) == types.True)
}

// in reports whether a list has an element, or a map a key.
func in(element, within ref.Val) ref.Val {
	switch within := within.(type) {
	case traits.Lister:
		for it := within.Iterator(); it.HasNext() == types.True; {
			if equal(element, it.Next()) == types.True {
				return types.True
			}
		}
		return types.False
	case traits.Mapper:
		if _, beyond := element.(integer); beyond { // no key of JSON or of a literal is one
			return types.False
		}
		_, found := within.Find(element)
		return types.Bool(found)
	}
	return noOverload()
}
