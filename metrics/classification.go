package metrics

import (
	"errors"
	"slices"
	"strings"
)

func init() {
	Register(Scorer{
		Name: "classification", Version: 1,
		About: "1/n if the true class is among the n class names in the prediction",
		Definition: "The names of classes that occur in the prediction are collected; one that is only a part of the " +
			"answer's name does not count. Where the answer is among n names the score is 1/n, else 0.",
		Example: Example{"Food, or a Place", Reference{Answers: []string{"Place"}, Classes: []string{"Food", "Place", "Person"}}, 0.5},
		Score:   scoreClassification,
	})
}

// ErrNoClasses is returned where the classification metric is given no classes.
var ErrNoClasses = errors.New("metrics: classification needs the names of all classes")

func scoreClassification(prediction string, ref Reference) (float64, error) {
	if len(ref.Classes) == 0 {
		return 0, ErrNoClasses
	}
	return bestAnswer(never(func(prediction, answer string) float64 {
		return classify(prediction, answer, ref.Classes)
	}))(prediction, ref)
}

// classify finds the class names that occur in the prediction and drops those
// that are only part of the answer's name ("Food" where "Food entity" is
// meant). The original removes items from the list it iterates over and so skips
// the name after a removed one. Published scores depend on that, so it is kept.
func classify(prediction, answer string, classes []string) float64 {
	var found []string
	for _, class := range classes {
		if strings.Contains(prediction, class) {
			found = append(found, class)
		}
	}
	for i := 0; i < len(found); i++ {
		name := found[i]
		if name != answer && strings.Contains(answer, name) {
			found = slices.Delete(found, i, i+1)
		}
	}
	if !slices.Contains(found, answer) {
		return 0
	}
	return 1 / float64(len(found))
}
