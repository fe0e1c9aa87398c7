package metrics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "babilong", Version: 1,
		About: "1 if the answer is the only one of the task's labels in the prediction's first sentence, else 0 (BABILong)",
		Definition: "Of the prediction, in lower case, what stands before the first full stop, <context> or <example> is taken. " +
			"Labels of the task that occur in it, also inside of words, are its answers; those of the question are not among the " +
			"classes and do not count. 1 if the answer is the only one left, else 0; an answer of several, " +
			"separated by commas, needs exactly its parts. So not contains no, and none contains one.",
		Example: Example{"Mary is in the office. Or in the kitchen", Reference{Answers: []string{"office"}, Classes: []string{"office", "kitchen"}}, 1},
		Score: func(prediction string, ref Reference) (float64, error) {
			said := babilongSaid(prediction, ref.Classes)
			return bestAnswer(never(func(_, answer string) float64 {
				if babilongRight(said, pystr.Lower(answer)) {
					return 1
				}
				return 0
			}))(prediction, ref)
		},
	})
}

// babilongLabels are the answers that each of bAbI's tasks knows.
var babilongLabels = func() map[string][]string {
	rooms := []string{"bathroom", "bedroom", "garden", "hallway", "kitchen", "office"}
	labels := map[string][]string{
		"qa5":  {"Bill", "Fred", "Jeff", "Mary", "apple", "football", "milk"},
		"qa7":  {"none", "one", "three", "two"},
		"qa8":  {"apple", "football", "milk", "nothing"},
		"qa10": {"maybe", "no", "yes"},
		"qa14": {"bedroom", "cinema", "kitchen", "office", "park", "school"},
		"qa15": {"cat", "mouse", "sheep", "wolf"},
		"qa16": {"gray", "green", "white", "yellow"},
		"qa19": {"e,e", "e,n", "e,s", "n,e", "n,n", "n,w", "s,e", "s,s", "s,w", "w,n", "w,s", "w,w"},
		"qa20": {"bedroom", "bored", "garden", "hungry", "kitchen", "thirsty", "tired"},
	}
	for _, task := range []string{"qa1", "qa2", "qa3", "qa4", "qa11", "qa12", "qa13"} {
		labels[task] = rooms
	}
	for _, task := range []string{"qa6", "qa9", "qa17", "qa18"} {
		labels[task] = []string{"no", "yes"}
	}
	return labels
}()

// BABILongTasks is the number of BABILong's tasks, qa1 to qa20.
const BABILongTasks = 20

// BABILongClasses returns what may answer a question of a task, qa1 to qa20: its labels in lower case
// without those that the question itself names.
func BABILongClasses(task, question string) ([]string, error) {
	labels, ok := babilongLabels[task]
	if !ok {
		return nil, fmt.Errorf("unknown task %q of BABILong: have qa1 to qa%d", task, BABILongTasks)
	}
	question = pystr.Lower(question)
	var left []string
	for _, label := range labels {
		if label = pystr.Lower(label); !strings.Contains(question, label) {
			left = append(left, label)
		}
	}
	return left, nil
}

// babilongText is the part of a prediction that is graded, in lower case. The original also cuts
// at "Question", which no text in lower case contains.
func babilongText(prediction string) string {
	text := pystr.Lower(prediction)
	for _, end := range []string{".", "<context>", "<example>"} {
		text, _, _ = strings.Cut(text, end)
	}
	return text
}

// babilongSaid are the classes, each once, that a prediction's text contains.
func babilongSaid(prediction string, classes []string) []string {
	text := babilongText(prediction)
	var said []string
	for _, class := range classes {
		if class = pystr.Lower(class); strings.Contains(text, class) && !slices.Contains(said, class) {
			said = append(said, class)
		}
	}
	return said
}

// babilongRight says whether an answer, in lower case, is all that was said. One of up to three
// characters is a label by itself, such as qa19's "s,e".
func babilongRight(said []string, answer string) bool {
	parts := []string{answer}
	if len([]rune(answer)) > 3 {
		parts = strings.Split(answer, ",")
	}
	if len(said) != len(parts) {
		return false
	}
	for _, part := range parts {
		if !slices.Contains(said, part) {
			return false
		}
	}
	return true
}
