package runnertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/evidence"
)

// What is kept of passages is told where it was asked for and positions are known; it changes no answer, and the full
// cache has lost nothing.
func passages(ctx context.Context, s Subject) error {
	if !s.Runner.Describe().Positions {
		return nil
	}
	plain, err := s.answered(ctx, s.ask(0, s.Variants...))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(plain[0], func(c runners.Completion) bool { return c.Evidence != nil }) {
		return errors.New("nobody asked for evidence")
	}
	q := s.ask(0, s.Variants...)
	span := []evidence.Span{{1, min(4, len(q.Prompt))}}
	q.Evidence = &runners.Evidence{Read: "value", Says: func(string) bool { return false }, Passages: []runners.Passage{{Name: "value", Each: span, Spans: span}}}
	told, err := s.answered(ctx, q)
	if err != nil {
		return err
	}
	for j, c := range told[0] {
		if err := alike(c, plain[0][j]); err != nil {
			return fmt.Errorf("audited and not: %w", err)
		}
		e := c.Evidence
		if e == nil || len(e.Kept) != 1 {
			return fmt.Errorf("%s: evidence %+v", c.Variant, e)
		}
		share, least := float64(e.Kept[0].Retention), float64(e.Least)
		if !(share >= 0 && share <= 1) || !(least >= 0 && least <= 1 || math.IsNaN(least)) {
			return fmt.Errorf("%s: %v of a passage is kept, least ρ %v", c.Variant, share, least)
		}
		if c.Variant.Budget() == "full" && (share != 1 || least < 1) {
			return fmt.Errorf("the full cache keeps %v of a passage, least ρ %v", share, least)
		}
	}
	return nil
}
