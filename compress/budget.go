package compress

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Budget is how many positions a cache head keeps, everything included: tokens,
// or a share of the prompt, for all layers or one per layer. In bytes it is what that many
// positions take in 16 bits, one copy per KV head; how many are kept of them follows from the
// model, the policy and the format of the cache: see [Variant.On].
type Budget struct {
	list  List[amount]
	bytes bool
}

type amount struct {
	tokens  int
	percent float64 // where tokens is 0
}

// ParseBudget reads "1024", "2k", "25%" or a list "64|128|128"; "bytes:1024" and "bytes:25%".
func ParseBudget(s string) (Budget, error) {
	text, bytes := strings.CutPrefix(s, InBytes)
	l, err := parseList("capacity cap", text, parseAmount)
	if err == nil && bytes && len(l) > 1 {
		err = fmt.Errorf("capacity cap %q: bytes are of all layers together: want one value", s)
	}
	return Budget{l, bytes}, err
}

// InBytes begins the text of a budget in bytes.
const InBytes = "bytes:"

func (b Budget) inBytes() bool { return b.bytes }

// share is the budget without the word for bytes.
func (b Budget) share() string { return strings.TrimPrefix(b.String(), InBytes) }

func parseAmount(s string) (amount, error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		p, err := strconv.ParseFloat(share, 64)
		if err != nil || !(p > 0 && p <= 100) {
			return amount{}, fmt.Errorf("%q: want a share above 0%% up to 100%%", s)
		}
		return amount{percent: p}, nil
	}
	factor, digits := 1, s
	if k, ok := strings.CutSuffix(strings.ToLower(s), "k"); ok {
		factor, digits = 1024, k
	}
	n, err := positive(digits)
	if err != nil || n > math.MaxInt32/factor {
		return amount{}, fmt.Errorf("%q: want tokens (1024, 2k) or a share of the prompt (25%%)", s)
	}
	return amount{tokens: n * factor}, nil
}

// At returns a layer's capacity for a prompt of n tokens; shares are rounded down,
// as kvpress does.
func (b Budget) At(layer, n int) Capacity {
	a := b.list.At(layer)
	if a.tokens > 0 {
		return Capacity{a.tokens, float64(a.tokens)}
	}
	// A share is taken as it is written, in decimal: 0.2·200 must give 40 whatever
	// 1-0.8 rounds to. The nudge is far below 1/n and above the rounding of n·p.
	exact := float64(n) * a.percent / 100
	return Capacity{int(math.Floor(exact + 1e-9)), exact}
}

// fixed says whether a layer's budget is in tokens, the same for every prompt.
func (b Budget) fixed(layer int) bool { return !b.bytes && b.list.At(layer).tokens > 0 }

func (b Budget) String() string {
	unit := ""
	if b.bytes {
		unit = InBytes
	}
	return unit + b.list.text(func(a amount) string {
		if a.tokens > 0 {
			return strconv.Itoa(a.tokens)
		}
		return strconv.FormatFloat(a.percent, 'f', -1, 64) + "%"
	})
}
