package emulator

import "math"

func singleFunction(name string, modifiers []string) any {
	ftz, saturate, approximate, nan := false, false, false, false
	for _, m := range modifiers {
		switch m {
		case "rn":
		case "ftz":
			ftz = true
		case "sat":
			saturate = true
		case "approx":
			approximate = true
		case "NaN":
			nan = true
		default:
			return nil
		}
	}
	in := func(x uint32) float32 { return single(x) }
	if ftz {
		in = func(x uint32) float32 { return flush(single(x)) }
	}
	out := func(x float32) uint32 { return result(x) }
	if ftz {
		out = func(x float32) uint32 { return result(flush(x)) }
	}
	if saturate {
		inner := out
		out = func(x float32) uint32 {
			if !(x > 0) {
				return 0
			}
			return inner(min(x, 1))
		}
	}
	one := func(f single1) any { return func(x uint32) uint32 { return out(f(in(x))) } }
	two := func(f single2) any { return func(x, y uint32) uint32 { return out(f(in(x), in(y))) } }
	wide := func(f func(float64) float64) any {
		return one(func(x float32) float32 { return float32(f(float64(x))) })
	}
	if approximate && name != "rcp" && name != "sqrt" && name != "rsqrt" && name != "sin" && name != "cos" && name != "tanh" {
		return nil
	}
	switch name {
	case "add":
		return two(func(x, y float32) float32 { return x + y })
	case "sub":
		return two(func(x, y float32) float32 { return x - y })
	case "mul":
		return two(func(x, y float32) float32 { return x * y })
	case "div":
		return two(func(x, y float32) float32 { return x / y })
	case "fma", "mad":
		return func(x, y, z uint32) uint32 { return out(fma(in(x), in(y), in(z))) }
	case "min":
		return two(func(x, y float32) float32 {
			if nan && (x != x || y != y) {
				return single(0x7fffffff)
			}
			return smallest(x, y)
		})
	case "max":
		return two(func(x, y float32) float32 {
			if nan && (x != x || y != y) {
				return single(0x7fffffff)
			}
			return largest(x, y)
		})
	case "neg":
		return func(x uint32) uint32 { return ofSingle(in(x)) ^ 1<<31 }
	case "abs":
		return func(x uint32) uint32 { return ofSingle(in(x)) &^ (1 << 31) }
	case "sqrt":
		return wide(math.Sqrt)
	case "rsqrt":
		return wide(func(x float64) float64 { return 1 / math.Sqrt(x) })
	case "rcp":
		return one(func(x float32) float32 { return 1 / x })
	case "ex2":
		return wide(math.Exp2)
	case "lg2":
		return wide(math.Log2)
	case "sin":
		return wide(math.Sin)
	case "cos":
		return wide(math.Cos)
	case "tanh":
		return wide(math.Tanh)
	}
	return nil
}

func doubleFunction(name string, modifiers []string) any {
	for _, m := range modifiers {
		if m != "rn" {
			return nil
		}
	}
	one := func(f func(x float64) float64) any { return func(x uint64) uint64 { return ofDouble(f(double(x))) } }
	two := func(f func(x, y float64) float64) any {
		return func(x, y uint64) uint64 { return ofDouble(f(double(x), double(y))) }
	}
	switch name {
	case "add":
		return two(func(x, y float64) float64 { return x + y })
	case "sub":
		return two(func(x, y float64) float64 { return x - y })
	case "mul":
		return two(func(x, y float64) float64 { return x * y })
	case "div":
		return two(func(x, y float64) float64 { return x / y })
	case "min":
		return two(smallest[float64])
	case "max":
		return two(largest[float64])
	case "fma", "mad":
		return func(x, y, z uint64) uint64 { return ofDouble(math.FMA(double(x), double(y), double(z))) }
	case "neg":
		return func(x uint64) uint64 { return x ^ 1<<63 }
	case "abs":
		return func(x uint64) uint64 { return x &^ (1 << 63) }
	case "sqrt":
		return one(math.Sqrt)
	case "rcp":
		return one(func(x float64) float64 { return 1 / x })
	}
	return nil
}
