package runnertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/snapbench/snapbench/runners"
)

// A runner says who answers, always the same.
func description(_ context.Context, s Subject) error {
	d := s.Runner.Describe()
	if d.Device == "" || d.DType == "" || d.Name == "" || d.About == "" || d.Context < 0 {
		return fmt.Errorf("want device, number format, name and what computes: %+v", d)
	}
	if again := s.Runner.Describe(); again != d {
		return fmt.Errorf("it is %+v, then %+v", d, again)
	}
	for i, q := range s.Requests {
		if d.Text && q.Text == "" || !d.Text && len(q.Prompt) == 0 {
			return fmt.Errorf("request %d lacks the form that the runner takes: text %t", i, d.Text)
		}
	}
	return nil
}

// stranger is a variant that no runner serves.
type stranger struct{}

func (stranger) String() string            { return "stranger(x=1)" }
func (stranger) Policy() string            { return "stranger" }
func (stranger) Budget() string            { return "1" }
func (stranger) Params() map[string]string { return map[string]string{"x": "1"} }

// Variants that cannot be served are named before anything runs.
func variants(_ context.Context, s Subject) error {
	if err := s.Runner.Check(s.Variants); err != nil {
		return fmt.Errorf("its own variants: %w", err)
	}
	err := s.Runner.Check(append(slices.Clone(s.Variants), stranger{}))
	if err == nil || !strings.Contains(err.Error(), stranger{}.String()) {
		return fmt.Errorf("a variant that it cannot know: %v; want an error that names it", err)
	}
	return nil
}

// Answers stand in the order of requests and variants, however many there are.
func order(ctx context.Context, s Subject) error {
	v := s.Variants
	_, err := s.answered(ctx, s.ask(2, v[1], v[0]), s.ask(0, v[1]), s.ask(1, v...), s.ask(0))
	if err != nil {
		return err
	}
	_, err = s.answered(ctx)
	return err
}

// An answer does not depend on the other requests and variants, nor on the time.
func company(ctx context.Context, s Subject) error {
	together, err := s.answered(ctx, s.ask(0, s.Variants...), s.ask(1, s.Variants...), s.ask(2, s.Variants...))
	if err != nil {
		return err
	}
	texts := map[string]bool{}
	for i := range together {
		for j, v := range s.Variants {
			alone, err := s.answered(ctx, s.ask(i, v))
			if err != nil {
				return err
			}
			if err := alike(together[i][j], alone[0][0]); err != nil {
				return fmt.Errorf("request %d, in company and alone: %w", i, err)
			}
			texts[alone[0][0].Text] = true
		}
	}
	if len(texts) == 1 {
		return errors.New("all requests have one answer: others are needed to tell them apart")
	}
	return nil
}

// An answer is as long as was asked.
func lengths(ctx context.Context, s Subject) error {
	long, err := s.answered(ctx, s.ask(0, s.Variants...))
	if err != nil {
		return err
	}
	one := s.ask(0, s.Variants...)
	one.MaxNew = 1
	short, err := s.answered(ctx, one)
	if err != nil {
		return err
	}
	for j, v := range s.Variants {
		if long[0][j].Ended || len(long[0][j].Tokens) != most {
			return fmt.Errorf("%s: want an answer that goes on for %d tokens: %v", v, most, long[0][j].Tokens)
		}
		if short[0][j].Ended || !slices.Equal(short[0][j].Tokens, long[0][j].Tokens[:1]) {
			return fmt.Errorf("%s: one token is %v, ended %t; of eight %v", v, short[0][j].Tokens, short[0][j].Ended, long[0][j].Tokens)
		}
	}
	return nil
}

// A text ends before the first stop string.
func stopStrings(ctx context.Context, s Subject) error {
	free, err := s.answered(ctx, s.ask(0, s.Variants[0]))
	if err != nil {
		return err
	}
	text := free[0][0].Text
	middle := len(text) / 2
	for middle > 0 && !utf8.RuneStart(text[middle]) {
		middle--
	}
	if middle == 0 {
		return fmt.Errorf("the answer %q has no middle to stop at", text)
	}
	_, size := utf8.DecodeRuneInString(text[middle:])
	stop := text[middle : middle+size]
	q := s.ask(0, s.Variants[0])
	q.Stop.Strings = []string{"nothing says this", stop}
	stopped, err := s.answered(ctx, q)
	if err != nil {
		return err
	}
	c := stopped[0][0]
	if want, _, _ := strings.Cut(text, stop); c.Text != want || !c.Ended || len(c.Tokens) > len(free[0][0].Tokens) {
		return fmt.Errorf("of %q, stopped at %q: %q, ended %t, %d tokens", text, stop, c.Text, c.Ended, len(c.Tokens))
	}
	q.Stop.Strings = []string{"nothing says this"}
	if on, err := s.answered(ctx, q); err != nil || on[0][0].Text != text {
		return fmt.Errorf("a stop string that does not come: %v, %v; want %q", on, err, text)
	}
	return nil
}

// An answer ends with the first stop token, which cannot come before MinNew tokens.
func stopTokens(ctx context.Context, s Subject) error {
	free, err := s.answered(ctx, s.ask(1, s.Variants[0]))
	if err != nil {
		return err
	}
	tokens := free[0][0].Tokens
	stop := tokens[len(tokens)/2]
	end := slices.Index(tokens, stop) + 1
	q := s.ask(1, s.Variants[0])
	q.Stop.Tokens = []int32{stop}
	stopped, err := s.answered(ctx, q)
	if err != nil {
		return err
	}
	if c := stopped[0][0]; !slices.Equal(c.Tokens, tokens[:end]) || !c.Ended {
		return fmt.Errorf("of %v, stopped at %d: %v, ended %t", tokens, stop, c.Tokens, c.Ended)
	}
	q.MinNew = end
	later, err := s.answered(ctx, q)
	if err != nil {
		return err
	}
	if c := later[0][0]; slices.Contains(c.Tokens[:min(end, len(c.Tokens))], stop) {
		return fmt.Errorf("%d is chosen within the first %d tokens, %v, where it may not end the answer", stop, end, c.Tokens)
	}
	return nil
}

// An answer that is to begin with one of some tokens does, or says that it cannot.
func among(ctx context.Context, s Subject) error {
	free, err := s.answered(ctx, s.ask(1, s.Variants[0]))
	if err != nil {
		return err
	}
	q := s.ask(1, s.Variants[0])
	q.Among = slices.DeleteFunc([]int32{5, 6, 7}, func(id int32) bool { return id == free[0][0].Tokens[0] })
	out, err := s.run(ctx, q)
	if err != nil {
		return err
	}
	switch c := out[0][0]; {
	case c.Err != nil && strings.Contains(c.Err.Error(), "choice"):
		return nil
	case c.Err != nil:
		return fmt.Errorf("a choice of tokens: %w; want one of them, or an error that names the choice", c.Err)
	case !slices.Contains(q.Among, c.Tokens[0]):
		return fmt.Errorf("of %v it chooses %v", q.Among, c.Tokens)
	}
	return nil
}

// What is wrong with a request is its own completions' error, and nobody else's.
func failures(ctx context.Context, s Subject) error {
	bad := s.Impossible
	bad.Variants, bad.MaxNew = s.Variants, most
	good := s.ask(0, s.Variants...)
	nothing := good
	nothing.MaxNew = 0
	alone, err := s.answered(ctx, good)
	if err != nil {
		return err
	}
	out, err := s.run(ctx, bad, good, nothing, s.ask(1, s.Variants[0]))
	if err != nil {
		return fmt.Errorf("one impossible request ends all: %w", err)
	}
	for _, i := range []int{0, 2} {
		for _, c := range out[i] {
			if c.Err == nil || c.Untrusted || c.Text != "" {
				return fmt.Errorf("request %d cannot be answered: error %v, untrusted %t, text %q", i, c.Err, c.Untrusted, c.Text)
			}
		}
	}
	for j, c := range out[1] {
		if err := errors.Join(complete(c, good), alike(c, alone[0][j])); err != nil {
			return fmt.Errorf("beside an impossible request: %w", err)
		}
	}
	return out[3][0].Err
}

// A variant that cannot serve a prompt leaves the others alone.
func unserved(ctx context.Context, s Subject) error {
	if s.Unserved == nil {
		return nil
	}
	if err := s.Runner.Check([]runners.Variant{s.Unserved}); err != nil {
		return fmt.Errorf("want one that is refused for its prompt alone: %w", err)
	}
	alone, err := s.answered(ctx, s.ask(0, s.Variants...))
	if err != nil {
		return err
	}
	out, err := s.run(ctx, s.ask(0, append([]runners.Variant{s.Unserved}, s.Variants...)...))
	if err != nil {
		return err
	}
	if c := out[0][0]; c.Err == nil || !strings.Contains(c.Err.Error(), s.Unserved.String()) {
		return fmt.Errorf("%s: %v; want an error that names it", s.Unserved, c.Err)
	}
	for j := range s.Variants {
		if err := alike(out[0][j+1], alone[0][j]); err != nil {
			return fmt.Errorf("beside %s: %w", s.Unserved, err)
		}
	}
	return nil
}

// Fidelity is measured where it was asked for and can be; it changes no answer.
func fidelity(ctx context.Context, s Subject) error {
	plain, err := s.answered(ctx, s.ask(0, s.Variants...))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(plain[0], func(c runners.Completion) bool { return c.Fidelity != nil }) {
		return errors.New("nobody asked for fidelity")
	}
	if !s.Runner.Describe().Fidelity {
		return nil
	}
	q := s.ask(0, s.Variants...)
	q.Fidelity = true
	measured, err := s.answered(ctx, q)
	if err != nil {
		return err
	}
	whole := slices.IndexFunc(s.Variants, func(v runners.Variant) bool { return v.Budget() == "full" })
	if whole < 0 {
		return errors.New("a runner that measures fidelity needs the full cache among the variants")
	}
	for j, c := range measured[0] {
		if err := alike(c, plain[0][j]); err != nil {
			return fmt.Errorf("measured and not: %w", err)
		}
		f := c.Fidelity
		if f == nil || f.Tokens < 1 || !(f.KLMean >= 0) || !(f.Agreement >= 0 && f.Agreement <= 1) {
			return fmt.Errorf("%s: fidelity %+v", c.Variant, f)
		}
		inParts := 0
		for _, p := range f.Parts {
			inParts += p.Tokens
		}
		if inParts != f.Tokens {
			return fmt.Errorf("%s: the parts of the answer have %d of %d distributions", c.Variant, inParts, f.Tokens)
		}
		if j == whole && (f.KLMean != 0 || f.Agreement != 1 || f.FirstDivergence != -1) {
			return fmt.Errorf("the full cache against itself: %+v", f)
		}
	}
	return nil
}

// Positions are told where they were asked for and can be, and are those counted.
func positions(ctx context.Context, s Subject) error {
	for _, asked := range []bool{false, true} {
		q := s.ask(1, s.Variants...)
		q.Positions = asked
		out, err := s.answered(ctx, q)
		if err != nil {
			return err
		}
		for _, c := range out[0] {
			if want := asked && s.Runner.Describe().Positions; (c.Positions != nil) != want {
				return fmt.Errorf("%s: positions are told: %t; want %t", c.Variant, c.Positions != nil, want)
			}
			if c.Positions == nil {
				continue
			}
			var counted runners.Kept
			heads := 0
			for l, layer := range c.Positions {
				for h, head := range layer {
					for i, p := range head {
						if p < 0 || int(p) >= len(q.Prompt) || i > 0 && p <= head[i-1] {
							return fmt.Errorf("%s: layer %d, head %d: %v in a prompt of %d", c.Variant, l, h, head, len(q.Prompt))
						}
					}
					if counted.Max = max(counted.Max, len(head)); heads == 0 || len(head) < counted.Min {
						counted.Min = len(head)
					}
					counted.Mean += float64(len(head))
					heads++
				}
			}
			counted.Mean /= float64(heads)
			if counted.Min != c.Kept.Min || counted.Max != c.Kept.Max || counted.Mean-c.Kept.Mean > 1e-6 || c.Kept.Mean-counted.Mean > 1e-6 {
				return fmt.Errorf("%s keeps %+v, the positions are %+v", c.Variant, c.Kept, counted)
			}
		}
	}
	return nil
}

// Progress goes forward, and stays within what was asked.
func progress(ctx context.Context, s Subject) error {
	var mu sync.Mutex
	var wrong error
	read := 0.0
	q := s.ask(2, s.Variants[0])
	q.Progress = func(p runners.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if !(p.Prefill >= read && p.Prefill <= 1) || p.Max != most || p.Decoded < 0 || p.Decoded > most {
			wrong = fmt.Errorf("%+v after %g of the prompt", p, read)
		}
		read = max(read, p.Prefill)
	}
	_, err := s.answered(ctx, q)
	return errors.Join(err, wrong)
}

// patience is how long a runner may take to notice that nobody waits.
const patience = 5 * time.Minute

// Nothing is answered for a context that is done, and the runner serves the next.
func cancelled(ctx context.Context, s Subject) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	if out, err := runners.Answer(over, s.Runner, s.ask(0, s.Variants...)); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a context that is done: %v, %v", out, err)
	}
	underway, stop := context.WithCancel(ctx)
	defer stop()
	q := s.ask(0, s.Variants...)
	q.Progress = func(runners.Progress) { stop() }
	q.MaxNew = 1 << 10
	began := time.Now()
	out, err := runners.Answer(underway, s.Runner, q)
	if underway.Err() != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a context that ends on the way: %v, %v", out, err)
	}
	if took := time.Since(began); took > patience {
		return fmt.Errorf("a context that ends on the way is noticed after %v", took)
	}
	_, err = s.answered(ctx, s.ask(0, s.Variants...))
	return err
}

// Requests are read, not written.
func leftAlone(ctx context.Context, s Subject) error {
	q := s.ask(1, s.Variants...)
	q.Stop = runners.Stop{Tokens: []int32{1, 2}, Strings: []string{"one", "two"}}
	before := q
	before.Prompt, before.Question, before.Variants = slices.Clone(q.Prompt), slices.Clone(q.Question), slices.Clone(q.Variants)
	before.Stop = runners.Stop{Tokens: slices.Clone(q.Stop.Tokens), Strings: slices.Clone(q.Stop.Strings)}
	if _, err := s.answered(ctx, q); err != nil {
		return err
	}
	if !reflect.DeepEqual(q, before) {
		return fmt.Errorf("the request was %+v, and is %+v", before, q)
	}
	return nil
}
