package runners

import (
	"cmp"
	"slices"
	"time"

	"github.com/snapbench/snapbench/datasets"
)

// Place is a sample's: its task and its number in it.
type Place struct {
	Task   datasets.Task
	Number int
	Effort Effort // estimated
}

// MaxNew is how many tokens the sample's answer may have, without making it.
func (p Place) MaxNew() int { return newTokens(p.Task, p.Number) }

// Tokens is about how many tokens the sample's prompt has for a model, of which its name and context suffice, without
// making it.
func (p Place) Tokens(m datasets.Model) int {
	n := p.Task.Size(p.Number)
	if says, ok := p.Task.(interface {
		Tokens(i int, m datasets.Model) int
	}); ok { // it knows where a prompt is cut
		n = says.Tokens(p.Number, m)
	}
	return max(1, n)
}

// Behind is about how many tokens are read behind the prompt, through each variant's own cache: one a step, as those of an answer.
func (p Place) Behind() int {
	if says, ok := p.Task.(interface{ Behind(i int) int }); ok {
		return says.Behind(p.Number)
	}
	return 0
}

// Effort is an estimate of what a sample costs, in seconds of a machine that is nobody's: only ratios count, and those of
// reading and of decoding apart.
type Effort struct{ Reading, Decoding float64 }

// Weigher is a runner that knows what requests cost beside each other.
type Weigher interface {
	// Effort is that of a prompt of so many tokens and of answers of at most so many under each variant; twice where each
	// row has a follower, as for fidelity.
	Effort(tokens, most int, variants []Variant, twice bool) Effort
}

// Spent is what a sample's answers took.
type Spent struct {
	// Reading and Decoding are of the device's time, which is divided among the answers that shared it: those of all
	// samples add up to it. 0 where it is not known, and for a sample that needed no answer.
	Reading, Decoding time.Duration
	// Decoded is the share of the most tokens that were decoded, 0 to 1.
	Decoded float64
}

// spentOn adds up what completions of a request took.
func spentOn(q Request, completions []Completion) (s Spent) {
	tokens := 0
	for _, c := range completions {
		s.Reading, s.Decoding = s.Reading+c.PrefillPart, s.Decoding+c.DecodePart
		tokens += len(c.Tokens)
	}
	if most := q.MaxNew * len(completions); most > 0 {
		s.Decoded = float64(tokens) / float64(most)
	}
	return s
}

// mostNew is how many tokens an answer of a task that does not say it is taken to have at most.
const mostNew = 32

// newTokens is how many tokens the answer to sample i may have, without making it.
func newTokens(t datasets.Task, i int) int {
	if says, ok := t.(interface{ MaxNew(i int) int }); ok {
		return says.MaxNew(i)
	}
	return mostNew
}

// asReading is how many tokens of a prompt count as much as one of the answer where samples are put in order: reading
// them takes about as long as a step beside others does.
const asReading = 16

// Places returns the job's samples, those of its part where it has one, of all tasks from the largest to the smallest.
// What does not fit the memory fails at the start, and the last that are answered are short prompts with short answers,
// for which no device is kept. Samples of one size stay in their tasks' order, so that questions which share a prompt are
// neighbours. The order, and with it the parts, is the same on all machines.
func (j *Job) Places() []Place {
	var all []Place
	var size []int
	for _, task := range j.Tasks {
		for number := range task.Len() {
			tokens, most := task.Size(number), newTokens(task, number)
			all = append(all, Place{Task: task, Number: number, Effort: Effort{float64(max(1, tokens)), float64(asReading * most)}})
			size = append(size, tokens+asReading*most)
		}
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size[b], size[a]) })
	var list []Place
	for at, i := range order { // counted across tasks, so that parts of many small tasks are equally large
		if j.Part.Takes(at) {
			list = append(list, all[i])
		}
	}
	return list
}

// weigh replaces efforts by those that a team's runner estimates, if it does.
func (j *Job) weigh(list []Place, team []Runner) {
	if len(team) == 0 {
		return
	}
	w, ok := team[0].(Weigher)
	if !ok {
		return
	}
	known := map[[2]int]Effort{} // many samples are of one length, or nearly
	for i, p := range list {
		tokens := p.Tokens(j.Reader)
		key := [2]int{tokens - tokens%(1+tokens/64), p.MaxNew()}
		if _, ok := known[key]; !ok {
			known[key] = w.Effort(key[0], key[1], j.Variants, j.Baseline != nil)
		}
		list[i].Effort = known[key]
	}
}
