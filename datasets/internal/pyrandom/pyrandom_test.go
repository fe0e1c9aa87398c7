package pyrandom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// vector is what Python or numpy returned for a seed. To add one, call the function that
// "fn" names on a fresh random.Random(seed) or numpy.random.RandomState(seed).
type vector struct {
	Fn   string
	Seed json.Number
	Args struct {
		N, K, A, B, Len, Low, High, Rounds int
	}
	Out any
}

func TestPython(t *testing.T) { compare(t, "testdata/vectors.json") }

func TestSharedPython(t *testing.T) { compare(t, sharedtest.Path(t, "ruler", "pyrandom.json")) }

func compare(t *testing.T, file string) {
	t.Helper()
	var vectors struct{ Cases []vector }
	sharedtest.JSON(t, file, &vectors)
	compared := map[string]int{}
	for _, v := range vectors.Cases {
		got := draw(t, v)
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var plain any // as Out was read
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(plain, v.Out) {
			t.Errorf("%s, seed %s, %+v:\n%.300v, the original\n%.300v", v.Fn, v.Seed, v.Args, plain, v.Out)
		}
		compared[v.Fn]++
	}
	if len(compared) == 0 {
		t.Errorf("%s: no cases", file)
	}
	t.Logf("%d cases compared: %v", len(vectors.Cases), compared)
}

// draw makes the calls of a vector.
func draw(t *testing.T, v vector) any {
	seed, ok := new(big.Int).SetString(v.Seed.String(), 10)
	if !ok {
		t.Fatalf("seed %q", v.Seed)
	}
	a := v.Args
	repeat := func(n int, next func() any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = next()
		}
		return list
	}
	if strings.HasPrefix(v.Fn, "np_") {
		r := NewNumPy(uint32(seed.Uint64()))
		switch v.Fn {
		case "np_u32":
			return repeat(a.N, func() any { return r.t.uint32() })
		case "np_randint":
			return repeat(a.N, func() any { return r.Integer(a.Low, a.High) })
		}
		t.Fatalf("unknown function %q", v.Fn)
	}
	r := seeded(seed)
	float := func() any { return strconv.FormatFloat(r.Float(), 'x', 13, 64) }
	switch v.Fn {
	case "u32":
		return repeat(a.N, func() any { return r.t.uint32() })
	case "random":
		return hexFloats(repeat(a.N, float))
	case "getrandbits":
		return repeat(a.N, func() any {
			hi, lo := r.Bits(a.K)
			n := new(big.Int).SetUint64(hi)
			return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo)).Text(16)
		})
	case "randint":
		return repeat(a.N, func() any { return r.Between(a.A, a.B) })
	case "choice_index":
		return repeat(a.N, func() any { return r.Below(a.Len) })
	case "choices_upper":
		return repeat(a.N, func() any { return r.Letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ", a.K) })
	case "choices_lower":
		return repeat(a.N, func() any { return r.Letters("abcdefghijklmnopqrstuvwxyz", a.K) })
	case "sample_range":
		return r.Sample(a.Len, a.K)
	case "sample_range_sha256":
		return listSHA256(r.Sample(a.Len, a.K))
	case "shuffle_range":
		return shuffled(r, a.Len)
	case "shuffle_range_sha256":
		return listSHA256(shuffled(r, a.Len))
	case "uuid":
		return repeat(a.N, func() any { return r.UUID() })
	case "mixed_stream":
		var list []any
		for round := range a.Rounds {
			list = append(list, r.Between(1000000, 9999999), r.Below(9000), r.Sample(40, 4),
				r.Letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 5), r.UUID(), hexFloats([]any{float()})[0], r.Sample(61+round, 1))
		}
		return list
	}
	t.Fatalf("unknown function %q", v.Fn)
	return nil
}

// seeded is New for a seed of any size.
func seeded(seed *big.Int) *Random {
	if seed.IsUint64() {
		return New(seed.Uint64())
	}
	var key []uint32
	for n := new(big.Int).Set(seed); n.Sign() > 0; n.Rsh(n, 32) {
		key = append(key, uint32(new(big.Int).And(n, big.NewInt(1<<32-1)).Uint64()))
	}
	return newKey(key)
}

// hexFloats spells exponents as C does: p-1, where Go has p-01.
func hexFloats(list []any) []any {
	for i, f := range list {
		mantissa, exponent, _ := strings.Cut(f.(string), "p")
		n, _ := strconv.Atoi(exponent)
		list[i] = fmt.Sprintf("%sp%+d", mantissa, n)
	}
	return list
}

func shuffled(r *Random, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	r.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func listSHA256(list []int) string {
	text := strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ",")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// A generator is where it was after it has skipped what was drawn.
func TestSkip(t *testing.T) {
	for _, n := range []int{0, 1, 623, 624, 625, 3000} {
		one, other := New(7), New(7)
		for range n {
			one.Bits(32)
		}
		other.Skip(n / 2)
		other.Skip(n - n/2)
		if one.Position() != n || other.Position() != n || one.Below(1e9) != other.Below(1e9) {
			t.Errorf("after %d numbers: at %d, and at %d after as many skipped", n, one.Position(), other.Position())
		}
		a, b := NewNumPy(7), NewNumPy(7)
		for range n {
			a.t.uint32()
		}
		if b.Skip(a.Position()); a.Integer(0, 1e9) != b.Integer(0, 1e9) {
			t.Errorf("numpy: another number after %d that were skipped", n)
		}
	}
}

// Bad arguments are a programmer's mistake.
func TestPanics(t *testing.T) {
	r := New(1)
	for name, call := range map[string]func(){
		"no bits": func() { r.Bits(0) }, "129 bits": func() { r.Bits(129) },
		"below 0": func() { r.Below(0) }, "a sample of more": func() { r.Sample(3, 4) },
		"nothing between": func() { NewNumPy(1).Integer(3, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
