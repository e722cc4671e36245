package filter

import (
	"cmp"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// maxDigits is how long an integer may be that is computed with. The largest double has 309 digits.
const maxDigits = 400

// integer is an integer beyond 64 bits: its digits as JSON has them, after a minus if it is negative. To expressions
// its type is int. To CEL's own functions it is of a type apart, so that those that want an int refuse it instead of
// panicking.
type integer string

var integerType = types.NewOpaqueType("integer beyond 64 bits")

// Each call makes a new error, since CEL writes into it where it happened.
func overflow() ref.Val   { return types.NewErr("integer overflow") }
func noOverload() ref.Val { return types.NewErr("no such overload") }

// number reads a number of JSON. Written with digits only it is an integer, otherwise the nearest double.
func number(text string) ref.Val {
	if strings.ContainsAny(text, ".eE") {
		nearest, _ := strconv.ParseFloat(text, 64) // an error is ErrRange, with an infinity
		return types.Double(nearest)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return types.Int(n)
	}
	return integer(text)
}

// ConvertToNative implements ref.Val. Nothing in a filter needs it.
func (integer) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("an integer beyond 64 bits has no native form")
}

// ConvertToType implements ref.Val.
func (n integer) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return types.IntType
	case types.IntType:
		return n
	case types.UintType:
		if u, err := strconv.ParseUint(string(n), 10, 64); err == nil {
			return types.Uint(u)
		}
		return overflow()
	case types.DoubleType:
		nearest, _ := strconv.ParseFloat(string(n), 64)
		return types.Double(nearest)
	case types.StringType:
		return types.String(n)
	}
	return types.NewErr("type conversion error from 'int' to '%s'", t)
}

// Equal implements ref.Val.
func (n integer) Equal(other ref.Val) ref.Val { return equal(n, other) }

// Type implements ref.Val.
func (integer) Type() ref.Type { return integerType }

// Value implements ref.Val.
func (n integer) Value() any { return string(n) }

func (n integer) sign() int {
	if n[0] == '-' {
		return -1
	}
	return 1
}

// size is in digits.
func (n integer) size() int { return len(strings.TrimPrefix(string(n), "-")) }

// compare orders two integers of one form: the longer one is larger in magnitude.
func (n integer) compare(other integer) int {
	if n.sign() != other.sign() {
		return n.sign()
	}
	if n.size() != other.size() {
		return n.sign() * cmp.Compare(n.size(), other.size())
	}
	return n.sign() * strings.Compare(string(n), string(other))
}

func isNumber(v ref.Val) bool {
	switch v.(type) {
	case types.Int, types.Uint, types.Double, integer:
		return true
	}
	return false
}

// exactDouble is the first integer with a neighbour that no double has.
const exactDouble = 1 << 53

// compareNumbers orders two numbers by their exact values, whatever their types; false: one of them is not a number at
// all.
func compareNumbers(l, r ref.Val) (order int, ok bool) {
	switch l := l.(type) {
	case types.Int:
		switch r := r.(type) {
		case types.Int:
			return cmp.Compare(l, r), true
		case types.Double:
			if -exactDouble <= l && l <= exactDouble && !math.IsNaN(float64(r)) {
				return cmp.Compare(types.Double(l), r), true
			}
		case integer:
			return -r.sign(), true
		}
	case types.Double:
		switch r := r.(type) {
		case types.Double:
			return cmp.Compare(l, r), !math.IsNaN(float64(l)) && !math.IsNaN(float64(r))
		case types.Int, integer:
			order, ok = compareNumbers(r, l)
			return -order, ok
		}
	case integer:
		switch r := r.(type) {
		case types.Int:
			return l.sign(), true
		case integer:
			return l.compare(r), true
		}
	}
	x, y := exact(l), exact(r)
	if x == nil || y == nil {
		return 0, false
	}
	return x.Cmp(y), true
}

// exact is a number to its last digit, nil for NaN. An integer that is too long for arithmetic is longer than every
// double that is finite, and is treated as one of that length.
func exact(v ref.Val) *big.Float {
	switch v := v.(type) {
	case types.Int:
		return new(big.Float).SetInt64(int64(v))
	case types.Uint:
		return new(big.Float).SetUint64(uint64(v))
	case types.Double:
		if math.IsNaN(float64(v)) {
			return nil
		}
		return new(big.Float).SetFloat64(float64(v))
	case integer:
		if v.size() > maxDigits {
			v = v[:maxDigits+1]
		}
		n, _ := new(big.Int).SetString(string(v), 10)
		return new(big.Float).SetInt(n)
	}
	return nil
}
