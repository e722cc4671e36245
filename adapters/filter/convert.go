package filter

import (
	"math"
	"math/big"
	"regexp"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// convert makes a number of a number or of its text.
func convert(v ref.Val, to ref.Type) ref.Val {
	switch v.(type) {
	case types.Int, types.Uint, types.Double, integer, types.String:
		return v.ConvertToType(to)
	}
	return noOverload()
}

// digits is how an integer is written.
var digits = regexp.MustCompile(`^-?[0-9]+$`)

// toInt is int(): of a double it is the integer towards zero, of a text its digits, both of any magnitude.
func toInt(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Timestamp:
		return v.ConvertToType(types.IntType)
	case types.Uint:
		return fromWhole(whole(v))
	case types.Double:
		f := float64(v)
		if math.Abs(f) >= exactDouble && !math.IsInf(f, 0) {
			n, _ := new(big.Float).SetFloat64(f).Int(nil)
			return fromWhole(n)
		}
	case types.String:
		if len(v) > maxDigits {
			return overflow()
		}
		if digits.MatchString(string(v)) {
			n, _ := new(big.Int).SetString(string(v), 10)
			return fromWhole(n)
		}
	}
	return convert(v, types.IntType)
}

// toString is string(): a number is written with its digits and without exponent, whatever its magnitude.
func toString(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Double:
		return types.String(strconv.FormatFloat(float64(v), 'f', -1, 64))
	case types.Bool, types.Bytes, types.Duration, types.Timestamp:
		return v.ConvertToType(types.StringType)
	}
	return convert(v, types.StringType)
}
