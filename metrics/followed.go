package metrics

import (
	"fmt"

	"github.com/snapbench/snapbench/metrics/instructions"
)

func init() {
	Register(Scorer{
		Name: "instructions", Version: 1,
		About: "share of the instructions that the prediction follows, as IFEval checks them (strict)",
		Definition: "Each answer is an instruction that a program can check, a JSON object with IFEval's names: instruction_id " +
			"and kwargs. The score is the share of them that the prediction follows as it stands; 1 is what IFEval's " +
			"prompt-level accuracy counts. The twenty checks that need no language detector, trained tokenizer or " +
			"list of words are known.",
		Example: Example{"<<Rivers>>\nThey run, and run.", Reference{Answers: []string{
			`{"instruction_id": "detectable_format:title", "kwargs": {}}`, `{"instruction_id": "punctuation:no_comma", "kwargs": {}}`,
		}}, 0.5},
		Score: func(prediction string, ref Reference) (float64, error) {
			list, err := FollowedOf(prediction, ref)
			if err != nil {
				return 0, err
			}
			n := 0
			for _, f := range list {
				if f.Strict {
					n++
				}
			}
			return float64(n) / float64(len(list)), nil
		},
		Check: func(ref Reference) error {
			_, err := FollowedOf("", ref)
			return err
		},
	})
}

// Followed says of one instruction whether a prediction follows it: as it stands, and in any of
// the forms in which IFEval's loose reading looks at it.
type Followed struct {
	instructions.Instruction
	Strict, Loose bool
}

// FollowedOf reads a reference's answers as instructions, and holds a prediction to each.
func FollowedOf(prediction string, ref Reference) ([]Followed, error) {
	if len(ref.Answers) == 0 {
		return nil, ErrNoAnswers
	}
	list := make([]Followed, len(ref.Answers))
	for k, text := range ref.Answers {
		i, err := instructions.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		list[k].Instruction = i
		if list[k].Strict, list[k].Loose, err = i.Follow(prediction); err != nil {
			return nil, fmt.Errorf("metrics: instruction %s: %w", i.ID, err)
		}
	}
	return list, nil
}
