package kept

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// Layer says how many of a layer's cache heads hold each token.
type Layer struct {
	Heads int
	Runs  []Run // one after the other, from the first token to the last
}

// Run is a stretch of tokens that the same number of heads hold.
type Run struct{ Tokens, Heads int }

// most bounds every number of a file, so that sums fit.
const most = 1 << 31

// count makes a layer of its heads' positions in a prompt of n tokens.
func count(heads [][]int32, n int) (Layer, error) {
	counts := make([]int, n)
	for h, positions := range heads {
		for _, p := range positions {
			if p < 0 || int(p) >= n {
				return Layer{}, fmt.Errorf("head %d: position %d of a prompt of %d", h, p, n)
			}
			counts[p]++
		}
	}
	l := Layer{Heads: len(heads)}
	for i := 0; i < n; {
		from := i
		for i < n && counts[i] == counts[from] {
			i++
		}
		l.Runs = append(l.Runs, Run{i - from, counts[from]})
	}
	return l, nil
}

// MarshalText writes a layer as base64 of varints: its heads, then each run's tokens and heads.
func (l Layer) MarshalText() ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(l.Heads))
	for _, r := range l.Runs {
		b = binary.AppendUvarint(b, uint64(r.Tokens))
		b = binary.AppendUvarint(b, uint64(r.Heads))
	}
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (l *Layer) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return err
	}
	next := func() (int, error) {
		v, n := binary.Uvarint(b)
		if n <= 0 || v >= most || n > 1 && b[n-1] == 0 {
			return 0, errors.New("a number of a layer is damaged")
		}
		b = b[n:]
		return int(v), nil
	}
	*l = Layer{}
	if l.Heads, err = next(); err != nil {
		return err
	}
	sum := 0
	for len(b) > 0 {
		var r Run
		if r.Tokens, err = next(); err == nil {
			r.Heads, err = next()
		}
		if err != nil {
			return err
		}
		if sum += r.Tokens; r.Tokens == 0 || r.Heads > l.Heads || sum >= most {
			return fmt.Errorf("%d tokens in %d of %d heads", r.Tokens, r.Heads, l.Heads)
		}
		l.Runs = append(l.Runs, r)
	}
	return nil
}
